#!/usr/bin/env python3
"""Makes tests/golden/tokenizers: tiny tokenizers of every kind and what the originals do with hard
texts.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3
    python tools/goldens/make_tokenizers.py [--train]

Without --train the tokenizers that are there stay (training is not reproducible to the last merge)
and only the goldens are made again. Each folder holds a tokenizer.json or tokenizer.model, trained here on text made here, and
golden.json: per text of ../texts.json the ids with special tokens added and parsed ("ids"), without
("content"), and the decoded texts where they differ from the text. The SentencePiece models have
only "content": the library knows no special tokens in text.
"""
import io
import json
import pathlib
import shutil
import sys
import tempfile
import unicodedata

import sentencepiece
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

import tokenizer_texts

OUT = pathlib.Path(__file__).parent.parent.parent / "tests/golden/tokenizers"
TEXTS = tokenizer_texts.HARD + tokenizer_texts.random_texts(80, 11)
CORPUS = tokenizer_texts.corpus()

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = CONTRACTIONS + (r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
                         r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*") + TAIL
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
          r"|\s*[\r\n]|\s+(?!\S)|\s+")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
O200K = (f"{LEAD}{UPPER}*{LOWER}+{CONTRACTIONS}?|{LEAD}{UPPER}+{LOWER}*{CONTRACTIONS}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL)
TEKKEN = (f"{LEAD}{UPPER}*{LOWER}+|{LEAD}{UPPER}+{LOWER}*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL)
DEEPSEEK3 = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
             r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
             r"""|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*""" + TAIL]
DEEPSEEK_LLM = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"]
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"
CLIP = (r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]"
        r"|[^\s\p{L}\p{N}]+")


def splits(patterns, behavior="isolated"):
    return [pre_tokenizers.Split(Regex(p), behavior) for p in patterns]


def bytes_of(*parts):
    return pre_tokenizers.Sequence(list(parts) +
                                   [pre_tokenizers.ByteLevel(add_prefix_space=False,
                                                             use_regex=False)])


def bos_template(token, ident):
    return processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token} $B:1",
                                         special_tokens=[(token, ident)])


def byte_bpe(pre_tokenizer, specials=("<|endoftext|>",), normalizer=None, size=330, post=None,
             ignore_merges=False):
    t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizer
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(specials), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = post or processors.ByteLevel(trim_offsets=False)
    return t


def metaspace_bpe(normalizer, pre_tokenizer, byte_fallback=True):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback))
    if normalizer:
        t.normalizer = normalizer
    if pre_tokenizer:
        t.pre_tokenizer = pre_tokenizer
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256) if byte_fallback]
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=len(specials) + 160, special_tokens=specials, show_progress=False,
        limit_alphabet=60, max_token_length=12))
    # Training marks the byte tokens special; Llama's file does not.
    j = json.loads(t.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(j))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                   decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = bos_template("<s>", t.token_to_id("<s>"))
    return t


def unigram(normalizer, pre_tokenizer, byte_fallback=False):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizer
    specials = ["<pad>", "</s>", "<unk>"]
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=260, special_tokens=specials, unk_token="<unk>", show_progress=False))
    j = json.loads(t.to_str())
    if byte_fallback:
        j["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
        j["model"]["byte_fallback"] = True
    t = Tokenizer.from_str(json.dumps(j))
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    t.decoder = decoders.Sequence(parts) if byte_fallback else decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=320, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def word_level():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(
        vocab_size=200, special_tokens=["<unk>", "<s>"], show_progress=False))
    return t


def roberta():
    t = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=True),
                 ["<s>", "<pad>", "</s>", "<unk>"])
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return t


def clip():
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(),
                                         normalizers.Replace(Regex(r"\s+"), " "),
                                         normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CLIP), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<unk>", "<|endoftext|>"], end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return t


def added_tokens():
    t = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizer=normalizers.Sequence(
        [normalizers.NFC(), normalizers.Lowercase()]))
    t.add_tokens([
        AddedToken("Hello", normalized=True), AddedToken("world", normalized=False),
        AddedToken("the", single_word=True, normalized=False),
        AddedToken("  ", normalized=False), AddedToken("    ", normalized=True),
        AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False),
        AddedToken("Å", normalized=True), AddedToken("ab", single_word=True, normalized=True),
        AddedToken("\n", normalized=False), AddedToken("aaaa", normalized=False),
        AddedToken("you", rstrip=True, normalized=True)])
    t.add_special_tokens([AddedToken("<|im_start|>", normalized=False),
                          AddedToken("<|im_end|>", rstrip=True, normalized=False),
                          AddedToken("<s>", normalized=True)])
    return t


def odd_pipeline():
    t = byte_bpe(bytes_of(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"),
                          pre_tokenizers.Digits(individual_digits=False),
                          pre_tokenizers.Split("e", "merged_with_previous"),
                          pre_tokenizers.Split("o", "merged_with_next"),
                          pre_tokenizers.Split(Regex("[bc]"), "contiguous"),
                          pre_tokenizers.Split(Regex("(?=[A-Z])"), "isolated"),
                          pre_tokenizers.FixedLength(7)),
                 normalizer=normalizers.Sequence([
                     normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(),
                     normalizers.Strip(), normalizers.Replace("ll", "l"),
                     normalizers.Replace(Regex("[xyz]{2,}"), "")]))
    t.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace(Regex("[aA]"), "4")])
    return t


def precompiled():
    """A Precompiled normaliser with the map of a SentencePiece model."""
    import base64
    model = train_sentencepiece(model_type="unigram", normalization_rule_tsv=rules_file(),
                                vocab_size=200)
    charsmap = base64.b64encode(charsmap_of(model)).decode()
    t = unigram(normalizers.Sequence([]), pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    j = json.loads(t.to_str())
    j["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    return Tokenizer.from_str(json.dumps(j))


HF = {
    "gpt2": lambda: byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "llama3": lambda: byte_bpe(bytes_of(*splits([LLAMA3])), ["<s>", "</s>", "<|im_start|>",
                                                             "<|im_end|>"],
                               post=bos_template("<s>", 0), ignore_merges=True),
    "qwen2": lambda: byte_bpe(bytes_of(*splits([QWEN2])), normalizer=normalizers.NFC()),
    "qwen35": lambda: byte_bpe(bytes_of(*splits([QWEN35]))),
    "cl100k": lambda: byte_bpe(bytes_of(*splits([CL100K]))),
    "o200k": lambda: byte_bpe(bytes_of(*splits([O200K]))),
    "tekken": lambda: byte_bpe(bytes_of(*splits([TEKKEN]))),
    "smollm": lambda: byte_bpe(pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)]), ["<|endoftext|>", "<|im_start|>",
                                                             "<|im_end|>"]),
    "deepseek3": lambda: byte_bpe(bytes_of(*splits(DEEPSEEK3))),
    "deepseek_llm": lambda: byte_bpe(bytes_of(*splits(DEEPSEEK_LLM),
                                              pre_tokenizers.Digits(individual_digits=True))),
    "falcon": lambda: byte_bpe(pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])),
    "bloom": lambda: byte_bpe(bytes_of(*splits([BLOOM]))),
    "roberta": roberta,
    "clip": clip,
    "added_tokens": added_tokens,
    "odd_pipeline": odd_pipeline,
    "llama2_legacy": lambda: metaspace_bpe(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None),
    "llama2_first": lambda: metaspace_bpe(
        None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
    "metaspace_unknown": lambda: metaspace_bpe(
        normalizers.NFKC(), pre_tokenizers.Metaspace(prepend_scheme="always", split=True), False),
    "unigram": lambda: unigram(normalizers.NFKC(), pre_tokenizers.Metaspace()),
    "unigram_bytes": lambda: unigram(normalizers.NFD(), pre_tokenizers.Metaspace(
        prepend_scheme="never", split=False), byte_fallback=True),
    "precompiled": precompiled,
    "bert": word_piece,
    "word_level": word_level,
}


def train_sentencepiece(**options) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([s.strip() for s in CORPUS]), model_writer=model,
        minloglevel=2, character_coverage=0.98, hard_vocab_limit=False, num_threads=1, **options)
    return model.getvalue()


def charsmap_of(model: bytes) -> bytes:
    """ModelProto.normalizer_spec.precompiled_charsmap, fields 3 and 2."""
    def fields(data):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    return value
        while at < len(data):
            tag = varint()
            size = {0: 0, 1: 8, 5: 4}.get(tag & 7)
            if tag & 7 == 0:
                varint()
                continue
            size = varint() if size is None else size
            yield tag >> 3, data[at:at + size]
            at += size
    spec = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(spec) if number == 2)


def rules_file() -> str:
    """A small character map: lower case, ligatures, widths, blanks, compositions."""
    rules = {chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)}
    rules |= {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
    rules |= {"\ufb01": "fi", "\u00bd": "1\u20442", "\u2460": "1", "\u2461": "2", "\u00a0": " ",
              "\u3000": " ", "\t": " ", "\n": " ", "\r\n": " ", "\r": " ", "\u2003": " ",
              "\u212b": "\u00e5", "e\u0301": "\u00e9", "A\u030a": "\u00e5", "\u200b": " ",
              "\uff76\uff9e": "\u30ac", "\u2026": "...", "\u00df": "ss", "\x7f": "", "\x01": "",
              "\ufeff": "", "\u1e9b\u0323": "\u1e69", "\u1e9b": "\u1e61"}
    path = pathlib.Path(tempfile.gettempdir()) / "farthing_rules.tsv"
    path.write_text("".join(
        " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in to) + "\n"
        for source, to in sorted(rules.items())))
    return str(path)


SP = {
    "sp_bpe": dict(model_type="bpe", vocab_size=460, byte_fallback=True,
                   normalization_rule_name="identity", remove_extra_whitespaces=False),
    "sp_bpe_user": dict(model_type="bpe", vocab_size=240, user_defined_symbols=["<|im_start|>", "the"],
                        normalization_rule_tsv=rules_file()),
    "sp_unigram": dict(model_type="unigram", vocab_size=240,
                       normalization_rule_tsv=rules_file()),
    "sp_unigram_user": dict(model_type="unigram", vocab_size=480, byte_fallback=True,
                            user_defined_symbols=["<|im_start|>", "  ", "ab"],
                            normalization_rule_name="identity", add_dummy_prefix=False,
                            remove_extra_whitespaces=False),
}


def write(folder: pathlib.Path, golden: dict) -> None:
    lines = [f'"{key}":[\n' + ",\n".join(json.dumps(v, separators=(",", ":")) for v in values) + "]"
             for key, values in golden.items()]
    (folder / "golden.json").write_text("{" + ",\n".join(lines) + "}\n")


def make_hf(name: str) -> None:
    folder = OUT / name
    folder.mkdir(exist_ok=True)
    file = folder / "tokenizer.json"
    if not file.exists():
        j = json.loads(HF[name]().to_str())
        file.write_text(json.dumps(j, ensure_ascii=True, separators=(",", ":")) + "\n")
    t = Tokenizer.from_file(str(file))
    golden = {"ids": [], "content": [], "decoded": [], "decoded_all": []}
    for text in TEXTS:
        t.encode_special_tokens = False
        ids = t.encode(text).ids
        if name == "clip" and any(unicodedata.category(c) == "Cn" for c in text):
            ids = None  # its pattern goes to PCRE2, which knows another version of Unicode
        golden["ids"].append(ids)
        decoded = None if ids is None else t.decode(ids, skip_special_tokens=True)
        whole = None if ids is None else t.decode(ids, skip_special_tokens=False)
        golden["decoded"].append(None if decoded == text else decoded)
        golden["decoded_all"].append(None if whole == decoded else whole)
        t.encode_special_tokens = True
        content = t.encode(text, add_special_tokens=False).ids
        golden["content"].append(None if content == ids or ids is None else content)
    write(folder, golden)


def make_sp(name: str) -> None:
    folder = OUT / name
    folder.mkdir(exist_ok=True)
    file = folder / "tokenizer.model"
    if not file.exists():
        file.write_bytes(train_sentencepiece(**SP[name]))
    model = file.read_bytes()
    t = sentencepiece.SentencePieceProcessor(model_proto=model)
    write(folder, {"content": [t.encode(text) for text in TEXTS]})


def main() -> None:
    if "--train" in sys.argv:
        shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "texts.json").write_text("[\n" + ",\n".join(map(json.dumps, TEXTS)) + "\n]\n")
    for name in HF:
        make_hf(name)
    for name in SP:
        make_sp(name)
    manifest = {"made_by": "tools/goldens/make_tokenizers.py", "tokenizers": "0.23.3",
                "sentencepiece": "0.2.3", "folders": list(HF) + list(SP),
                "licence": "trained on text made by the script; same licence as the repository"}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
