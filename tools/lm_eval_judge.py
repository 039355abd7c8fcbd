#!/usr/bin/env python3
"""Scores task files with lm-evaluation-harness and transformers, and compares Farthing's numbers with theirs.

Needs: pip install lm-eval transformers torch. No network: every task reads its local file.
usage: lm_eval_judge.py FARTHING MODEL_DIR FILE... [--limit N] [--shots N --shots-from FILE]
A FILE is JSON lines in one of the forms of docs/evaluation.md.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

METRICS = {
    "acc": {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
    "acc_norm": {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
    "perplexity": {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
}
# The package's own definition of each form, and ours of the generic ones.
THEIRS = {
    "arc": "arc/arc_easy.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "piqa": "piqa/piqa.yaml",
    "winogrande": "winogrande/default.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "mmlu": "mmlu/default/_default_template_yaml",
    "lambada": "lambada/lambada_openai.yaml",
}
GENERIC = {
    "choice": {"output_type": "multiple_choice", "doc_to_text": "query", "doc_to_choice": "choices", "doc_to_target": "gold",
               "metric_list": [METRICS["acc"], METRICS["acc_norm"]]},
    "options": {"output_type": "multiple_choice", "doc_to_text": "gold", "doc_to_choice": "context_options",
                "doc_to_target": "continuation", "metric_list": [METRICS["acc"]]},
    "continuation": {"output_type": "loglikelihood", "doc_to_text": "context", "doc_to_target": "{{' ' + continuation}}",
                     "metric_list": [METRICS["perplexity"], METRICS["acc"]]},
}
FIELDS = [  # as src/evaluate/tasks/forms.cc tells them
    ("arc", "question choices answerKey"), ("openbookqa", "question_stem"), ("piqa", "goal"), ("winogrande", "sentence option1"),
    ("boolq", "passage question"), ("hellaswag", "ctx_a endings"), ("mmlu", "question choices subject"), ("choice", "query choices gold"),
    ("options", "context_options continuation"), ("continuation", "context continuation"), ("lambada", "text"),
]


def form_of(path):
    first = json.loads(pathlib.Path(path).open().readline())
    return next(name for name, fields in FIELDS if all(f in first for f in fields.split()))


def task_config(name, path, shots_from):
    """One YAML task over a local file; the prompt is the package's where it has one."""
    import lm_eval
    form = form_of(path)
    files = {split: str(pathlib.Path(path).resolve()) for split in ("train", "validation", "test", "dev")}
    if shots_from:
        files["dev"] = files["train"] = str(pathlib.Path(shots_from).resolve())
    config = {"task": name, "dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files},
              "test_split": "test", "metadata": {"version": 1}}
    if form in THEIRS:
        config["include"] = str(pathlib.Path(lm_eval.__file__).parent / "tasks" / THEIRS[form])
    else:
        config |= GENERIC[form]
    if form == "mmlu":
        subjects = {json.loads(line)["subject"] for line in pathlib.Path(path).open()}
        assert len(subjects) == 1, "one subject a file: the package has a task for each"
        config["description"] = "The following are multiple choice questions (with answers) about " + subjects.pop().replace("_", " ") + ".\n\n"
    if shots_from:
        config |= {"fewshot_split": "dev", "fewshot_config": {"sampler": "first_n"}}
    return config


def judge(model, files, limit=None, shots=0, shots_from=None, add_bos=None):
    """{name: {"metrics", "documents": [[[log_likelihood, greedy], ...] a document]}} by lm-evaluation-harness."""
    import lm_eval
    from lm_eval.tasks import TaskManager
    import yaml
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = folder
        names = {}
        for path in files:
            name = "judge_" + pathlib.Path(path).stem
            names[name] = pathlib.Path(path).stem
            (pathlib.Path(folder) / (name + ".yaml")).write_text(yaml.safe_dump(task_config(name, path, shots_from)))
        found = lm_eval.simple_evaluate(
            model="hf", model_args={"pretrained": str(model), "dtype": "float32", "device": "cpu"}, tasks=list(names), limit=limit,
            num_fewshot=shots or None, task_manager=TaskManager(include_path=folder, include_defaults=False), log_samples=True,
            batch_size=4, bootstrap_iters=2)
    result = {}
    for task, name in names.items():
        row = found["results"][task]
        metrics = {k.split(",")[0]: v for k, v in row.items() if k.endswith(",none") and not k.startswith("perplexity_stderr")}
        samples = sorted(found["samples"][task], key=lambda s: s["doc_id"])
        documents = [[[float(l), bool(g)] for l, g in (r[0] for r in s["resps"])] for s in samples]
        result[name] = {"metrics": metrics, "documents": documents}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("farthing"), parser.add_argument("model"), parser.add_argument("files", nargs="+")
    parser.add_argument("--limit", type=int), parser.add_argument("--shots", type=int, default=0), parser.add_argument("--shots-from")
    parser.add_argument("--keep", help="write the package's numbers to this file")
    o = parser.parse_args()
    theirs = judge(o.model, o.files, o.limit, o.shots, o.shots_from)
    if o.keep:
        pathlib.Path(o.keep).write_text(json.dumps(theirs, indent=1))
    command = [o.farthing, "eval", o.model, "--tasks", ",".join(o.files), "--dtype", "fp32", "--kv", "fp32", "--json", "-"]
    command += ["--limit", str(o.limit)] if o.limit else []
    command += ["--shots", str(o.shots), "--shots-from", o.shots_from] if o.shots else []
    ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["tasks"]
    differ = 0
    for name, judged in theirs.items():
        for metric, value in judged["metrics"].items():
            own = ours[name].get(metric)
            # Shares must be equal; a perplexity carries the two programs' rounding.
            same = own is not None and abs(own - value) <= (1e-3 * abs(value) if metric == "perplexity" else 1e-9)
            differ += not same
            print(f"{name:20} {metric:16} lm-eval {value:.6f}  farthing {own if own is None else format(own, '.6f')}  {'equal' if same else 'DIFFERS'}")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
