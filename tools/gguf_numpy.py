"""Reads a GGUF v3 file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) with numpy alone."""

import mmap
import struct

import numpy as np

# Value types: struct letters; 8 is text, 9 an array.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def floats(raw):
    return raw.view("<f4")


def halves(raw):
    return raw.view("<f2").astype(np.float32)


def q8_0(raw):
    """A block: an FP16 scale and 32 int8."""
    blocks = raw.reshape(-1, 34)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    return blocks[:, 2:].view(np.int8).astype(np.float32) * scale


def q4_1(raw):
    """A block: FP16 scale and minimum, 16 bytes: the low nibbles are the first 16 numbers."""
    blocks = raw.reshape(-1, 20)
    scale, least = (blocks[:, a:a + 2].copy().view("<f2").astype(np.float32) for a in (0, 2))
    codes = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    return codes.astype(np.float32) * scale + least


# type number: name, numbers a block, bytes a block, reader
TYPES = {0: ("F32", 1, 4, floats), 1: ("F16", 1, 2, halves), 3: ("Q4_1", 32, 20, q4_1),
         8: ("Q8_0", 32, 34, q8_0)}


class Gguf:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.at = 0
        if self.data[:4] != b"GGUF":
            raise SystemExit(f"{path}: not a GGUF file")
        self.at = 4
        version, tensors, pairs = self.take("I"), self.take("Q"), self.take("Q")
        if version != 3:
            raise SystemExit(f"{path}: GGUF version {version}, expected 3")
        self.metadata = {}
        for _ in range(pairs):
            key = self.text()
            self.metadata[key] = self.value(self.take("I"))
        self.infos = {}
        for _ in range(tensors):
            name = self.text()
            shape = [self.take("Q") for _ in range(self.take("I"))][::-1]
            self.infos[name] = (shape, self.take("I"), self.take("Q"))
        alignment = self.metadata.get("general.alignment", 32)
        self.start = (self.at + alignment - 1) // alignment * alignment

    def take(self, letter):
        value = struct.unpack_from("<" + letter, self.data, self.at)[0]
        self.at += struct.calcsize("<" + letter)
        return value

    def text(self):
        length = self.take("Q")
        self.at += length
        return self.data[self.at - length:self.at].decode("utf-8")

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            inner, count = self.take("I"), self.take("Q")
            return [self.value(inner) for _ in range(count)]
        return self.take(SCALARS[kind])

    def tensor(self, name):
        """FP32, outermost dimension first."""
        shape, kind, offset = self.infos[name]
        if kind not in TYPES:
            raise SystemExit(f"{name}: GGUF type {kind}; this script reads "
                             + ", ".join(row[0] for row in TYPES.values()))
        _, numbers, size, read = TYPES[kind]
        count = int(np.prod(shape)) // numbers * size
        raw = np.frombuffer(self.data, np.uint8, count, self.start + offset)
        return read(raw).reshape(shape)
