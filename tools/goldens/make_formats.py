#!/usr/bin/env python3
"""Makes tests/golden/formats: tensors written and read by the packages that own the formats.

compressed_tensors.*: random weights compressed by compressed-tensors, its own decompressed values
with scales taken as FP32. gguf.*: random blocks of every GGUF type, the values that the gguf package
reads from them, and the blocks that it writes for the types it can write.
Each is one .bin of concatenated arrays and one .json that says where they lie.

    python tools/goldens/make_formats.py          (torch, compressed-tensors, gguf; CPU only)
"""
import json
import pathlib
import sys

import compressed_tensors
import gguf
import numpy as np
import torch
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams

SEED = 1
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "formats"
DTYPES = {torch.int32: "I32", torch.int64: "I64", torch.int8: "I8", torch.uint8: "U8",
          torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32",
          torch.float8_e4m3fn: "F8_E4M3"}


class Store:
    """One .bin and its .json."""

    def __init__(self, name, versions):
        self.name, self.blob, self.cases = name, bytearray(), []
        self.head = {"made_by": "tools/goldens/make_formats.py", "seed": SEED,
                     "python": sys.version.split()[0], "numpy": np.__version__} | versions

    def add(self, array):
        if isinstance(array, torch.Tensor):
            dtype, shape = DTYPES[array.dtype], list(array.shape)
            data = array.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        else:
            dtype, shape, data = str(array.dtype), list(array.shape), array.tobytes()
        entry = {"dtype": dtype, "shape": shape, "offset": len(self.blob), "bytes": len(data)}
        self.blob += data
        return entry

    def save(self):
        (OUT / f"{self.name}.bin").write_bytes(self.blob)
        lines = ",\n".join(" " + json.dumps(case) for case in self.cases)
        head = json.dumps(self.head)[1:-1]
        (OUT / f"{self.name}.json").write_text(f'{{{head}, "cases": [\n{lines}\n]}}\n')


def compressed_case(store, name, scheme, rows, cols, scale_dtype):
    """`scheme`: compressed-tensors' weight arguments; `name` is the compressor."""
    weights = torch.randn(rows, cols) * torch.exp(torch.randn(rows, 1)) * 0.05
    args = QuantizationArgs(**scheme)
    if args.strategy == "group":
        shaped = weights.unflatten(-1, (cols // args.group_size, args.group_size))
        low, high = shaped.amin(-1), shaped.amax(-1)
    elif args.strategy == "channel":
        low, high = weights.amin(-1, keepdim=True), weights.amax(-1, keepdim=True)
    else:
        low, high = weights.amin().reshape(1), weights.amax().reshape(1)
    scale, zero = calculate_qparams(low, high, args)
    scale = scale.to(scale_dtype)
    compressor = BaseCompressor.get_value_from_registry(name)
    whole = QuantizationScheme(targets=["Linear"], weights=args)
    state = {"weight": weights, "weight_scale": scale.float()}
    if not args.symmetric:
        state["weight_zero_point"] = zero.to(torch.int8)
    packed = compressor.compress(state, whole)
    values = compressor.decompress(packed, whole)["weight"]
    if name == "mxfp4-pack-quantized":
        values = values.float()  # exact in BF16
    else:
        packed["weight_scale"] = scale  # stored narrow, read as FP32
    assert values.dtype == torch.float32
    order = ["weight", "weight_packed", "weight_scale", "weight_zero_point", "weight_shape"]
    parts = {"." + key: store.add(packed[key]) for key in order if key in packed}
    store.cases.append({"format": name, "rows": rows, "cols": cols, "bits": args.num_bits,
                        "type": args.type, "strategy": args.strategy,
                        "group_size": args.group_size or 0, "symmetric": args.symmetric,
                        "parts": parts, "values": store.add(values)})


def make_compressed():
    torch.manual_seed(SEED)
    store = Store("compressed_tensors", {"torch": torch.__version__, "compressed_tensors":
                                         compressed_tensors.__version__})
    half, brain, single = torch.float16, torch.bfloat16, torch.float32

    def case(name, rows, cols, dtype, **scheme):
        compressed_case(store, name, {"type": "int", "symmetric": True} | scheme, rows, cols, dtype)

    for bits in range(2, 9):
        for symmetric in (True, False):
            rows = 5 if symmetric else 35  # zero points are packed down the rows
            common = {"num_bits": bits, "symmetric": symmetric}
            case("pack-quantized", rows, 96, half, strategy="group", group_size=32, **common)
            case("pack-quantized", rows, 37, brain, strategy="channel", **common)
    for symmetric in (True, False):
        case("pack-quantized", 6, 33, half, strategy="tensor", num_bits=4, symmetric=symmetric)
        case("int-quantized", 5, 37, half, strategy="channel", num_bits=8, symmetric=symmetric)
        case("int-quantized", 5, 64, half, strategy="group", group_size=16, num_bits=8,
             symmetric=symmetric)
        case("int-quantized", 5, 37, half, strategy="tensor", num_bits=8, symmetric=symmetric)
    case("pack-quantized", 5, 64, single, strategy="group", group_size=16, num_bits=4)
    # More than 8 rows: 0.20 cannot decompress the 4-bit zero points of fewer.
    case("pack-quantized", 9, 64, single, strategy="group", group_size=16, num_bits=4,
         symmetric=False)
    case("float-quantized", 5, 37, single, strategy="channel", num_bits=8, type="float")
    case("float-quantized", 5, 37, brain, strategy="tensor", num_bits=8, type="float")
    case("mxfp4-pack-quantized", 5, 96, single, strategy="group", group_size=32, num_bits=4,
         type="float", scale_dtype=torch.uint8)
    store.save()


def random_blocks(kind, count, rng):
    """Random bytes whose FP16 scales are finite: ordinary, subnormal, huge, zero, negative."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    scales = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
              "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
              "IQ4_NL": [0], "IQ4_XS": [0]}[kind.name]
    special = [0.0, 5.96e-8, -6.1e-5, 65504.0, -1.0, 3e-6]
    for b in range(count):
        for at in scales:
            value = special[b] if b < len(special) else rng.standard_normal() * 0.01
            blocks[b, at:at + 2] = np.frombuffer(np.float16(value).tobytes(), np.uint8)
    return blocks


def make_gguf():
    rng = np.random.default_rng(SEED)
    store = Store("gguf", {"gguf": __import__("importlib.metadata").metadata.version("gguf")})
    kinds = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
             "IQ4_NL", "IQ4_XS"]
    for name in kinds:
        kind = gguf.GGMLQuantizationType[name]
        inputs, size = gguf.GGML_QUANT_SIZES[kind]
        rows, blocks = 4, 2 if inputs == 256 else 3
        data = random_blocks(kind, rows * blocks, rng).reshape(rows, blocks * size)
        values = gguf.dequantize(data, kind).astype(np.float32)
        store.cases.append({"block": name.lower(), "rows": rows, "cols": blocks * inputs,
                            "data": store.add(data), "values": store.add(values)})
    for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
        kind = gguf.GGMLQuantizationType[name]
        weights = (rng.standard_normal((4, 96)) * np.exp(rng.standard_normal((4, 1)))
                   ).astype(np.float32) * np.float32(0.05)
        weights[1, :32] = 0
        store.cases.append({"block": name.lower(), "rows": 4, "cols": 96,
                            "weights": store.add(weights),
                            "data": store.add(gguf.quantize(weights, kind)),
                            "values": store.add(gguf.dequantize(gguf.quantize(weights, kind),
                                                                kind))})
    store.save()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    make_compressed()
    make_gguf()
