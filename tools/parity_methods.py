#!/usr/bin/env python3
"""SmoothQuant, AWQ, GPTQ and GPTAQ written again in numpy, double precision, from the papers, and held to
what farthing makes of the first block of a model: scales and output errors to 1e-4.

    parity_methods.py FARTHING MODEL [--samples 4] [--length 128]

The calibration samples are random tokens, passed as ids. Linears run in FP32 and keys and values in FP16, as
they do in farthing with `activations: fp32`. Inputs of later linears are computed through farthing's own
rounded weights of earlier ones, so that each comparison is of one method at one place. Ranges are min-max.

GPTQ's sweep in FP32 and in double now and then rounds a weight that lies between two codes to different sides,
after which the rest of that row goes another way. So all rows are checked code by code: numpy takes the code that
farthing took, goes on from there, and says how far beyond half a step any of farthing's codes lies from numpy's
weight. That must be below 1e-4 of a step, for every weight of every row; rows that never came to such a tie must
have the same output error to 1e-4.
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

from unpack_quantized import matrices, tensors_of

ATTENTION, MLP = "model.layers.0.self_attn.", "model.layers.0.mlp."


class Net:
    """The first block of a Llama, one sample at a time."""

    def __init__(self, directory, weights=None):
        self.config = json.loads((pathlib.Path(directory) / "config.json").read_text())
        tensors = tensors_of(pathlib.Path(directory))
        self.w = {n[:-7]: t.astype(np.float64) for n, t in tensors.items() if n.endswith(".weight")}
        self.w.update({n: m.astype(np.float64) for n, m in (weights or {}).items()})

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.config["rms_norm_eps"]) * self.w[name]

    def rope(self, x):
        tokens, _, width = x.shape
        base = self.config.get("rope_theta") or self.config["rope_parameters"]["rope_theta"]
        angle = np.arange(tokens)[:, None] * base ** (-np.arange(0, width, 2) / width)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a, b = x[..., :width // 2], x[..., width // 2:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def inputs(self, ids):
        """What enters q, o, gate and down."""
        c, w = self.config, self.w
        heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
        x = w["model.embed_tokens"][ids]
        a = self.norm(x, "model.layers.0.input_layernorm")
        q, k, v = (a @ w[ATTENTION + f"{n}_proj"].T for n in "qkv")
        q, k = self.rope(q.reshape(len(ids), heads, -1)), self.rope(k.reshape(len(ids), kv, -1))
        k, v = k.astype(np.float16).astype(np.float64), v.reshape(k.shape).astype(np.float16).astype(np.float64)
        k, v = (np.repeat(t, heads // kv, 1) for t in (k, v))
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(q.shape[-1])
        scores = np.where(np.tril(np.ones(scores.shape[1:], bool)), scores, -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        o = np.einsum("hts,shd->thd", p / p.sum(-1, keepdims=True), v).reshape(len(ids), -1)
        x = x + o @ w[ATTENTION + "o_proj"].T
        m = self.norm(x, "model.layers.0.post_attention_layernorm")
        gate, up = m @ w[MLP + "gate_proj"].T, m @ w[MLP + "up_proj"].T
        return {"q": a, "o": o, "gate": m, "down": gate / (1 + np.exp(-gate)) * up}


def write_floats(model, directory):
    """The model with all numbers in FP32, so that no fold is rounded to BF16."""
    directory.mkdir()
    for path in pathlib.Path(model).glob("*.json"):
        if "index" not in path.name:
            (directory / path.name).write_bytes(path.read_bytes())
    header, at, tensors = {}, 0, tensors_of(pathlib.Path(model))
    for name, numbers in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(numbers.shape), "data_offsets": [at, at + 4 * numbers.size]}
        at += 4 * numbers.size
    head = json.dumps(header).encode()
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for numbers in tensors.values():
            file.write(np.ascontiguousarray(numbers, np.float32).tobytes())


STAGE = {"q": [ATTENTION + f"{n}_proj" for n in "qkv"], "o": [ATTENTION + "o_proj"],
         "gate": [MLP + "gate_proj", MLP + "up_proj"], "down": [MLP + "down_proj"]}
ORDER = ["q", "o", "gate", "down"]
BITS, GROUP = 4, 32


def stack(net, samples):
    runs = [net.inputs(ids) for ids in samples]
    return {stage: np.concatenate([run[stage] for run in runs]) for stage in ORDER}


def scales_of(w, group, bits):
    """Full range, signed: the largest of a group lies at -2^(bits-1); FP16."""
    parts = w.reshape(len(w), -1, group)
    low, high = parts.min(-1), parts.max(-1)
    longest = np.where(-low > high, low, high)  # of two that are as long, the positive one
    return (longest / -2.0 ** (bits - 1)).astype(np.float16).astype(np.float64)


def codes_of(w, scale, bits):
    half = 2 ** (bits - 1)
    return np.clip(np.rint(w / scale), -half, half - 1)


def nearest(w, group, bits):
    s = np.repeat(scales_of(w, group, bits), group, 1)
    return codes_of(w, s, bits) * s


def gptq(w, x, x_float, group, bits, alpha, taken):
    """In the order of falling energy, grids fixed before; equations 2 and 3 of GPTQ, and GPTAQ's term. taken: the
    rounded weights of farthing. Returns numpy's own, and how many steps beyond half of one farthing's codes are
    from the weights that come when each row follows them."""
    h = x.T @ x / len(x)
    order = np.argsort(-np.diag(h), kind="stable")
    s = np.repeat(scales_of(w, group, bits), group, 1)[:, order]
    h = h[np.ix_(order, order)] + 0.01 * np.diag(h).mean() * np.eye(len(h))
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    pull = np.zeros_like(u)
    if alpha:
        d = ((x_float - x).T @ x / len(x))[np.ix_(order, order)]
        pull = alpha * np.triu(d @ u.T, 1) @ u
        pull = np.triu(pull, 1)

    def sweep(choose):
        left, out = w[:, order].copy(), np.empty_like(w)
        for i in range(w.shape[1]):
            q = choose(i, left[:, i])
            out[:, order[i]] = q
            error, was = (left[:, i] - q) / u[i, i], left[:, i].copy()
            left[:, i + 1:] += np.outer(was, pull[i, i + 1:]) - np.outer(error, u[i, i + 1:])
        return out

    beyond = np.zeros(w.shape)

    def follow(i, weights):
        half, code = 2 ** (bits - 1), np.rint(taken[:, order[i]] / s[:, i])
        beyond[:, i] = np.abs(np.clip(weights / s[:, i], -half, half - 1) - code) - 0.5
        return code * s[:, i]

    sweep(follow)
    return sweep(lambda i, weights: codes_of(weights, s[:, i], bits) * s[:, i]), beyond.max()


def output_error(w, made, x):
    return np.square((w - made) @ x.T).sum() / np.square(w @ x.T).sum()


class Report:
    def __init__(self):
        self.failed = False

    def line(self, name, ours, theirs, limit=1e-4):
        relative = abs(ours - theirs) / max(abs(theirs), 1e-30)
        self.failed |= not relative <= limit
        print(f"{name:<46} {ours:.8e} {theirs:.8e} {relative:.1e}{'' if relative <= limit else '  FAILED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("farthing")
    parser.add_argument("model")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--length", type=int, default=128)
    o = parser.parse_args()
    original, report = Net(o.model), Report()
    rng = np.random.default_rng(3)
    samples = [rng.integers(10, original.config["vocab_size"], o.length) for _ in range(o.samples)]
    print(f"{'':<46} {'farthing':<14} {'numpy':<14} relative")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "ids.jsonl").write_text("".join(json.dumps({"ids": s.tolist()}) + "\n" for s in samples))

        write_floats(o.model, work / "model")

        def compress(steps, scheme):
            mode = "" if scheme == "w8a8" else "activations: fp32\n"
            (work / "recipe.yaml").write_text(
                f"calibration: {{text: [{work}/ids.jsonl], samples: {o.samples}, length: {o.length}, "
                f"seed: 1, first_token: 1}}\n"
                f"layers: [{{match: \"re:.*\", scheme: {scheme}}}]\n{mode}kv: fp16\nsteps: {steps}\n")
            done = subprocess.run([o.farthing, "compress", work / "model", work / "out", "--recipe",
                                   work / "recipe.yaml", "--force", "--quiet"], capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            return work / "out"

        floats = stack(original, samples)
        for name, alpha in [("gptq", 0.0), ("gptaq", 0.25)]:
            made = matrices(compress(f"[{{gptq: {{range: minmax, asymmetric_calibration: {alpha}}}}}]",
                                     f"w{BITS}g{GROUP}"))
            done = {}  # farthing's own rounded matrices so far
            for stage in ORDER:
                x = stack(Net(o.model, done), samples)[stage]
                for base in STAGE[stage]:
                    w = original.w[base]
                    numpy_made, beyond = gptq(w, x, floats[stage], GROUP, BITS, alpha, made[base])
                    same = (np.abs(made[base] - numpy_made) < 1e-7).all(1)
                    report.line(f"{name} {base[15:]} output error, {100 * same.mean():.0f} % of rows",
                                output_error(w[same], made[base][same], x),
                                output_error(w[same], numpy_made[same], x))
                    report.line(f"{name} {base[15:]} steps to the codes, all rows", 0.5 + max(beyond, 0), 0.5,
                                limit=2e-4)
                done.update({base: made[base] for base in STAGE[stage]})
        smooth(compress, original, floats, report)
        awq(compress, original, floats, report)
    sys.exit(1 if report.failed else 0)


def folded(directory, original, norm):
    """What a norm was divided by."""
    name = f"model.layers.0.{norm}"
    return original.w[name] / Net(directory).w[name]


def smooth(compress, original, floats, report):
    """s = max|x|^a / max|W|^(1 - a) for q, k, v and gate, up."""
    for alpha in (0.5, 0.8):
        directory = compress(f"[{{smooth: {{alpha: {alpha}, folds: norms, first_token: with}}}}, rtn]", "w8a8")
        for norm, stage in (("input_layernorm", "q"), ("post_attention_layernorm", "gate")):
            peaks = np.max([np.abs(original.w[base]).max(0) for base in STAGE[stage]], 0)
            scales = np.abs(floats[stage]).max(0) ** alpha / np.maximum(peaks, 1e-5) ** (1 - alpha)
            made = folded(directory, original, norm)
            report.line(f"smooth {alpha} {norm} scales", np.abs(made / scales - 1).max() + 1, 1.0)


def awq(compress, original, floats, report):
    """The exponent of 20 whose output error, by the Hessian on 256 rows of each matrix, is least."""
    directory = compress("[{awq: {range: minmax, duo: no}}, {rtn: {range: minmax}}]", f"w{BITS}g{GROUP}")
    for norm, stage in (("input_layernorm", "q"), ("post_attention_layernorm", "gate")):
        x = floats[stage]
        h, magnitude = x.T @ x / len(x), np.abs(x).mean(0)

        def error(scales):
            total = 0.0
            for base in STAGE[stage]:
                w = original.w[base]
                rows = min(len(w), 256)
                part = w[np.arange(rows) * len(w) // rows]
                wrong = nearest(part * scales, GROUP, BITS) / scales - part
                total += ((wrong @ h) * wrong).sum() * len(w) / rows
            return total

        candidates = [np.ones(x.shape[1])]
        for i in range(1, 20):
            scales = np.maximum(magnitude ** (i / 20), 1e-4)
            candidates.append(scales / np.sqrt(scales.max() * scales.min()))
        best = min(candidates, key=error)
        made = folded(directory, original, norm)
        report.line(f"awq {norm} scales", np.abs(made / best - 1).max() + 1, 1.0)


if __name__ == "__main__":
    main()
