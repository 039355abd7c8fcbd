#!/usr/bin/env bash
# Installs what is needed, builds, and runs all tests. Extra arguments go to ctest (-R NAME, ...).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_dependencies.sh
cmake --preset release -DFARTHING_TESTS=ON >/dev/null
cmake --build --preset release
ctest --test-dir build/release --no-tests=error --output-on-failure -j "$(nproc)" "$@"
