#!/usr/bin/env python3
"""Speed of Farthing beside llama.cpp and OpenVINO, alternating in one run, as ratios.

    pip install llama-cpp-python gguf numpy            # llama.cpp, builds from source
    pip install openvino-genai optimum-intel           # OpenVINO, optional

    compare_peers.py --shape tinyllama-1.1b --type q4_0            # random weights
    compare_peers.py --gguf model.gguf --reference HF_DIR --text wiki.test.raw
    compare_peers.py --gguf model.gguf --farthing-model ARTEFACT --openvino IR_DIR ...

Every round runs each program once on the same numbers of tokens, one after the other while the
others are stopped; a ratio is the median over the rounds of neighbours in time. With --reference,
the KL divergence of each program's logits from Farthing's FP32 ones on the same tokens stands
beside its speed: a speed with a worse divergence than the peer's does not count as ahead.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHAPES = {  # hidden, layers, heads, key-value heads, MLP, vocabulary, tied: as `farthing bench --shape`
    "tinyllama-1.1b": (2048, 22, 32, 4, 5632, 32000, False),
    "llama-3.2-1b": (2048, 16, 32, 8, 8192, 128256, True),
    "llama-2-7b": (4096, 32, 32, 32, 11008, 32000, False),
    "smollm2-135m": (576, 30, 9, 3, 1536, 49152, True),
}


# --- random weights as GGUF -------------------------------------------------------------------

def write_random_gguf(path, shape, kind):
    """A Llama of random weights: speed does not depend on what they are."""
    import gguf
    import numpy as np
    hidden, layers, heads, kv_heads, mlp, vocab, tied = SHAPES[shape]
    quant = gguf.GGMLQuantizationType[kind.upper()]
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(8192)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(mlp)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("no_vocab")

    def matrix(name, rows, cols):
        block = rng.uniform(-0.025, 0.025, (64, cols)).astype(np.float32)
        packed = gguf.quants.quantize(block, quant)
        whole = np.tile(packed, ((rows + 63) // 64, 1))[:rows]
        writer.add_tensor(name, whole, raw_dtype=quant)

    def norm(name):
        writer.add_tensor(name, np.ones(hidden, np.float32))

    matrix("token_embd.weight", vocab, hidden)
    norm("output_norm.weight")
    if not tied:
        matrix("output.weight", vocab, hidden)
    kv = hidden // heads * kv_heads
    for layer in range(layers):
        block = f"blk.{layer}."
        norm(block + "attn_norm.weight")
        norm(block + "ffn_norm.weight")
        for name, rows, cols in [("attn_q", hidden, hidden), ("attn_k", kv, hidden),
                                 ("attn_v", kv, hidden), ("attn_output", hidden, hidden),
                                 ("ffn_gate", mlp, hidden), ("ffn_up", mlp, hidden),
                                 ("ffn_down", hidden, mlp)]:
            matrix(block + name + ".weight", rows, cols)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# --- peers, each in a process of its own --------------------------------------------------------

class LlamaCpp:
    name = "llama.cpp"

    def __init__(self, model, threads, length):
        import llama_cpp
        self.api = llama_cpp
        self.llm = llama_cpp.Llama(model, n_ctx=length, n_batch=512, n_ubatch=512, n_threads=threads,
                                   n_threads_batch=threads, verbose=False, logits_all=True)
        self.context = self.llm._ctx.ctx
        self.vocab = self.llm.n_vocab()

    def forget(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def feed(self, tokens):  # logits of the last one only, as generation needs
        array = (self.api.llama_token * len(tokens))(*tokens)
        batch = self.api.llama_batch_get_one(array, len(tokens))
        if self.api.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        self.api.llama_synchronize(self.context)

    def prefill(self, tokens):
        self.forget()
        for first in range(0, len(tokens), 512):
            self.feed(tokens[first:first + 512])

    def step(self, token):
        self.feed([token])

    def logits(self, tokens):
        import numpy as np
        self.llm.reset()
        self.forget()
        self.llm.eval(tokens)
        return np.array(self.llm.scores[:len(tokens)], dtype=np.float32)


class OpenVino:
    """The exported model through the runtime that openvino-genai drives, greedy bookkeeping left out."""
    name = "OpenVINO"

    def __init__(self, model, threads, length):
        import openvino
        core = openvino.Core()
        compiled = core.compile_model(str(Path(model) / "openvino_model.xml"), "CPU",
                                      {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"})
        self.request = compiled.create_infer_request()
        self.inputs = {name for port in compiled.inputs for name in port.get_names()}
        self.past = 0

    def feed(self, tokens):
        import numpy as np
        length = self.past + len(tokens)
        values = {"input_ids": np.array([tokens], np.int64),
                  "attention_mask": np.ones((1, length), np.int64),
                  "position_ids": np.arange(self.past, length, dtype=np.int64)[None],
                  "beam_idx": np.zeros(1, np.int32)}
        result = self.request.infer({k: v for k, v in values.items() if k in self.inputs})
        self.past = length
        return result

    def prefill(self, tokens):
        self.request.reset_state()
        self.past = 0
        self.feed(tokens)

    def step(self, token):
        self.feed([token])

    def logits(self, tokens):
        self.request.reset_state()
        self.past = 0
        return next(iter(self.feed(tokens).values()))[0]


PEERS = {"llama.cpp": LlamaCpp, "OpenVINO": OpenVino}


def serve_peer(name, model, threads, length):
    """Answers a line of JSON on standard input with one on standard output."""
    import numpy as np
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print goes to standard error
    peer = PEERS[name](model, threads, length)
    for line in sys.stdin:
        ask = json.loads(line)
        if "logits" in ask:
            np.save(ask["out"], peer.logits(ask["logits"]))
            answer = {}
        else:
            start = time.perf_counter()
            peer.prefill(ask["prompt"])
            middle = time.perf_counter()
            for token in ask["answer"]:
                peer.step(token)
            end = time.perf_counter()
            answer = {"prefill": len(ask["prompt"]) / (middle - start),
                      "decode": len(ask["answer"]) / (end - middle)}
        print(json.dumps(answer), file=out, flush=True)


class Worker:
    def __init__(self, name, model, threads, length):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve-peer", name, str(model), str(threads), str(length)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, question):
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended; run it by hand: {' '.join(self.process.args)}")
        os.kill(self.process.pid, signal.SIGSTOP)  # its idle threads may spin
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.wait()


# --- Farthing -----------------------------------------------------------------------------------

class Farthing:
    name = "Farthing"

    def __init__(self, binary, arguments, threads):
        self.binary, self.arguments, self.threads = binary, arguments, threads

    def run(self, *arguments):
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr.strip())
        return done.stdout

    def measure(self, prompt, answer):
        result = json.loads(self.run(
            "bench", *self.arguments, "--threads", str(self.threads), "--prompt", str(prompt),
            "--generate", str(answer), "--context", str(prompt), "--repeats", "1", "--json", "-",
            "--quiet"))
        self.result = result
        speeds = {("prefill" if row["test"].startswith("pp") else "decode"):
                  row["tokens_per_s"]["median"] for row in result["rows"]}
        return speeds

    def logits(self, model, tokens, extra=()):
        import numpy as np
        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            self.run("logits", model, "--tokens", ",".join(map(str, tokens)), "--out", file.name,
                     *extra)
            return np.load(file.name)

    def tokenize(self, model, text):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(json.dumps({"text": text}) + "\n")
            file.flush()
            return json.loads(self.run("tokenize", model, "--jsonl", file.name))["ids"]


# --- divergence ---------------------------------------------------------------------------------

def divergence(reference, logits):
    """Mean of KL(reference || model) over the positions."""
    import numpy as np

    def log_softmax(x):
        x = x.astype(np.float64)
        x = x - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    p, q = log_softmax(reference), log_softmax(logits[:, :reference.shape[1]])
    return float((np.exp(p) * (p - q)).sum(axis=1).mean())


def divergences(options, farthing, model, workers):
    import numpy as np
    text = Path(options.text).read_text()[:options.windows * 4096]
    tokens = farthing.tokenize(options.reference, text)
    windows = [tokens[i * 512:(i + 1) * 512] for i in range(options.windows)]
    totals = {}
    for window in windows:
        if len(window) < 512:
            sys.exit(f"--text is too short for {options.windows} windows of 512 tokens")
        reference = farthing.logits(options.reference, window, ("--dtype", "fp32"))
        found = {"Farthing": farthing.logits(model, window)}
        for worker in workers:
            with tempfile.NamedTemporaryFile(suffix=".npy") as file:
                worker.ask({"logits": window, "out": file.name})
                found[worker.name] = np.load(file.name)
        for name, logits in found.items():
            totals.setdefault(name, []).append(divergence(reference, logits))
    return {name: statistics.mean(values) for name, values in totals.items()}


# --- the run ------------------------------------------------------------------------------------

def measure(options, farthing, workers):
    """{program: {phase: [tokens/s a round]}}"""
    prompt = [1 + 7 * i % 29000 for i in range(options.prompt)]
    answer = [3 + 11 * i % 29000 for i in range(options.generate)]
    speeds = {}

    def note(name, found):
        for phase, value in found.items():
            speeds.setdefault(name, {}).setdefault(phase, []).append(value)

    for worker in workers:  # warms up
        worker.ask({"prompt": prompt[:32], "answer": answer[:4]})
    for number in range(options.rounds):
        note("Farthing", farthing.measure(options.prompt, options.generate))
        for worker in workers:
            note(worker.name, worker.ask({"prompt": prompt, "answer": answer}))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    return speeds


def report(options, farthing, speeds, kl):
    machine = farthing.result["machine"]
    row = farthing.result["rows"][0]
    print(f"# {machine['cpu']} | {machine['isa']} | {machine['threads']} threads | "
          f"read {machine['read_gb_s']:.1f} GB/s | prompt {options.prompt}, then {options.generate} "
          f"tokens, {options.rounds} rounds")
    print(f"# Farthing: {row['scheme']}, inputs {row['activations']}, kv {row['kv']}, {row['kernel']}")
    print(f"{'':<10} {'prefill':>9} {'decode':>9} {'KL':>10}   Farthing / it, median (min .. max) of rounds")
    rows = []
    for name, phases in speeds.items():
        ratios = {}
        text = ""
        for phase, values in phases.items():
            pairs = [ours / theirs for ours, theirs in zip(speeds["Farthing"][phase], values)]
            ratios[phase] = {"median": statistics.median(pairs), "min": min(pairs), "max": max(pairs)}
            if name != "Farthing":
                text += (f"  {phase} {statistics.median(pairs):.2f}"
                         f" ({min(pairs):.2f} .. {max(pairs):.2f})")
        if kl and name != "Farthing" and kl["Farthing"] > 1.05 * kl[name]:
            text += "  not ahead: its KL is better"
        medians = {phase: statistics.median(values) for phase, values in phases.items()}
        shown = f"{kl[name]:.5f}" if kl else "-"
        print(f"{name:<10} {medians['prefill']:>9.1f} {medians['decode']:>9.1f} {shown:>10} {text}")
        rows.append({"program": name, "tokens_per_s": phases, "farthing_ratio": ratios,
                     "kld": kl.get(name)})
    return {"schema": 1, "machine": machine, "prompt": options.prompt, "generate": options.generate,
            "farthing": {k: row[k] for k in ("scheme", "activations", "kv", "kernel")}, "rows": rows}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--farthing", default="build/release/bin/farthing", help="the program")
    parser.add_argument("--gguf", help="model for llama.cpp, and for Farthing unless --farthing-model")
    parser.add_argument("--shape", choices=SHAPES, help="random weights instead of --gguf")
    parser.add_argument("--type", default="q4_0", help="GGUF type of the random weights: q4_0, q8_0, bf16 ...")
    parser.add_argument("--farthing-model", help="what Farthing runs")
    parser.add_argument("--farthing-options", default="", help="more options of farthing bench, in one string")
    parser.add_argument("--openvino", help="folder of an export by optimum-intel")
    parser.add_argument("--no-llama", action="store_true")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reference", help="float checkpoint to take the divergence from")
    parser.add_argument("--text", help="text for the divergence")
    parser.add_argument("--windows", type=int, default=4, help="of 512 tokens of that text")
    parser.add_argument("--json", help="write the numbers here")
    options = parser.parse_args()
    if not options.gguf and not options.shape:
        parser.error("give --gguf or --shape")
    if bool(options.reference) != bool(options.text):
        parser.error("--reference and --text go together")
    if min(options.prompt, options.generate, options.rounds, options.windows, options.threads) < 1:
        parser.error("numbers must be at least 1")
    return options


def main():
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        gguf = options.gguf
        if options.shape:
            gguf = str(Path(folder) / f"{options.shape}-{options.type}.gguf")
            write_random_gguf(gguf, options.shape, options.type)
        model = options.farthing_model or gguf
        farthing = Farthing(options.farthing, [model, *options.farthing_options.split()],
                            options.threads)
        length = max(options.prompt + options.generate, 512) + 16
        workers = []
        try:
            if not options.no_llama:
                workers.append(Worker("llama.cpp", gguf, options.threads, length))
            if options.openvino:
                workers.append(Worker("OpenVINO", options.openvino, options.threads, length))
            speeds = measure(options, farthing, workers)
            kl = divergences(options, farthing, model, workers) if options.reference else {}
        finally:
            for worker in workers:
                worker.close()
        result = report(options, farthing, speeds, kl)
        if options.json:
            Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve-peer"]:
        serve_peer(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
