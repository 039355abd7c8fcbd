#!/usr/bin/env python3
"""Quality of Farthing's compression beside llama.cpp's imatrix quantisation, at equal bytes.

    pip install llama-cpp-python gguf numpy torch transformers

    compare_quality.py FARTHING MODEL --text EVAL.txt --calibration DATA.txt --types Q3_K_M,Q4_K_M,Q5_K_M
    compare_quality.py FARTHING MODEL --text EVAL.txt --imatrix smollm2.imatrix.gguf --types Q4_K_M

llama.cpp quantises a BF16 GGUF of the model by its own code, with an importance matrix: the one given,
or the mean square of each linear's inputs over 200 windows of 512 tokens of the calibration text, which
is what llama-imatrix collects. Each file, and each of our artefacts, is then measured by

    farthing eval FILE --reference MODEL --convention llama.cpp --windows 40

With --work DIR what is measured is kept there, and a run that was stopped goes on. For each type the best of
our candidates that takes no more bytes (of all tensors) stands beside it,
with the ratio of KL divergences, for every calibration seed. Candidates are recipes of the table below, and GGUF
files whose every tensor has the type that llama.cpp gave it ("the types of Q4_K_M"): the same bytes in the same
places, other codes.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
FLOATS = ("F32", "F16", "BF16")


def run(farthing, *arguments):
    command = [str(farthing), *map(str, arguments), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")


def importance_of(model, text, windows, context):
    """Mean x^2 of each linear's inputs, by llama.cpp's names."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(model)(text, return_tensors="pt").input_ids[0]
    sums, counts = {}, {}

    def watch(name):
        def hook(_module, inputs):
            x = inputs[0].reshape(-1, inputs[0].shape[-1]).double()
            sums[name] = sums.get(name, 0) + (x * x).sum(0)
            counts[name] = counts.get(name, 0) + len(x)
        return hook

    for name, module in network.named_modules():
        for suffix, ours in NAMES.items():
            if name.endswith(suffix):
                layer = name.split(".layers.")[1].split(".")[0]
                module.register_forward_pre_hook(watch(f"blk.{layer}.{ours}.weight"))
    with torch.no_grad():
        for w in range(min(windows, len(ids) // context)):
            network(ids[None, w * context:(w + 1) * context])
    return {name: (total / counts[name]).float().numpy() for name, total in sums.items()}


def read_importance(path):
    import gguf
    import numpy as np
    tensors = {t.name: np.array(t.data).reshape(-1) for t in gguf.GGUFReader(path).tensors}
    return {name[:-len(".in_sum2")]: (sums / tensors[name[:-len(".in_sum2")] + ".counts"][0]).astype(np.float32)
            for name, sums in tensors.items() if name.endswith(".in_sum2")}


def quantise(source, target, kind, importance, threads):
    import ctypes
    import llama_cpp
    import numpy as np
    kept = {name: np.ascontiguousarray(values, np.float32) for name, values in importance.items()}
    rows = (llama_cpp.llama_model_imatrix_data * (len(kept) + 1))()  # ends with a null name
    for row, (name, values) in zip(rows, kept.items()):
        row.name, row.size = name.encode(), len(values)
        row.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread, params.ftype = threads, getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    params.imatrix = ctypes.cast(rows, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)):
        sys.exit(f"llama.cpp could not make {kind}")


def types_of(path):
    """The type of every matrix, by the checkpoint's names."""
    import gguf
    ours = {theirs: name for name, theirs in NAMES.items()}
    ends = {"output": "lm_head", "token_embd": "model.embed_tokens"}
    types = {}
    for tensor in gguf.GGUFReader(path).tensors:
        base, kind = tensor.name.removesuffix(".weight"), tensor.tensor_type.name
        _, layer, name = base.split(".") if base.startswith("blk.") else ("", "", base)
        if name in ends:
            types[ends[name]] = kind
        elif name in ours:
            types[f"model.layers.{layer}.{ours[name]}"] = kind
    return types


def recipe_of(types, method):
    """Rules that give each matrix its type; what Farthing only reads becomes the type of its size that it writes."""
    written = {"IQ4_NL": "q4_0"}
    rules = [f'  - {{match: {name}, scheme: {written.get(kind, kind).lower()}}}'
             for name, kind in types.items() if kind not in FLOATS]
    steps = {"gptq": "gptq", "gptaq": "gptq: {asymmetric_calibration: 0.25}", "rtn": "rtn: {importance: activations}"}
    return "layers:\n" + "\n".join(rules) + "\nsteps:\n" + "".join(
        f"  - {steps.get(step, step)}\n" for step in method.split("+"))


def measure(options, path, work):
    report = work / "eval.json"
    run(options.farthing, "eval", path, "--reference", options.model, "--text", options.text,
        "--convention", "llama.cpp", "--context", options.context, "--windows", options.windows,
        "--json", report)
    result = json.loads(report.read_text())
    text = next(iter(result["texts"].values()))
    return {"bytes": result["weights_bytes"], "kld": text["kld"]["mean"], "stderr": text["kld"]["stderr"],
            "top1": text["top1_agreement"], "perplexity": text["perplexity"]}


def candidates(options):
    """(name, arguments of compress): schemes of blocks and ends around what llama.cpp's mixes take.
    "w4g64+w6g64=0.2": the costliest fifth of the blocks' weights has the second scheme."""
    for blocks in filter(None, options.schemes.split(",")):
        scheme, _, fallback = blocks.partition("+")
        for ends in options.ends.split(","):
            yield f"{blocks}, ends {ends}", [
                "--scheme", scheme, "--head", ends, "--embedding", ends, "--activations", options.activations,
                "--method", options.method, *(["--fallback", fallback] if fallback else [])]


def same_types(options, results, work):
    for kind, types in results["types"].items():
        recipe = work / f"{kind}.yaml"
        recipe.write_text(recipe_of(types, options.method))
        yield f"the types of {kind}", ["--recipe", recipe]


def line(*cells):
    print("{:<30} {:>12} {:>11} {:>10} {:>8} {:>11} {:>9}".format(*cells), flush=True)


def show(name, rows, peer=None):
    kld = [row["kld"] for row in rows]
    spread = f" +-{statistics.stdev(kld):.5f}" if len(kld) > 1 else ""
    ratio = "" if peer is None else f"{statistics.mean(kld) / peer['kld']:.3f}"
    line(name, rows[0]["bytes"], f"{statistics.mean(kld):.5f}{spread}", f"{rows[0]['stderr']:.5f}",
         f"{100 * statistics.mean(r['top1'] for r in rows):.2f}",
         f"{statistics.mean(r['perplexity'] for r in rows):.4f}", ratio)


def make_peers(options, work, results, keep):
    kinds = [kind for kind in options.types.split(",") if kind not in results["llama.cpp"]]
    if not kinds:
        return
    if options.imatrix:
        importance = read_importance(options.imatrix)
    else:
        importance = importance_of(options.model, pathlib.Path(options.calibration).read_text(), 200,
                                   options.length)
    run(options.farthing, "convert", options.model, work / "bf16.gguf", "--type", "bf16", "--force")
    for kind in kinds:
        quantise(work / "bf16.gguf", work / f"{kind}.gguf", kind, importance, options.threads)
        results["llama.cpp"][kind] = measure(options, work / f"{kind}.gguf", work)
        results["types"][kind] = types_of(work / f"{kind}.gguf")
        keep()
        (work / f"{kind}.gguf").unlink()


def compare(options, work):
    kept = work / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {"llama.cpp": {}, "farthing": {}, "types": {}}

    def keep():
        kept.write_text(json.dumps(results))

    line("", "bytes", "KL", "stderr", "top-1 %", "perplexity", "KL ratio")
    make_peers(options, work, results, keep)
    for kind, row in results["llama.cpp"].items():
        show(f"llama.cpp {kind}", [row])
    data = ["--text", options.calibration] if options.calibration else []
    for name, arguments in [*same_types(options, results, work), *candidates(options)]:
        out = work / ("ours.gguf" if "--recipe" in arguments or "_" in arguments[1] else "ours")
        name = f"{options.method} {name}"
        rows = results["farthing"].setdefault(name, [])
        for seed in options.seeds.split(",")[len(rows):]:
            run(options.farthing, "compress", options.model, out, "--no-portable", "--force", "--samples",
                options.samples, "--length", options.length, "--seed", seed, *data, *arguments)
            rows.append(measure(options, out, work))
            keep()
        show(name, rows)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("farthing", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--text", required=True, help="evaluation text")
    parser.add_argument("--calibration", help="text for both; ours takes its built-in one without")
    parser.add_argument("--imatrix", help="llama.cpp's importance file instead of computing one")
    parser.add_argument("--types", default="Q3_K_M,Q4_K_M,Q5_K_M")
    parser.add_argument("--schemes", default="w3g32,w3g32+w5g64=0.2,w4g64,w4g32,w4g64+w6g64=0.2,w4g32+w6g64=0.2,w5g64,w5g32")
    parser.add_argument("--ends", default="w6g64,w8g64", help="schemes of head and embedding; one where they are tied")
    parser.add_argument("--method", default="gptaq")
    parser.add_argument("--activations", default="int16", help="of ours; GGUF files run in int16 too")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=pathlib.Path, help="keep results here and go on with them")
    parser.add_argument("--json", help="all numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or pathlib.Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        results = compare(options, work)
    print("\nat no more bytes than llama.cpp's:")
    line("", "bytes", "KL", "stderr", "top-1 %", "perplexity", "KL ratio")
    for kind, peer in results["llama.cpp"].items():
        fitting = {n: r for n, r in results["farthing"].items() if r[0]["bytes"] <= peer["bytes"]}
        show(f"llama.cpp {kind}", [peer])
        if fitting:
            best = min(fitting, key=lambda n: statistics.mean(row["kld"] for row in fitting[n]))
            show("  " + best, fitting[best], peer)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
