#!/usr/bin/env python3
"""Makes tests/golden/bitmask: matrices as compressed-tensors' sparse-bitmask and sparse-24-bitmask
keep them, written by that package; releases after 0.12 have no such formats.

    python tools/goldens/make_bitmask.py          (torch, compressed-tensors 0.9.4; CPU only)
"""
import json
import pathlib

import numpy as np
import torch
from compressed_tensors import __version__
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.config import BitmaskConfig, Sparse24BitMaskConfig

SEED = 4
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "bitmask"
DTYPES = {torch.int64: "I64", torch.uint8: "U8", torch.bfloat16: "BF16", torch.float32: "F32"}


def main():
    torch.manual_seed(SEED)
    blob, cases = bytearray(), []

    def add(tensor):
        data = tensor.contiguous().view(torch.uint8).numpy().tobytes()
        entry = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "offset": len(blob),
                 "bytes": len(data)}
        blob.extend(data)
        return entry

    for config, shape, dtype in ((BitmaskConfig(targets=["Linear"]), (7, 21), torch.bfloat16),
                                 (BitmaskConfig(targets=["Linear"]), (4, 16), torch.float32),
                                 (Sparse24BitMaskConfig(targets=["Linear"]), (6, 32), torch.bfloat16)):
        dense = torch.randn(shape).to(dtype)
        dense[torch.rand(shape) < 0.5] = 0
        if config.format == "sparse-24-bitmask":  # it keeps two of four, zeros or not
            four = torch.randn(shape).reshape(-1, 4)
            keep = torch.zeros_like(four, dtype=torch.bool)
            keep.scatter_(1, four.abs().topk(2, dim=1).indices, True)
            dense = torch.where(keep, four, 0).reshape(shape).to(dtype)
        compressor = BaseCompressor.load_from_registry(config.format, config=config)
        stored = compressor.compress({"m.weight": dense}, compression_targets={"m"})
        cases.append({"format": config.format, "dense": add(dense),
                      "stored": {name: add(tensor) for name, tensor in stored.items()}})
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "bitmask.bin").write_bytes(blob)
    head = {"made_by": "tools/goldens/make_bitmask.py", "compressed_tensors": __version__,
            "torch": torch.__version__, "numpy": np.__version__, "seed": SEED, "cases": cases}
    (OUT / "bitmask.json").write_text(json.dumps(head, indent=1) + "\n")


if __name__ == "__main__":
    main()
