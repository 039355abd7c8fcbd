#!/usr/bin/env bash
# usage: tools/fuzz.sh SECONDS [TARGET...]: builds the fuzz targets (all, or those named) and runs each from its seeds.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in fuzz/fuzz_*.cc; do targets+=("$(basename "$source" .cc)"); done
fi
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]}" >/dev/null
for target in "${targets[@]}"; do
  found=$(mktemp -d)
  seeds=fuzz/corpus/${target#fuzz_}
  options=(-max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1)
  [ -d "$seeds" ] || seeds=
  echo "== $target"
  if ! build/fuzz/bin/"$target" "${options[@]}" -artifact_prefix="$found/" "$found" $seeds >"$found.log" 2>&1; then
    tail -40 "$found.log"
    echo "$target found something; run it again with: build/fuzz/bin/$target $found/crash-..." >&2
    exit 1
  fi
  grep -E "stat::(number_of_executed_units|new_units_added|peak_rss_mb)" "$found.log"
  rm -rf "$found" "$found.log"
done
