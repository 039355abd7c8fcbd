#!/usr/bin/env python3
"""What tune gains over uniform schemes: the numbers of docs/tune.md.

Makes uniform artefacts (every linear, embedding included, in one scheme; the head in each of several, the best
counts), measures KL and bytes of all with `farthing eval`, interpolates log KL over bytes along their lower
convex hull, then lets `farthing tune --max-bytes` fill budgets between them and measures the same way. With --floors
also: the fastest uniform artefact that meets each floor on KL against `farthing tune --max-kld`, both timed by
`farthing bench`, alternating. Prints Markdown.

usage: tune_frontier.py FARTHING MODEL TEXT WORK [--method rtn] [--schemes ...] [--heads ...] [--budgets 5]
           [--floors 0.003,0.01] [--context 256] [--windows 16] [--samples 32] [--rounds 5] [--no-bytes]
           [--judge OTHER.txt --judge-windows 40] [--activations int16]
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys


THREADS = []


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments] + THREADS, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\n{done.stderr}")
    return done


class Bench:
    def __init__(self, o):
        self.o, self.work = o, pathlib.Path(o.work)
        self.work.mkdir(parents=True, exist_ok=True)

    def quality(self, place):
        out = self.work / "eval.json"
        text = ["--text", self.o.judge, "--convention", "llama.cpp"] if self.o.judge else ["--text", self.o.text]
        mode = ["--activations", self.o.activations] if self.o.activations else []
        run(self.o.farthing, "eval", place, "--reference", self.o.model, *text, *mode, "--context", self.o.context,
            "--windows", self.o.judge_windows or self.o.windows, "--json", out, "--quiet")
        result = json.loads(out.read_text())
        text = next(iter(result["texts"].values()))
        return {"kld": text["kld"]["mean"], "stderr": text["kld"]["stderr"], "bytes": result["weights_bytes"],
                "place": place}

    def uniform(self, scheme, head):
        place = self.work / f"u-{scheme}-{head}"
        if not (place / "config.json").exists():
            ends = ["--embedding", scheme] + ([] if self.o.tied else ["--head", head])
            run(self.o.farthing, "compress", self.o.model, place, "--scheme", scheme, "--method", self.o.method,
                "--samples", self.o.samples, "--length", self.o.context, "--no-portable", "--quiet", *ends)
        kept = self.work / f"{place.name}.json"  # a run that was stopped goes on
        if not kept.exists():
            kept.write_text(json.dumps(self.quality(place) | {"place": str(place)}))
        return json.loads(kept.read_text()) | {"name": f"{scheme}, head {head}"}

    def tune(self, name, *limits):
        place, out = self.work / name, self.work / f"{name}.json"
        if out.exists() and (place / "config.json").exists():
            return json.loads(out.read_text()) | {"place": place}
        run(self.o.farthing, "tune", self.o.model, place, "--schemes", self.o.schemes, "--caches", "fp16", "--method",
            self.o.tune_method or self.o.method, "--samples", self.o.samples, "--text", self.o.text, "--context", self.o.context,
            "--windows", self.o.windows, "--cache", self.work / "cache", "--rounds", self.o.rounds, "--force", "--json", out, *limits)
        return json.loads(out.read_text()) | {"place": place}

    def ms(self, places, repeats=5):
        """Least ms a token of each, alternating."""
        least = [math.inf] * len(places)
        for _ in range(repeats):
            for i, place in enumerate(places):
                out = self.work / "bench.json"
                run(self.o.farthing, "bench", place, "--prompt", 8, "--generate", 48, "--context", self.o.decode_context,
                    "--repeats", 2, "--json", out, "--quiet")
                row = [r for r in json.loads(out.read_text())["rows"] if r["test"].startswith("tg")][0]
                least[i] = min(least[i], 1e3 / row["tokens_per_s"]["max"])
        return least


def envelope(points):
    """The lower convex hull of log KL over bytes."""
    def above(a, b, c):  # whether b lies on or above the line from a to c
        slope = math.log(c["kld"] / a["kld"]) / (c["bytes"] - a["bytes"])
        return math.log(b["kld"]) >= math.log(a["kld"]) + slope * (b["bytes"] - a["bytes"])
    hull = []
    for p in sorted(points, key=lambda p: (p["bytes"], p["kld"])):
        if hull and p["kld"] >= hull[-1]["kld"]:
            continue
        while len(hull) > 1 and above(hull[-2], hull[-1], p):
            hull.pop()
        hull.append(p)
    return hull


def at(frontier, size):
    for a, b in zip(frontier, frontier[1:]):
        if a["bytes"] <= size <= b["bytes"]:
            t = (size - a["bytes"]) / (b["bytes"] - a["bytes"])
            return math.exp((1 - t) * math.log(a["kld"]) + t * math.log(b["kld"]))
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("farthing", "model", "text", "work"):
        p.add_argument(name)
    p.add_argument("--method", default="rtn")
    p.add_argument("--tune-method", help="of the mixes, where it is another one")
    p.add_argument("--schemes", default="w8g64,w6g64,w5g64,w4g32,w4g64,w3g32")
    p.add_argument("--uniform", default="w8g64,w6g64,w5g64,w4g64,w3g32")
    p.add_argument("--heads", default="w8g64,w6g64,w4g64")
    p.add_argument("--budgets", type=int, default=5)
    p.add_argument("--floors", default="")
    p.add_argument("--activations", help="mode that all artefacts are judged in; name it in --schemes, too")
    p.add_argument("--context", type=int, default=256)
    p.add_argument("--decode-context", type=int, default=64)
    p.add_argument("--windows", type=int, default=16)
    p.add_argument("--samples", type=int, default=32)
    p.add_argument("--rounds", type=int, default=5, help="of tune")
    p.add_argument("--judge", help="another text, by llama.cpp's convention, than the one that tune looks at")
    p.add_argument("--judge-windows", type=int)
    p.add_argument("--no-bytes", action="store_true")
    p.add_argument("--threads", help="of everything; one is best on a machine that others use too")
    o = p.parse_args()
    if o.threads:
        THREADS.extend(["--threads", o.threads])
    o.tied = json.loads((pathlib.Path(o.model) / "config.json").read_text()).get("tie_word_embeddings", False)
    bench = Bench(o)
    heads = o.heads.split(",")
    uniform = [bench.uniform(s, h) for s in o.uniform.split(",") for h in ([s] if o.tied else heads)]
    frontier = envelope(uniform)
    print("| uniform | bytes | KL |\n|---|---|---|")
    for u in frontier:
        print(f"| {u['name']} | {u['bytes']} | {u['kld']:.5f} +- {u['stderr']:.5f} |")
    if not o.no_bytes:
        low, high = frontier[0]["bytes"], frontier[-1]["bytes"]
        ratios = []
        print("\n| budget | bytes | KL | uniform frontier there | ratio | KL expected before compressing |\n|---|---|---|---|---|---|")
        for i in range(o.budgets):
            budget = int(low + (high - low) * (i + 0.5) / o.budgets)
            tuned = bench.tune(f"t-{i}", "--max-bytes", f"{budget}B")
            q = bench.quality(tuned["place"])
            there = at(frontier, q["bytes"])
            if there is None:
                continue
            ratios.append(q["kld"] / there)
            print(f"| {budget} | {q['bytes']} | {q['kld']:.5f} +- {q['stderr']:.5f} | {there:.5f} | {ratios[-1]:.3f} | "
                  f"{tuned['rounds'][0]['expected']['kld']:.5f} |", flush=True)
        print(f"\ngeometric mean of the ratios: {statistics.geometric_mean(ratios):.3f}")
    gains = []
    for floor in filter(None, o.floors.split(",")):
        meet = [u for u in uniform if u["kld"] + 1.645 * u["stderr"] <= float(floor)]
        tuned = bench.tune(f"f-{floor}", "--max-kld", floor)
        if not meet:
            print(f"floor {floor}: no uniform scheme meets it")
            continue
        places = [tuned["place"]] + [u["place"] for u in meet]
        times = bench.ms(places, 1)
        fastest = min(range(1, len(places)), key=lambda i: times[i])
        mine, theirs = bench.ms([places[0], places[fastest]], 5)
        gains.append(theirs / mine)
        q = bench.quality(tuned["place"])
        print(f"floor {floor}: tuned {mine:.3f} ms (expected {tuned['chosen']['expected']['ms_per_token']:.3f}), KL {q['kld']:.5f}; "
              f"{meet[fastest - 1]['name']} {theirs:.3f} ms, KL {meet[fastest - 1]['kld']:.5f}; {gains[-1]:.2f} times", flush=True)
    if gains:
        print(f"geometric mean: {statistics.geometric_mean(gains):.3f}")


main()
