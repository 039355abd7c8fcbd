#!/usr/bin/env bash
# Makes models/demo/books-llama-7m again: the demo model without two of its eight layers, and what it
# lost taught back by the whole model on text from its own training corpus.
#
#   tools/make_demo_student.sh TRAIN.txt OUT     OUT.partial keeps a stopped run, which the same call goes on with
#
# TRAIN.txt: the 72 books of models/demo/README.md joined, 72760327 bytes (farthing.training.json has the hash of
# what was drawn). The same text gives the same bytes on any number of threads.
set -euo pipefail
[ $# -eq 2 ] || { sed -n 2,10p "$0"; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
farthing=$root/build/release/bin/farthing
teacher=$root/models/demo/books-llama-8m
pruned=$2.pruned
text=$2.txt

# 64 kB from each of 64 places, whole lines: tokenised in a second, and of all the books.
python3 - "$1" "$text" <<'END'
import sys
books = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb") as out:
    for start in range(0, len(books) // 64 * 64, len(books) // 64):
        piece = books[start:start + 65536]
        out.write(piece[piece.index(b"\n") + 1:piece.rindex(b"\n") + 1])
END
[ -d "$pruned" ] || "$farthing" compress "$teacher" "$pruned" --scheme bf16 --method drop-layers --sparsity 0.25 \
  --samples 16 --length 256
"$farthing" distill "$teacher" "$pruned" "$2" --text "$text" --seed 1 --steps 320 --batch 4 --length 256 --lr 5e-4 \
  --warmup 20 --save-every 20 --eval-text "$root/models/demo/voyage-of-the-beagle.txt"
rm -r "$pruned" "$text"
