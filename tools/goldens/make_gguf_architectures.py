#!/usr/bin/env python3
"""Writes tests/golden/gguf_architectures: tiny GGUF files of each family with transformers' logits.

    python tools/goldens/make_gguf_architectures.py [--only REGEX]

A random checkpoint (checkpoint_maker.py) is converted as llama.cpp's converter does it: other names,
some rows in another order, one added to the norms of Gemma, factors of RoPE as tensors. Whether the
conversion is right is shown by llama.cpp itself, which must compute the logits of transformers up
to its own roundings (its GELU reads a table of FP16; noted in MANIFEST.json).
Needs what make_architectures.py needs, and gguf and llama-cpp-python.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import pathlib
import re
import tempfile

import make_architectures  # first: it sets the environment of transformers

import gguf
import llama_cpp
import numpy as np
import torch
from safetensors.torch import load_file

import checkpoint_maker
from architecture_cases import all_cases
from gguf_conversions import FAMILIES

LOOSEST = 2e-2  # of the largest logit, where llama.cpp approximates GELU; else 1e-4


def gguf_cases():
    """(family, case): sizes where GGUF has no word for them must be what llama.cpp assumes."""
    by_name = {case.name: case for case in all_cases()}
    for family, (name, changes) in FAMILIES.items():
        base = by_name[name]
        config = {**base.config, **changes["config"]}
        yield family, dataclasses.replace(
            base, name=f"gguf-{family}", config=config, spelling="hub", dtype="BF16", edit=None,
            shard=None, respelled={}, mutations={}, peak=0.0, prove=False)


def write_gguf(path, architecture, metadata, tensors, exact=False):
    """Matrices in BF16, or in FP32 where llama.cpp shall not round what they multiply."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in metadata.items():
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32,
               str: writer.add_string}[type(value)]
        add(key if key.startswith(("general.", "tokenizer.")) else f"{architecture}.{key}", value)
    writer.add_string("tokenizer.ggml.model", "no_vocab")
    for name, tensor in tensors.items():
        if exact or tensor.dim() == 1 or "norm" in name or "position" in name or "ffn_gate_inp" in name:
            writer.add_tensor(name, tensor.float().numpy())
        else:
            raw = tensor.to(torch.bfloat16).contiguous().view(torch.int16).numpy().view(np.uint8)
            writer.add_tensor(name, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def logits_of_llama_cpp(path, tokens):
    model = llama_cpp.Llama(str(path), n_ctx=64, n_batch=64, logits_all=True, verbose=False,
                            flash_attn=False, type_k=0, type_v=0, n_threads=1, swa_full=True)
    model.eval(tokens)
    return np.array(model.scores[:len(tokens)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    torch.set_num_threads(1)
    out = make_architectures.ROOT / "tests/golden/gguf_architectures"
    out.mkdir(parents=True, exist_ok=True)
    manifest = out / "MANIFEST.json"
    entries = json.loads(manifest.read_text())["distance_of_llama_cpp"] if manifest.exists() else {}
    bad = 0
    for family, case in gguf_cases():
        if not re.search(args.only, family):
            continue
        with tempfile.TemporaryDirectory() as folder:
            entry = checkpoint_maker.make(case, pathlib.Path(folder))
            if entry["problems"]:
                print(family, entry["problems"])
            source = pathlib.Path(folder) / case.name
            tensors = load_file(source / "model.safetensors")
            config = json.loads((source / "config.json").read_text())
            tokens = np.load(source / "golden/tokens_0.npy")
            logits = np.load(source / "golden/logits_0.npy")
        architecture, metadata, converted = FAMILIES[family][1]["convert"](config, tensors)
        target = out / family
        target.mkdir(exist_ok=True)
        write_gguf(target / "model.gguf", architecture, metadata, converted)
        np.save(target / "tokens.npy", tokens)
        np.save(target / "logits.npy", logits)
        with tempfile.TemporaryDirectory() as folder:
            exact = pathlib.Path(folder) / "exact.gguf"
            write_gguf(exact, architecture, metadata, converted, exact=True)
            theirs = logits_of_llama_cpp(exact, tokens.tolist())
        distance = float(np.abs(theirs - logits).max() / np.abs(logits).max())
        limit = 1e-4 if config.get("hidden_act") == "silu" else LOOSEST
        print(family, f"llama.cpp is off by {distance:.1e}", "" if distance < limit else "BAD",
              flush=True)
        bad += not distance < limit
        entries[family] = float(f"{distance:.1e}")
    manifest.write_text(json.dumps({
        "made_by": "tools/goldens/make_gguf_architectures.py",
        "versions": {name: importlib.metadata.version(name) for name in (
            "torch", "transformers", "gguf", "llama_cpp_python", "numpy")},
        "distance_of_llama_cpp": dict(sorted(entries.items()))}, indent=1) + "\n")
    return bad


if __name__ == "__main__":
    raise SystemExit(main())
