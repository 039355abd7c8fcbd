"""Log-likelihoods and metrics of small task files by lm-evaluation-harness with transformers on the demo model.

    python tools/goldens/make_tasks.py

The documents (tests/golden/tasks/*.jsonl) are ours, written in the published form of each data set; prompts and scoring are
the package's. Made with lm-eval 0.4.13, transformers 5.23.0 and torch 2.13.0.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import lm_eval_judge  # noqa: E402

FOLDER = ROOT / "tests/golden/tasks"
MODEL = ROOT / "models/demo/books-llama-8m"


def rounded(value):
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return value


def main():
    files = sorted(p for p in FOLDER.glob("*.jsonl") if p.stem != "mmlu_examples")
    found = lm_eval_judge.judge(MODEL, files)
    found["mmlu 2 shots"] = lm_eval_judge.judge(MODEL, [FOLDER / "mmlu.jsonl"], shots=2, shots_from=FOLDER / "mmlu_examples.jsonl")["mmlu"]
    lines = [f' {json.dumps(name)}: {json.dumps(rounded(r))}' for name, r in found.items()]
    (FOLDER / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
