#!/usr/bin/env bash
# usage: tools/tidy.sh [PATTERN...]: clang-tidy 19 by .clang-tidy over src, or over the files whose path matches a
# pattern (src/io, model/rope). Any finding fails; clang's own warnings are findings too.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset clang -DFARTHING_TESTS=OFF >/dev/null  # writes compile_commands.json
run-clang-tidy-19 -quiet -p build/clang -j "$(nproc)" -warnings-as-errors='*' "${@:-/src/}"
