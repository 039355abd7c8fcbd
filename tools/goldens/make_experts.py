#!/usr/bin/env python3
"""Makes tests/golden/experts: how REAP (Lasby et al., 2025, arXiv 2510.13999) scores the experts of
tiny mixtures. What enters each mixture is transformers'; the score is the paper's formula in numpy
and FP64: the mean over the tokens routed to an expert of its router weight times the length of its
output.

    python tools/goldens/make_experts.py          (torch, transformers; CPU only)
"""
import json
import pathlib

import numpy as np
import torch
import transformers

SEED, SAMPLES, LENGTH = 9, 4, 24
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"
MODELS = ["mixtral", "mixtral-fused-experts-new", "qwen3-moe", "qwen3-moe-plain-probabilities",
          "qwen3-moe-mlp-only-layers"]


def scores_of(block, x, per_token, normalize):
    numbers = lambda t: t.detach().double().numpy()
    router, wide, down = (numbers(t) for t in (block.gate.weight, block.experts.gate_up_proj,
                                               block.experts.down_proj))
    logits = x @ router.T
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    sums, counts = np.zeros(len(router)), np.zeros(len(router))
    for token, p in zip(x, probabilities):
        best = np.argsort(-p, kind="stable")[:per_token]
        for e in best:
            gate, up = np.split(wide[e] @ token, 2)
            out = down[e] @ (gate / (1 + np.exp(-gate)) * up)
            sums[e] += p[e] / (p[best].sum() if normalize else 1) * np.linalg.norm(out)
            counts[e] += 1
    return np.where(counts > 0, sums / np.maximum(counts, 1), 0).tolist()


def main():
    rng = np.random.default_rng(SEED)
    samples = rng.integers(3, 100, (SAMPLES, LENGTH))
    cases = {}
    for name in MODELS:
        model = transformers.AutoModelForCausalLM.from_pretrained(GOLDEN / "architectures" / name,
                                                                  dtype=torch.float32)
        model.eval()
        config = model.config
        layers = []
        for layer in model.model.layers:
            block = getattr(layer, "block_sparse_moe", None) or layer.mlp
            if not hasattr(block, "experts"):
                layers.append([])
                continue
            seen = []
            hook = block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
            with torch.no_grad():
                model(torch.from_numpy(samples))
            hook.remove()
            x = seen[0].double().numpy().reshape(-1, seen[0].shape[-1])
            normalize = getattr(config, "norm_topk_prob", True)
            layers.append(scores_of(block, x, config.num_experts_per_tok, normalize))
        cases[name] = layers
    out = GOLDEN / "experts"
    out.mkdir(exist_ok=True)
    head = {"made_by": "tools/goldens/make_experts.py", "torch": torch.__version__,
            "transformers": transformers.__version__, "numpy": np.__version__, "seed": SEED,
            "samples": samples.tolist(), "scores": cases}
    (out / "experts.json").write_text(json.dumps(head) + "\n")


if __name__ == "__main__":
    main()
