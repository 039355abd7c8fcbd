#!/usr/bin/env python3
"""Makes tests/golden/gguf: files written by the gguf package, and what it reads back from them.

whole.gguf holds every kind of metadata value and tensors of several types; parts-*.gguf is the same
model in three parts; expected.json says what must be found.

    python tools/goldens/make_gguf.py          (gguf, numpy)
"""
import hashlib
import importlib.metadata
import json
import pathlib
import sys

import gguf
import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "gguf"
SEED = 1


def fill(writer: gguf.GGUFWriter) -> None:
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(8)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", "\u2581h\u00e9"])
    writer.add_token_scores([0.0, 0.0, 0.0, -1.5])
    writer.add_token_types([2, 3, 3, 1])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_uint8("test.u8", 255)
    writer.add_int8("test.i8", -128)
    writer.add_uint16("test.u16", 65535)
    writer.add_int16("test.i16", -32768)
    writer.add_int32("test.i32", -2147483648)
    writer.add_uint64("test.u64", 2**64 - 1)
    writer.add_int64("test.i64", -(2**63))
    writer.add_float64("test.f64", 0.1)
    writer.add_string("test.text", "line\nand \"quotes\"")

    random = np.random.default_rng(SEED)
    numbers = lambda *shape: random.standard_normal(shape).astype(np.float32)
    writer.add_tensor("token_embd.weight", numbers(4, 32))
    writer.add_tensor("output_norm.weight", numbers(32))
    writer.add_tensor("blk.0.attn_q.weight", numbers(32, 32).astype(np.float16))
    for name, rows, kind in (("attn_k", 16, "Q8_0"), ("attn_v", 16, "Q4_0"), ("ffn_up", 64, "BF16")):
        kind = gguf.GGMLQuantizationType[kind]
        blocks = gguf.quants.quantize(numbers(rows, 32), kind)
        writer.add_tensor(f"blk.0.{name}.weight", blocks, raw_dtype=kind)


def expected(path: pathlib.Path) -> dict:
    reader = gguf.GGUFReader(path)
    skipped = ("GGUF.", "split.", "general.")
    metadata = {key: field.contents() for key, field in reader.fields.items()
                if not key.startswith(skipped)}
    tensors = {t.name: {"dtype": t.tensor_type.name, "shape": [int(d) for d in reversed(t.shape)],
                        "sha256": hashlib.sha256(np.ascontiguousarray(t.data).tobytes()).hexdigest()}
               for t in reader.tensors}
    return {"made_by": "tools/goldens/make_gguf.py", "seed": SEED,
            "python": sys.version.split()[0], "numpy": np.__version__,
            "gguf": importlib.metadata.version("gguf"), "metadata": metadata, "tensors": tensors}


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, split in (("whole", 0), ("parts", 2)):
        writer = gguf.GGUFWriter(OUT / f"{name}.gguf", "llama", split_max_tensors=split)
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    (OUT / "expected.json").write_text(json.dumps(expected(OUT / "whole.gguf"), indent=1) + "\n")


if __name__ == "__main__":
    main()
