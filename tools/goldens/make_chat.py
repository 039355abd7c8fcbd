#!/usr/bin/env python3
"""Makes tests/golden/chat: what transformers' own Jinja environment renders.

snippets.json: small templates, a language feature each. templates/*.jinja with expected/*.json: chat
templates of released models whose licence allows it, over the conversations of cases.json. null
stands for a template that raises. Also the seeds of fuzz_chat_template.

    python tools/goldens/make_chat.py --templates DIR     (transformers, jinja2)
    python tools/goldens/make_chat.py --compare BINARY --templates DIR [--every]

--compare renders with BINARY instead of writing: a program that reads {"template", "variables",
"date"} a line and answers {"ok": text} or {"error": message} a line. --every takes all templates of
DIR and all combinations of conversations, tools and options.
"""
import argparse
import datetime
import hashlib
import json
import pathlib
import subprocess
import sys
import warnings

import jinja2
import transformers
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

import chat_cases
import chat_snippets

warnings.simplefilter("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "chat"
SEEDS = ROOT / "fuzz" / "corpus" / "chat_template"
DATE = datetime.datetime(2026, 11, 23)
# From llama.cpp's collection (MIT), where the model's own licence is Apache 2.0 or MIT.
TEMPLATES = [
    "Apertus-8B-Instruct", "ByteDance-Seed-OSS", "deepseek-ai-DeepSeek-V3.1", "GLM-4.6",
    "HuggingFaceTB-SmolLM3-3B", "ibm-granite-granite-3.3-2B-Instruct",
    "meetkai-functionary-medium-v3.2", "microsoft-Phi-3.5-mini-instruct",
    "mistralai-Mistral-Nemo-Instruct-2407", "openai-gpt-oss-120b", "Qwen-Qwen2.5-7B-Instruct",
    "Qwen-Qwen3-0.6B", "Qwen3-Coder",
]
# Of our own, in the manner of families whose templates are not ours to copy.
OWN = {
    "own-chatml": """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
""",
    "own-headers": """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- if messages and messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|header|>system<|end_header|>\\n\\nToday: " + date_string + "\\n" + system_message + "<|end|>" }}
{%- for message in messages %}
    {%- if 'tool_calls' in message and message.tool_calls %}
        {%- if not message.tool_calls | length == 1 %}
            {{- raise_exception("one tool call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' + (call.arguments | tojson) + '}<|end|>' }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson(indent=4) }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
    {%- else %}
        {{- '<|header|>' + message['role'] + '<|end_header|>\\n\\n' + message['content'] | trim + '<|end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|header|>assistant<|end_header|>\\n\\n' }}
{%- endif %}
""",
    "own-turns": """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<turn>' + role + '
' + message['content'] | trim + '</turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<turn>model
'}}{% endif %}
""",
}


def compile_template(source):
    template = _cached_compile_jinja_template(source)
    template.globals["strftime_now"] = lambda format: DATE.strftime(format)
    return template


class Reference:
    """transformers."""

    def __init__(self):
        self.compiled = {}

    def render(self, source, variables):
        try:
            if source not in self.compiled:
                self.compiled[source] = compile_template(source)
            return self.compiled[source].render(**variables)
        except Exception:  # whatever it is, the template raises
            return None


class Candidate:
    """A program that reads and writes JSON lines."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, encoding="utf-8")

    def render(self, source, variables):
        request = {"template": source, "variables": variables, "date": f"{DATE:%Y-%m-%d}"}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline()).get("ok")


def collection(directory, every):
    paths = sorted(directory.glob("*.jinja")) if every else [
        directory / f"{name}.jinja" for name in TEMPLATES]
    return {path.stem: path.read_text(encoding="utf-8") for path in paths} | OWN


def compare(candidate, templates, every):
    reference = Reference()
    total = different = 0

    def check(name, source, variables):
        nonlocal total, different
        total += 1
        wanted, found = reference.render(source, variables), candidate.render(source, variables)
        if wanted != found:
            different += 1
            print(f"{name}: wanted {str(wanted)[:300]!r}, found {str(found)[:300]!r}")

    for snippet in chat_snippets.snippets():
        check(repr(snippet), snippet, chat_snippets.VARIABLES)
    for name, source in templates.items():
        for variables in chat_cases.cases(every):
            check(name, source, variables)
    print(f"{total} renderings, {different} differ")
    return different


def write_json(name, head, rows):
    lines = ",\n".join(" " + json.dumps(row, ensure_ascii=True) for row in rows)
    text = "{" + json.dumps(head)[1:-1] + ", " * bool(head) + f'"cases": [\n{lines}\n]}}\n'
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def write(templates):
    reference = Reference()
    write_json("snippets.json", {"variables": chat_snippets.VARIABLES}, [
        [snippet, reference.render(snippet, chat_snippets.VARIABLES)]
        for snippet in chat_snippets.snippets()])
    cases = list(chat_cases.cases())
    write_json("cases.json", {"date": f"{DATE:%Y-%m-%d}"}, cases)
    for name, source in templates.items():
        path = OUT / "templates" / f"{name}.jinja"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        write_json(f"expected/{name}.json", {}, [reference.render(source, c) for c in cases])
    write_seeds(reference)
    write_manifest()


def write_seeds(reference):
    """Snippets that render, many to a file, as a start for the fuzzer."""
    good = [s for s in chat_snippets.snippets()
            if reference.render(s, chat_snippets.VARIABLES) is not None and "raw" not in s]
    SEEDS.mkdir(parents=True, exist_ok=True)
    for i in range(0, len(good), 40):
        (SEEDS / f"snippets-{i // 40:02}").write_text("\n".join(good[i:i + 40]), encoding="utf-8")


def write_manifest():
    files = sorted(p for p in OUT.rglob("*") if p.is_file() and p.name != "MANIFEST.json")
    manifest = {
        "made_by": "tools/goldens/make_chat.py",
        "versions": {"python": sys.version.split()[0], "jinja2": jinja2.__version__,
                     "transformers": transformers.__version__},
        "templates": "ikawrakow/ik_llama.cpp (MIT) models/templates at "
                     "8337e4cd3861406fc04e0854b1409cd1b027fbc9; own-* are this project's",
        "sha256": {str(p.relative_to(OUT)): hashlib.sha256(p.read_bytes()).hexdigest()
                   for p in files},
    }
    (OUT / "MANIFEST.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--templates", type=pathlib.Path, required=True)
    parser.add_argument("--compare", metavar="BINARY")
    parser.add_argument("--every", action="store_true")
    arguments = parser.parse_args()
    templates = collection(arguments.templates, arguments.every)
    if arguments.compare:
        sys.exit(compare(Candidate(arguments.compare), templates, arguments.every) != 0)
    write(templates)


if __name__ == "__main__":
    main()
