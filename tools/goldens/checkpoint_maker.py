"""Tiny random checkpoints whose every part matters, and the proof that it does.

A case (see architecture_cases.py) is a config.json as it is found in the wild, scaled down. `make()` fills
the model that `transformers` builds from it with seeded random weights, writes it in Hugging Face
layout, reads it back as a user would, records what it computes in FP32, and then damages one part
at a time: each tensor of the checkpoint (a norm becomes the identity, a bias zero, a matrix zero)
and each configuration key that the case names. A part whose loss moves the logits by less than
ten tolerances could be forgotten by an implementation without a test noticing: then the case fails.
"""

import copy
import dataclasses
import json
import pathlib
import re
import tempfile
import zlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

TOLERANCE = 1e-3  # of the largest |logit|; what the tests of the engine allow
NEEDED = 10 * TOLERANCE  # the least shift that losing a part must cause
LONG, SHORT = 33, 7  # tokens of the two sequences; longer than any window here
DELETED = "deleted"  # a key of the base that a case does not have
HIDDEN_FEATURES = 8  # of each token and layer that are kept, to find the first wrong layer


@dataclasses.dataclass
class Case:
    name: str
    config: dict  # config.json
    dtype: str = "BF16"  # how the weights are stored: F32, F16, BF16
    spelling: str = "hub"  # hub: the file is `config` itself; new: as transformers writes it today
    # Gains of the weights by the first pattern that matches: std = gain / sqrt(inputs).
    gains: dict = dataclasses.field(default_factory=dict)
    # What must matter: a name and the keys that change.
    mutations: dict = dataclasses.field(default_factory=dict)
    # Tensors that mathematically cannot matter, with the reason.
    indifferent: dict = dataclasses.field(default_factory=dict)
    shard: str | None = None  # the largest shard
    original_format: bool = True  # False: experts fused in 3-D tensors, as they lie in memory
    # Edits the dict of stored tensors: other names, tensors that nobody needs.
    edit: object = None
    # Changes of config.json after the golden is made: spellings that transformers 5 no longer
    # reads, keys that change nothing but stop this script.
    respelled: dict = dataclasses.field(default_factory=dict)
    # Falcon's eager attention adds ALiBi twice in transformers 5.23: there the default counts.
    attention: str = "eager"
    long: int = LONG  # tokens of the first sequence
    prove: bool = True  # that every part matters
    peak: float = 0.3  # the least mean of the largest attention weight of a row


def family(base: dict, mutations: dict, **common):
    """A maker of cases that differ from `base` in some keys."""

    def case(name: str, changes: dict | None = None, more: dict | None = None, **kwargs) -> Case:
        config = {k: v for k, v in {**base, **(changes or {})}.items() if v != DELETED}
        options = {**common, **kwargs}
        more = {**(more or {}), **options.pop("mutations", {})}
        return Case(name, config, mutations={**mutations, **more}, **options)

    return case


# Query and key weights are larger, so that attention is peaked and positions matter.
GAINS = {
    r"q_proj|k_proj|query_key_value|qkv_proj|c_attn": 1.7,
    r"embed_positions|wpe": 0.5,
    r"embed|wte|word_embeddings": 1.0,
}


def seed_of(name: str) -> int:
    return zlib.crc32(name.encode())


def is_norm(module) -> bool:
    return "norm" in type(module).__name__.lower()


def centred_on_one(module) -> bool:
    """Whether the norm multiplies by 1 + weight (Gemma)."""
    return bool(re.match(r"Gemma\d*RMSNorm", type(module).__name__))


def owners(model):
    """Yields (name, owning module, parameter), every parameter once."""
    seen = set()
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{prefix}.{name}" if prefix else name, module, parameter


def fill(model, case: Case) -> None:
    generator = torch.Generator().manual_seed(seed_of(case.name))
    store = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[case.dtype]

    def normal(parameter, std):
        return torch.randn(parameter.shape, generator=generator) * std

    for name, module, parameter in owners(model):
        gain = next((g for p, g in {**case.gains, **GAINS}.items() if re.search(p, name)), 1.0)
        if parameter.dim() == 1 and is_norm(module) and name.endswith("weight"):
            value = (torch.rand(parameter.shape, generator=generator) + 0.5) * gain
            value = value - 1 if centred_on_one(module) else value
        elif is_norm(module) and name.endswith("weight"):  # a row of weights a head
            value = (torch.rand(parameter.shape, generator=generator) + 0.5) * gain
        elif parameter.dim() == 1:
            value = normal(parameter, 0.4 * gain)
        elif isinstance(module, torch.nn.Embedding):
            value = normal(parameter, gain)
        elif type(module).__name__ == "Conv1D":
            value = normal(parameter, gain / parameter.shape[0] ** 0.5)
        else:
            value = normal(parameter, gain / parameter.shape[-1] ** 0.5)
        parameter.data.copy_(value.to(store).float())


def read_model(directory, attention):
    """The model as a user of transformers would load it, in FP32."""
    model = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation=attention,
        experts_implementation="eager")
    return model.eval()


def by_default(directory, tokens):
    """Logits with the attention that transformers takes by itself."""
    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, experts_implementation="eager").eval()
        return model(torch.tensor([tokens]), use_cache=False).logits[0]


@torch.no_grad()
def run(model, tokens):
    eager = model.config._attn_implementation == "eager"
    out = model(torch.tensor([tokens]), output_hidden_states=True, output_attentions=eager,
                use_cache=False)
    hidden = torch.stack([h[0, :, :HIDDEN_FEATURES] for h in out.hidden_states])
    peaks = [a[0].max(-1).values.mean().item() for a in out.attentions or ()]
    return out.logits[0].float(), hidden, min(peaks, default=1.0)


def shift(logits, reference) -> float:
    return ((logits - reference).abs().max() / reference.abs().max()).item()


def build_from(config: dict, attention: str):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
        parsed = AutoConfig.from_pretrained(folder)
    return AutoModelForCausalLM.from_config(
        parsed, attn_implementation=attention, experts_implementation="eager").eval().float()


def perturbed(model):
    """Each weight off by some 1e-5 of itself: shows near ties of a router and the like."""
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(1)
    for _, _, parameter in owners(model):
        parameter.data.mul_(1 + 1e-5 * torch.randn(parameter.shape, generator=generator))
    return model


def damage_tensors(model, case: Case, tokens, reference) -> dict:
    """Shift of the logits when one tensor is made neutral, for each."""
    shifts = {}
    for name, module, parameter in owners(model):
        kept = parameter.data.clone()
        identity = 0.0 if centred_on_one(module) else 1.0
        neutral = identity if is_norm(module) and name.endswith("weight") else 0.0
        for part, rows in parts(name, module, parameter):
            parameter.data[rows] = neutral
            shifts[part] = shift(run(model, tokens)[0], reference)
            parameter.data.copy_(kept)
    return shifts


def parts(name, module, parameter):
    """Rows of a parameter that are damaged together: an expert each when there are several."""
    if parameter.dim() == 3:
        return [(f"{name}[{e}]", slice(e, e + 1)) for e in range(parameter.shape[0])]
    return [(name, slice(None))]


def damage_config(model, case: Case, tokens, reference) -> dict:
    """Shift of the logits when configuration keys change and the weights stay."""
    shifts = {}
    for name, change in case.mutations.items():
        config = copy.deepcopy(case.config)
        for key, value in change.items():
            config[key] = value
        other = build_from(config, case.attention)
        other.load_state_dict(model.state_dict(), strict=False)
        shifts[name] = shift(run(other, tokens)[0], reference)
    return shifts


def write_checkpoint(model, case: Case, folder: pathlib.Path) -> None:
    store = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[case.dtype]
    stored = copy.deepcopy(model).to(store)
    stored.config.dtype = store
    stored.save_pretrained(folder, max_shard_size=case.shard or "1GB",
                           save_original_format=case.original_format)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if case.edit:
        path = folder / "model.safetensors"
        save_file(case.edit(load_file(path)), path, metadata={"format": "pt"})
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    if case.spelling == "hub":
        kind = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[case.dtype]
        config = {"architectures": [type(model).__name__], **case.config, "torch_dtype": kind}
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def token_sequences(case: Case) -> list:
    rng = np.random.default_rng(seed_of(case.name))
    vocabulary = case.config["vocab_size"]
    return [rng.integers(3, vocabulary, n).tolist() for n in (case.long, SHORT)]


def make(case: Case, root: pathlib.Path) -> dict:
    """Writes the checkpoint and its golden; returns its entry of the manifest."""
    folder = root / case.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.rglob("*.*"):
        old.unlink()
    model = build_from(case.config, case.attention)
    fill(model, case)
    tokens = token_sequences(case)
    in_memory, _, _ = run(model, tokens[0])
    write_checkpoint(model, case, folder)

    model = read_model(folder, case.attention)
    results = [run(model, t) for t in tokens]
    logits, hidden, peak = results[0]
    problems = []
    if shift(logits, in_memory) > 1e-6:
        problems.append("the written checkpoint computes something else than the model in memory")
    if shift(by_default(folder, tokens[0]), logits) > 1e-5:
        problems.append("transformers computes something else with its default attention")
    exact = run(copy.deepcopy(model).double(), tokens[0])[0]
    noise = shift(exact.float(), logits)
    if noise > TOLERANCE / 20:
        problems.append(f"ill-conditioned: FP32 differs from FP64 by {noise:.1e}")
    wobble = shift(run(perturbed(model), tokens[0])[0], logits)
    if wobble > TOLERANCE:
        problems.append(f"ill-conditioned: weights off by 1e-5 move the logits by {wobble:.1e}")
    if peak < case.peak:
        problems.append(f"attention is flat: the mean largest weight is {peak:.2f} in some layer")

    changes = {"tensors": damage_tensors(model, case, tokens[0], logits) if case.prove else {},
               "config": damage_config(model, case, tokens[0], logits)}
    for kind, shifts in changes.items():
        for part, value in shifts.items():
            excuse = next((why for p, why in case.indifferent.items() if re.search(p, part)), None)
            if value < NEEDED and not excuse:
                problems.append(f"{part} does not matter: logits move by {value:.1e} of their largest")

    golden = folder / "golden"
    golden.mkdir(exist_ok=True)
    for i, (sequence, result) in enumerate(zip(tokens, results)):
        np.save(golden / f"tokens_{i}.npy", np.array(sequence, dtype=np.int32))
        np.save(golden / f"logits_{i}.npy", result[0].numpy().astype("<f4"))
    np.save(golden / "hidden_0.npy", hidden.numpy().astype("<f4"))
    if case.respelled:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **case.respelled}, indent=1))
        try:
            if shift(by_default(folder, tokens[0]), logits) > 1e-5:
                problems.append("the other spelling computes something else")
        except KeyError as error:
            print(f"  {case.name}: transformers cannot read the other spelling: {error}")
    weakest = {kind: min(s.items(), key=lambda x: x[1]) for kind, s in changes.items() if s}
    return {
        "architecture": type(model).__name__,
        "stored": case.dtype,
        "spelling": case.spelling,
        "seed": seed_of(case.name),
        "attention": case.attention,
        "attention_peak": round(peak, 3),
        "fp32_noise": float(f"{noise:.1e}"),
        "largest_logit": round(logits.abs().max().item(), 3),
        "config_shifts": {k: float(f"{v:.2g}") for k, v in changes["config"].items()},
        "weakest_tensor": [weakest["tensors"][0], float(f"{weakest['tensors'][1]:.2g}")]
        if case.prove else [],
        "indifferent": case.indifferent,
        "problems": problems,
    }
