#!/usr/bin/env python3
"""Fails when a source file has grown past what one sitting can read.

usage: check_sizes.py [REPOSITORY]
"""
import pathlib
import sys

LIMIT = 800
LISTS = ("unicode_tables", "case_table", "chat_snippets")  # data: nobody reads them from top to bottom

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
problems = []
for folder in ("src", "tests", "fuzz", "tools"):
    for file in sorted((root / folder).rglob("*")):
        if file.suffix in (".cc", ".h", ".py") and not any(name in file.name for name in LISTS):
            lines = file.read_text().count("\n")
            if lines > LIMIT:
                problems.append(f"{file}: {lines} lines, at most {LIMIT}; split it by what it does")
print("\n".join(problems) or f"sizes: no file above {LIMIT} lines")
sys.exit(1 if problems else 0)
