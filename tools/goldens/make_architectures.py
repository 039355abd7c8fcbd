#!/usr/bin/env python3
"""Writes tests/golden/architectures: tiny checkpoints of every architecture with what they compute.

    python tools/goldens/make_architectures.py [--only REGEX] [--out DIR]
    python tools/goldens/make_architectures.py --random 5 --out DIR   # others, of random sizes
    FARTHING_ARCHITECTURES=DIR farthing_model_tests                   # tries them

Needs torch, transformers, safetensors, numpy (versions in MANIFEST.json). Layout of a case:
config.json and model*.safetensors as on the hub; golden/tokens_I.npy (int32), golden/logits_I.npy
(FP32, tokens x vocabulary) for two sequences; golden/hidden_0.npy (FP32, layers + 1, tokens, the
first 8 features): the embedding's and each layer's output for the first sequence, the last one
after the final norm.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy
import torch
import transformers

import architecture_cases
import checkpoint_maker
import random_cases

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose names match")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/golden/architectures")
    parser.add_argument("--random", type=int, default=0, help="this many variants of each case")
    args = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation, wherever it runs
    transformers.utils.logging.disable_progress_bar()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "MANIFEST.json"
    entries = json.loads(path.read_text())["cases"] if path.exists() else {}
    cases = architecture_cases.all_cases()
    if args.random:
        cases = random_cases.cases(cases, args.random)
    failed = 0
    for case in cases:
        if not re.search(args.only, case.name):
            continue
        try:
            entry = checkpoint_maker.make(case, args.out)
        except Exception as error:  # sizes that transformers refuses
            if not args.random:
                raise
            print(f"  skipped {case.name}: {type(error).__name__} {str(error)[:150]}", flush=True)
            shutil.rmtree(args.out / case.name, ignore_errors=True)
            continue
        problems = entry.pop("problems")
        failed += bool(problems)
        print(case.name, "peak", entry["attention_peak"], "noise", entry["fp32_noise"],
              "weakest", *entry["weakest_tensor"], entry["config_shifts"], flush=True)
        for problem in problems:
            print(f"  PROBLEM {case.name}: {problem}", flush=True)
        entries[case.name] = entry
    known = {case.name for case in cases}
    manifest = {
        "made_by": "tools/goldens/make_architectures.py",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "numpy": numpy.__version__},
        "tolerance": checkpoint_maker.TOLERANCE,
        "least_shift": checkpoint_maker.NEEDED,
        "cases": {name: entries[name] for name in sorted(entries) if name in known},
    }
    path.write_text(json.dumps(manifest, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
