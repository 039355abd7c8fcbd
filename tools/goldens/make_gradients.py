#!/usr/bin/env python3
"""Gradients of the cross entropy, by PyTorch, for the tiny checkpoints of tests/golden/architectures.

A gradient is kept as its norm and eight sums of its numbers with random signs: the mean square of the
differences of such sums is, on average, the square of the difference of the gradients themselves.

usage: make_gradients.py [REPOSITORY]
"""
import json
import pathlib
import sys

import numpy as np
import safetensors
import torch
import transformers

SIGNS = 8


def signs(count, k):
    """+1 or -1 for number i of tensor, sum k: the lowest bit of splitmix64's mixing of both."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint64) + (np.uint64(k + 1) << np.uint64(40))
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return 1.0 - 2.0 * (z & np.uint64(1)).astype(np.float64)


def sketch(gradient):
    numbers = gradient.detach().numpy().astype(np.float64).reshape(-1)  # in the order of the file
    sums = [np.linalg.norm(numbers), *(numbers @ signs(numbers.size, k) for k in range(SIGNS))]
    return [float(f"{number:.8g}") for number in sums]


def case(folder, attention):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                              attn_implementation=attention)
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None  # it would hide the gradient of one row
    model.eval()  # no dropout; gradients flow all the same
    tokens = torch.from_numpy(np.load(folder / "golden/tokens_0.npy").astype(np.int64)).reshape(1, -1)
    logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[0].float(), tokens[0, 1:])
    loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    found = {}
    for shard in sorted(folder.glob("*.safetensors")):
        with safetensors.safe_open(shard, "numpy") as file:
            for name in file.keys():
                for prefix in ("", model.base_model_prefix + ".", "model."):
                    gradient = gradients.get(prefix + name)
                    if gradient is None:
                        continue
                    assert list(gradient.shape) == list(file.get_slice(name).get_shape()), name
                    found[name] = sketch(gradient)
                    break
    return {"loss": float(loss), "tokens": int(tokens.numel()), "gradients": found}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "tests/golden"
    manifest = json.loads((root / "architectures/MANIFEST.json").read_text())["cases"]
    cases = {}
    for folder in sorted((root / "architectures").iterdir()):
        if not folder.is_dir() or "experts" in (folder / "config.json").read_text():
            continue
        print(folder.name, file=sys.stderr)
        try:
            cases[folder.name] = case(folder, manifest[folder.name]["attention"])
        except KeyError as error:  # a spelling of an older transformers, of which another case is
            print(f"  left out: {error}", file=sys.stderr)
    result = {"made_by": "tools/goldens/make_gradients.py",
              "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
              "cases": cases}
    lines = json.dumps(result, indent=None)
    (root / "gradients").mkdir(exist_ok=True)
    (root / "gradients/gradients.json").write_text(
        lines.replace('}, "', '},\n"').replace("], ", "],\n ") + "\n")


main()
