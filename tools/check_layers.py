#!/usr/bin/env python3
"""Fails when a folder of src/ includes one that comes after it in the order of the layers.

The order is read from CMakeLists.txt (farthing_layers), where it also decides what links what.
usage: check_layers.py [REPOSITORY]
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
order = re.search(r"farthing_layers\(([^)]*)\)", (root / "CMakeLists.txt").read_text()).group(1).split() + ["cli"]
rank = {name: i for i, name in enumerate(order)}
problems = []
for file in sorted((root / "src").rglob("*")):
    if file.suffix not in (".cc", ".h"):
        continue
    layer = file.relative_to(root / "src").parts[0]
    if layer not in rank:
        problems.append(f"{file}: folder {layer} is not in the order of CMakeLists.txt")
        continue
    text = file.read_text()
    for included in re.findall(r'#include "([a-z_0-9]+)/', text):
        if rank.get(included, len(order)) > rank[layer]:
            problems.append(f"{file}: {layer}/ may not include {included}/, which lies above it")
    if layer != "cli" and re.search(r"\b(std::cout|std::cerr|printf|fprintf|puts|abort|exit)\s*\(|std::cout|std::cerr", re.sub(r"//.*|\"(\\.|[^\"\\])*\"", "", text)):
        problems.append(f"{file}: only cli/ may print or end the process")
print("\n".join(problems) or "layers: every include points down")
sys.exit(1 if problems else 0)
