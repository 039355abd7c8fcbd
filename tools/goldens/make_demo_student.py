#!/usr/bin/env python3
"""Makes models/demo/books-llama-7m/expected.json: what transformers computes with the student in FP32,
by the protocol of the teacher's expected.json.

    python tools/goldens/make_demo_student.py          (transformers, torch)
"""
import json
import math
import pathlib

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/demo/books-llama-7m"
TEXT = ROOT / "models/demo/voyage-of-the-beagle.txt"
WINDOWS, CONTEXT = 100, 256
PROMPTS = ["It was a dark and stormy night", "My dear Watson,"]


@torch.no_grad()
def perplexity(model, ids):
    nll = 0.0
    for first in range(0, WINDOWS * CONTEXT, CONTEXT):
        window = torch.tensor([ids[first:first + CONTEXT]])
        logits = model(window).logits[0, :-1].double()
        nll += torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum").item()
    scored = WINDOWS * (CONTEXT - 1)
    return {"perplexity": round(math.exp(nll / scored), 4), "tokens_scored": scored}


@torch.no_grad()
def greedy(model, tokenizer, prompt):
    ids = tokenizer(prompt).input_ids
    out = model.generate(torch.tensor([ids]), max_new_tokens=40, do_sample=False)[0, len(ids):].tolist()
    return {"prompt": prompt, "prompt_ids": ids, "greedy_ids": out, "text": tokenizer.decode(out, skip_special_tokens=True)}


def main():
    model, loading = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, output_loading_info=True)
    assert not any(loading.values()), loading
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    ids = tokenizer(TEXT.read_text(encoding="utf-8"), add_special_tokens=False).input_ids
    expected = {
        "made_by": f"transformers {transformers.__version__}, FP32 arithmetic on the BF16 weights",
        "perplexity_protocol": f"text tokenised once without BOS, first {WINDOWS} windows of {CONTEXT} tokens, "
                               f"{CONTEXT - 1} predictions each",
        "perplexity": {"books/test.txt": perplexity(model.eval(), ids)},  # which begins as TEXT does
        "greedy": [greedy(model, tokenizer, prompt) for prompt in PROMPTS],
    }
    (MODEL / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
