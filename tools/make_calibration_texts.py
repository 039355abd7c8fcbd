#!/usr/bin/env python3
"""Makes data/calibration/: the built-in calibration texts, excerpts of public-domain books.

usage: make_calibration_texts.py BOOKS_DIRECTORY OUT_DIRECTORY
BOOKS_DIRECTORY holds the training split of the books corpus: train.txt.xz, train.docs.tsv (offset, bytes, book,
chapter) and SOURCES.tsv. Never from the test or validation split: those are what people evaluate on. A file stays
below 64 kB, the longest string literal that compilers must take.
"""
import json
import lzma
import pathlib
import re
import sys

LIMIT = 60_000
# File: (book, part of the book at which the excerpt begins), each an equal share of the file.
TEXTS = {
    "fiction.txt": [("jane-austen_emma", 0.3), ("charles-dickens_bleak-house", 0.5), ("leo-tolstoy_anna-karenina", 0.4),
                    ("george-eliot_middlemarch", 0.6), ("h-g-wells_the-war", 0.5), ("mary-shelley", 0.4),
                    ("f-scott-fitzgerald", 0.5), ("lewis-carroll", 0.5)],
    "adventure.txt": [("arthur-conan-doyle", 0.4), ("daniel-defoe", 0.3), ("herman-melville", 0.5), ("jack-london", 0.4),
                      ("joseph-conrad_heart", 0.5), ("alexandre-dumas_the-three", 0.3), ("jonathan-swift", 0.5),
                      ("g-k-chesterton_the-innocence", 0.4)],
    "drama.txt": [("william-shakespeare_macbeth", 0.4), ("george-bernard-shaw_man-and", 0.5), ("oscar-wilde_the-importance", 0.9),
                  ("william-shakespeare_a-mid", 0.6)],
    "verse.txt": [("homer_the-odyssey", 0.5), ("walt-whitman", 0.4), ("friedrich-nietzsche_thus", 0.5), ("walt-whitman", 0.8)],
    "science.txt": [("charles-darwin", 0.4), ("david-hume", 0.4), ("william-james_pragmatism", 0.5), ("william-james_the-var", 0.4),
                    ("plato", 0.5), ("ralph-waldo-emerson", 0.4)],
    "society.txt": [("adam-smith", 0.4), ("edward-gibbon", 0.5), ("thomas-hobbes", 0.4), ("thorstein-veblen", 0.5),
                    ("niccolo-machiavelli", 0.6), ("mary-wollstonecraft", 0.4), ("ulysses-s-grant", 0.5)],
    "letters.txt": [("samuel-pepys", 0.5), ("bram-stoker", 0.4), ("wilkie-collins", 0.5), ("marcus-aurelius", 0.5), ("samuel-pepys", 0.7)],
    "entries.txt": [("ambrose-bierce", 0.3), ("ambrose-bierce", 0.6), ("t-e-lawrence", 0.5)],
}
CHATS = [("oscar-wilde_the-importance", 0.2), ("george-bernard-shaw_man-and", 0.2), ("george-bernard-shaw_man-and", 0.7),
         ("oscar-wilde_the-importance", 0.5)]
TURNS = 8


class Books:
    def __init__(self, folder):
        self.text = lzma.open(folder / "train.txt.xz").read()
        self.titles = dict(line.split("\t")[1:4:2] for line in (folder / "SOURCES.tsv").read_text().splitlines()[1:])
        self.chapters = {}
        for line in (folder / "train.docs.tsv").read_text().splitlines():
            offset, size, book, _ = line.split("\t")
            self.chapters.setdefault(book, []).append((int(offset), int(size)))

    def excerpt(self, start_of_name, part, size):
        """Paragraphs from about `part` of the book on, at most `size` bytes."""
        book, = [name for name in self.chapters if name.startswith(start_of_name)]
        chapters = self.chapters[book]
        begin, end = chapters[0][0], sum(chapters[-1])
        start = self.text.index(b"\n\n", begin + int((end - begin) * part)) + 2
        stop = self.text.rindex(b"\n\n", start, min(end, start + size))
        return book, self.text[start:stop].decode()


def conversations(text):
    """Speeches of a play ("Name: words" a paragraph) as chats of two speakers who take turns."""
    chat, last = [], None
    for paragraph in text.split("\n\n"):
        speech = re.fullmatch(r"([A-Z][\w’.]*(?: [A-Z][\w’.]*)?): (.+)", paragraph)
        if not speech:
            continue
        who, words = speech.groups()
        if who == last:
            chat[-1]["content"] += " " + words
            continue
        if len(chat) == TURNS:
            yield chat
            chat = []
        chat.append({"role": "assistant" if len(chat) % 2 else "user", "content": words})
        last = who


def main(folder, out):
    books = Books(folder)
    notes = []

    def note(file, book, part, text):
        name = "standardebooks/" + book
        notes.append(f"{file}\t{name}\t{books.titles[name]}\t{part}\t{len(text.encode())}")

    for file, parts in TEXTS.items():
        pieces = []
        for book, part in parts:
            name, text = books.excerpt(book, part, LIMIT // len(parts) - 2)
            pieces.append(text)
            note(file, name, part, text)
        (out / file).write_text("\n\n".join(pieces) + "\n")
    lines, room = [], LIMIT
    for book, part in CHATS:
        name, text = books.excerpt(book, part, LIMIT // len(CHATS))
        note("chats.jsonl", name, part, text)
        for chat in conversations(text):
            lines.append(json.dumps({"messages": chat}, ensure_ascii=False) + "\n")
    while sum(len(line.encode()) for line in lines) > room:
        lines.pop()
    (out / "chats.jsonl").write_text("".join(lines))
    (out / "SOURCES.tsv").write_text("file\trepository\ttitle\tpart of the book\tbytes\n" + "\n".join(notes) + "\n")


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
