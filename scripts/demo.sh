#!/usr/bin/env bash
# Installs what is needed, builds Farthing and shows it at work on the small model in models/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_dependencies.sh
cmake --preset release >/dev/null
cmake --build --preset release --target farthing-cli
exec python3 scripts/demo.py
