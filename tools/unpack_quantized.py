#!/usr/bin/env python3
"""Unpacks the matrices of a GPTQ (v1, v2), AWQ (gemm) or compressed-tensors (pack- and int-quantized)
directory with numpy, from the layouts' descriptions and not as Farthing does, and compares them.

    unpack_quantized.py A          lists every matrix with the SHA-256 of its FP32 numbers
    unpack_quantized.py A B        says how far each matrix of B is from that of A; exit 1 if any differs
"""
import hashlib
import json
import pathlib
import struct
import sys

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "I64": np.int64, "I8": np.int8,
          "U8": np.uint8, "BF16": np.uint16}
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def tensors_of(directory):
    found = {}
    for path in sorted(directory.glob("*.safetensors")):
        raw = path.read_bytes()
        size = struct.unpack("<Q", raw[:8])[0]
        for name, entry in json.loads(raw[8:8 + size]).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            numbers = np.frombuffer(raw[8 + size + begin:8 + size + end], DTYPES[entry["dtype"]])
            if entry["dtype"] == "BF16":
                numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
            found[name] = numbers.reshape(entry["shape"])
    return found


def stream(words, bits, count):
    """words (n, ...) of 32 bits down axis 0 -> codes (count, ...)."""
    words = words.view(np.uint32).astype(np.uint64)
    codes = []
    for i in range(count):
        word, shift = divmod(i * bits, 32)
        value = words[word] >> np.uint64(shift)
        if shift + bits > 32:
            value |= words[word + 1] << np.uint64(32 - shift)
        codes.append(value & np.uint64(2 ** bits - 1))
    return np.array(codes).astype(np.int64)


def gptq(t, base, config):
    rule = dict(config)
    for key, change in (config.get("dynamic") or {}).items():
        import re
        if key.startswith("+:") and re.match(key[2:], base):
            rule.update(change)
    bits, scales = rule["bits"], t[base + ".scales"].astype(np.float32)
    out = scales.shape[1]
    qweight = t[base + ".qweight"]
    codes = stream(qweight, bits, qweight.shape[0] * 32 // bits)  # (in, out)
    zeros = stream(t[base + ".qzeros"].T, bits, out).T  # (groups, out)
    if config.get("checkpoint_format", "gptq") != "gptq_v2":
        zeros = (zeros + 1) & (2 ** bits - 1)
    groups = t[base + ".g_idx"] if base + ".g_idx" in t else np.arange(len(codes)) // (
        rule["group_size"] if rule["group_size"] > 0 else len(codes))
    return (scales[groups] * (codes - zeros[groups]).astype(np.float32)).T


def awq(t, base, config):
    def nibbles(words):
        words, out = words.view(np.uint32), np.zeros((words.shape[0], words.shape[1] * 8), np.int64)
        for i, place in enumerate(AWQ_ORDER):
            out[:, place::8] = (words >> np.uint32(4 * i)) & np.uint32(15)
        return out
    scales = t[base + ".scales"].astype(np.float32)
    codes, zeros = nibbles(t[base + ".qweight"]), nibbles(t[base + ".qzeros"])
    groups = np.arange(len(codes)) // (len(codes) // len(scales))
    return (scales[groups] * (codes - zeros[groups]).astype(np.float32)).T


def packed(t, base, bits):
    rows, cols = (int(n) for n in t[base + ".weight_shape"])
    codes = stream(t[base + ".weight_packed"].T, bits, cols).T - 2 ** (bits - 1)
    scales = t[base + ".weight_scale"].astype(np.float32).reshape(rows, -1)
    groups = np.arange(cols) // (cols // scales.shape[1])
    zeros = np.zeros(scales.shape, np.int64)
    if base + ".weight_zero_point" in t:
        zeros = stream(t[base + ".weight_zero_point"], bits, rows) - 2 ** (bits - 1)
    return scales[:, groups] * (codes - zeros[:, groups]).astype(np.float32)


def bits_of(config, base):
    """num_bits of the group that targets the module: by its name, else as a Linear."""
    groups = config["config_groups"].values()
    for group in groups:
        if base in group["targets"]:
            return group["weights"]["num_bits"]
    return next(g["weights"]["num_bits"] for g in groups if "Linear" in g["targets"])


def matrices(directory):
    directory = pathlib.Path(directory)
    config = json.loads((directory / "config.json").read_text()).get("quantization_config", {})
    t = tensors_of(directory)
    found = {}
    for name, numbers in t.items():
        base = name[:name.rfind(".")]
        if name.endswith(".qweight"):
            found[base] = (awq if config["quant_method"] == "awq" else gptq)(t, base, config)
        elif name.endswith(".weight_packed"):
            found[base] = packed(t, base, bits_of(config, base))
        elif name.endswith(".weight") and numbers.ndim == 2:
            scale = t.get(base + ".weight_scale")
            found[base] = numbers.astype(np.float32) * (
                1 if scale is None else scale.astype(np.float32).reshape(len(numbers), -1))
    return found


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    one = matrices(sys.argv[1])
    if len(sys.argv) == 2:
        for name, numbers in one.items():
            print(hashlib.sha256(np.ascontiguousarray(numbers, np.float32).tobytes()).hexdigest(), name)
        return
    other, worst = matrices(sys.argv[2]), 0.0
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            print(f"{name}: only in {sys.argv[1 if name in one else 2]}")
            worst = max(worst, 1.0)
            continue
        wrong = float(np.abs(one[name].astype(np.float64) - other[name].astype(np.float64)).max())
        worst = max(worst, wrong)
        if wrong:
            print(f"{name}: largest difference {wrong:.3e}")
    print(f"{len(one)} matrices, largest difference {worst:.3e}")
    sys.exit(worst > 0)


if __name__ == "__main__":
    main()
