"""An artefact of Farthing as the unmodified compressed-tensors package reads it.

    python tools/goldens/make_artefact.py --farthing build/release/bin/farthing     (makes the golden)
    python tools/goldens/make_artefact.py --check ARTEFACT --floats DIRECTORY       (checks any other)

The golden is an artefact of a tiny checkpoint with several schemes, and the SHA-256 of every matrix's
FP32 numbers after decompression, scales taken as FP32. --check compares an artefact bit for bit with
`farthing convert ARTEFACT DIRECTORY --dtype fp32`.
Made with compressed-tensors 0.20.0 and torch 2.13.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess

import compressed_tensors
import torch
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationConfig
from compressed_tensors.utils.match import match_name
from safetensors import safe_open

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/artefact"
SOURCE = ROOT / "tests/golden/architectures/llama-gqa"
RECIPE = """\
layers:
  - {match: "re:.*", scheme: w4g16}
  - {match: "re:.*q_proj$", scheme: w3g16-asym}
  - {match: "re:.*k_proj$", scheme: w8a8}
  - {match: "re:.*v_proj$", scheme: w5c-asym}
  - {match: "re:.*1.mlp.up_proj$", scheme: fp16}
  - {match: model.layers.0.mlp.down_proj, scheme: w8g16}
  - {match: lm_head, scheme: w6g16-asym}
  - {match: model.embed_tokens, scheme: w8c}
"""


def read_tensors(directory):
    tensors = {}
    for path in sorted(pathlib.Path(directory).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                tensors[name] = file.get_tensor(name)
    return tensors


def scheme_of(config, name, torch_class):
    """As the package chooses: exact names, then expressions, then classes; None where ignored."""
    if any(match_name(name, ignored) for ignored in config.ignore):
        return None
    groups = config.config_groups.values()
    for wanted in (lambda t: not t.startswith("re:") and t == name,
                   lambda t: t.startswith("re:") and match_name(name, t),
                   lambda t: t == torch_class):
        for group in groups:
            if any(wanted(target) for target in group.targets):
                return group
    return None


def decompress(directory):
    """Every matrix of an artefact as FP32, by name; what is not compressed as it is."""
    config = json.loads((pathlib.Path(directory) / "config.json").read_text())
    quantization = QuantizationConfig.model_validate(config["quantization_config"])
    modules = {}
    for name, tensor in read_tensors(directory).items():
        base, _, part = name.rpartition(".")
        modules.setdefault(base, {})[part] = tensor
    weights = {}
    for base, parts in modules.items():
        if "weight_scale" not in parts:
            weights.update({f"{base}.{part}": tensor.float() for part, tensor in parts.items()})
            continue
        torch_class = "Embedding" if base.endswith("embed_tokens") else "Linear"
        scheme = scheme_of(quantization, base, torch_class)
        parts["weight_scale"] = parts["weight_scale"].float()
        reader = BaseCompressor.get_value_from_registry(scheme.format or quantization.format)
        weights[base + ".weight"] = reader.decompress(parts, scheme)["weight"]
    return weights


def make(farthing):
    shutil.rmtree(GOLDEN, ignore_errors=True)
    recipe = GOLDEN.parent / "artefact.yaml"
    recipe.write_text(RECIPE)
    subprocess.run([farthing, "compress", SOURCE, GOLDEN, "--recipe", recipe, "--quiet"], check=True)
    recipe.unlink()
    numbers = {name: hashlib.sha256(weight.contiguous().numpy().tobytes()).hexdigest()
               for name, weight in sorted(decompress(GOLDEN).items())}
    versions = {"compressed-tensors": compressed_tensors.__version__, "torch": torch.__version__}
    golden = {"made_by": "tools/goldens/make_artefact.py", "versions": versions,
              "source": str(SOURCE.relative_to(ROOT)), "sha256_of_fp32": numbers}
    (GOLDEN / "decompressed.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{GOLDEN.relative_to(ROOT)}: {len(numbers)} matrices")


def check(artefact, floats):
    wanted, found = decompress(artefact), read_tensors(floats)
    assert sorted(wanted) == sorted(found), set(wanted) ^ set(found)
    for name, weight in wanted.items():
        assert found[name].dtype == torch.float32, name
        same = torch.equal(weight.contiguous().view(torch.int32), found[name].view(torch.int32))
        assert same, f"{name}: differs from what compressed-tensors reads"
    print(f"{artefact}: {len(wanted)} tensors are equal bit for bit")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--farthing")
    arguments.add_argument("--check")
    arguments.add_argument("--floats")
    options = arguments.parse_args()
    if options.check:
        check(options.check, options.floats)
    else:
        make(options.farthing)
