#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets for files (fuzz/corpus/NAME): small inputs that get deep.

    tools/fuzz_seeds.py            # from the root of the repository; no packages needed
"""
import base64
import json
import pathlib
import struct

CORPUS = pathlib.Path("fuzz/corpus")
# GGUF: id -> (numbers a block, bytes a block), as in src/io/gguf.cc.
TYPES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
         10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
         20: (32, 18), 23: (256, 136), 26: (1, 4), 30: (1, 2)}


def put(target: str, name: str, data) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def safetensors(tensors: dict, metadata=None) -> bytes:
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def gguf(pairs: list, tensors: list, version: int = 3) -> bytes:
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs)
    offset, data = 0, b""
    for name, dims, kind in tensors:
        count = 1
        for dim in dims:
            count *= dim
        block, size = TYPES[kind]
        content = bytes(range(256)) * (count // block * size // 256 + 1)
        content = content[: count // block * size]
        out += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        out += struct.pack("<IQ", kind, offset)
        data += content + bytes(-len(content) % 32)
        offset = len(data)
    return out + bytes(-len(out) % 32) + data


def main() -> None:
    put("safetensors", "empty", safetensors({}))
    put("safetensors", "types", safetensors(
        {"a.weight": ("F32", [1, 2], bytes(8)), "b.weight": ("BF16", [3], bytes(6)),
         "c": ("I8", [0, 4], b""), "d": ("F16", [], bytes(2)), "e": ("I64", [2], bytes(16)),
         "f": ("F8_E4M3", [2, 1, 1], bytes(2)), "g": ("F4", [2], bytes(1))}, {"format": "pt"}))
    put("safetensors", "no_metadata", safetensors({"w": ("U8", [3], b"abc")}, None))
    put("bitmask", "floats", safetensors({
        "w.shape": ("I64", [2], struct.pack("<2q", 2, 11)),
        "w.bitmask": ("U8", [2, 2], bytes([0b10000001, 0b100, 0b1000, 0])),
        "w.compressed": ("BF16", [4], bytes(range(1, 9)))}))
    put("bitmask", "codes", safetensors({  # rows of 12 codes of 4 bits, 3 and 2 of them kept
        "v.weight_bitmask": ("U8", [2, 2], bytes([0b10000001, 0b100, 0b1000, 0b1])),
        "v.weight_nonzeros": ("U8", [3], bytes([0x21, 0x03, 0x54]))}))
    put("bitmask", "parts", safetensors({"w.bitmask": ("U8", [1, 1], b"\1"),
                                         "v.weight_nonzeros": ("U8", [1], b"\1")}))
    put("safetensors", "lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")

    u32 = lambda value: struct.pack("<I", value)
    f32 = lambda value: struct.pack("<f", value)
    string_list = struct.pack("<IQ", 8, 2) + text("<s>") + text("a")
    llama = [pair("general.architecture", 8, text("llama")),
             pair("general.alignment", 4, u32(32)),
             pair("llama.block_count", 4, u32(1)), pair("llama.embedding_length", 4, u32(32)),
             pair("llama.attention.head_count", 4, u32(2)),
             pair("llama.attention.layer_norm_rms_epsilon", 6, f32(1e-5)),
             pair("llama.rope.scaling.type", 8, text("yarn")),
             pair("llama.rope.scaling.factor", 6, f32(4)),
             pair("tokenizer.ggml.tokens", 9, string_list),
             pair("tokenizer.ggml.add_bos_token", 7, b"\1")]
    put("gguf", "llama", gguf(llama, [("token_embd.weight", [32, 2], 0), ("output.weight", [32, 2], 8)]))
    put("gguf", "types", gguf([pair("general.architecture", 8, text("qwen3moe"))],
                              [(f"blk.0.t{kind}.weight", [256, 1, 1], kind) for kind in TYPES]))
    put("gguf", "version2", gguf([pair("general.architecture", 8, text("gemma3")),
                                  pair("x", 12, struct.pack("<d", 0.5)),
                                  pair("y", 11, struct.pack("<q", -1))], [], 2))
    put("gguf", "phi3", gguf([pair("general.architecture", 8, text("phi3"))],
                             [("rope_factors_long.weight", [2], 0),
                              ("rope_factors_short.weight", [2], 0)]))

    put("json", "all", '{"a":[1,-2.5e3,true,false,null,"x\\u00e9\\n\\ud83d\\ude00"],"b":{"c":[]}}')
    put("json", "deep", "[" * 8 + "]" * 8)
    put("json", "numbers", "[0,-0,18446744073709551615,-9223372036854775808,1e308,1E-400]")

    put("shard_index", "two", json.dumps({"metadata": {"total_size": 8}, "weight_map": {
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}))
    put("shard_index", "escape", '{"weight_map":{"a":"../x.safetensors"}}')

    weights = {"num_bits": 4, "type": "int", "symmetric": False, "group_size": 64,
               "strategy": "group", "dynamic": False, "actorder": None}
    activations = {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True}
    put("quantization_config", "mixed", json.dumps({
        "quant_method": "compressed-tensors", "format": "mixed-precision",
        "quantization_status": "compressed", "ignore": ["lm_head", "re:.*gate$"],
        "config_groups": {
            "group_0": {"targets": ["Linear"], "weights": weights, "format": "pack-quantized"},
            "group_1": {"targets": ["re:.*(q|k)_proj$", "model.embed_tokens"],
                        "weights": {"num_bits": 8, "strategy": "channel"},
                        "input_activations": activations, "format": "int-quantized"}},
        "kv_cache_scheme": {"num_bits": 8, "type": "int", "dynamic": True}}))
    put("quantization_config", "farthing", json.dumps({
        "quant_method": "farthing", "config_groups": {
            "g": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "nf4", "group_size": 64}}}}))
    put("quantization_config", "artefact", json.dumps({
        "schema": 1, "tool_version": "0", "source_sha256": "", "recipe": "", "seed": 1,
        "calibration": {"sha256": "", "tokens": 0}, "kv": "bf16", "layers": [
            {"name": "a", "scheme": "w4g64", "error": 0.01,
             "activations": {"mode": "int8", "strategy": "group", "group_size": 64}}]}))

    base = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
            "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "hidden_act": "silu"}
    put("config", "llama", json.dumps({**base, "architectures": ["LlamaForCausalLM"],
        "rope_theta": 1e4, "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 128}}))
    put("config", "new_words", json.dumps({**base, "model_type": "gemma3_text", "head_dim": 16,
        "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 32,
        "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}))
    put("config", "experts", json.dumps({**base, "architectures": ["Qwen3MoeForCausalLM"],
        "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [0]}))
    put("config", "longrope", json.dumps({**base, "architectures": ["Phi3ForCausalLM"],
        "original_max_position_embeddings": 128, "rope_scaling": {
            "type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}}))
    for name in ("OPTForCausalLM", "GPT2LMHeadModel", "GPTNeoXForCausalLM", "FalconForCausalLM",
                 "BloomForCausalLM", "StableLmForCausalLM", "Starcoder2ForCausalLM",
                 "Olmo2ForCausalLM", "GraniteForCausalLM", "CohereForCausalLM"):
        put("config", name, json.dumps({**base, "architectures": [name]}))
    tokenizers()
    recipes()


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value) -> bytes:
    """A protocol buffer's field: bytes, a number or a float."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sentencepiece(kind: int) -> bytes:
    pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3)] + [(f"<0x{i:02X}>", 6) for i in range(256)]
    pieces += [("\u2581", 1), ("a", 1), ("b", 1), ("ab", 1), ("\u2581a", 1), ("<x>", 4)]
    out = b"".join(field(1, field(1, p.encode()) + field(2, -float(i)) + field(3, t))
                   for i, (p, t) in enumerate(pieces))
    out += field(2, field(3, kind) + field(35, 1))
    return out + field(3, field(1, b"identity") + field(3, 1) + field(4, 1) + field(5, 1))


def tokenizers() -> None:
    special = {"id": 0, "content": "<s>", "special": True, "lstrip": True, "normalized": False}
    vocab = {"<s>": 0, "a": 1, "b": 2, "ab": 3, "\u0120": 4, "\u0120a": 5, "\u2581": 6, "<0xCC>": 7}
    bpe = {"type": "BPE", "vocab": vocab, "merges": ["a b", "\u0120 a"], "unk_token": "<s>"}
    split = {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|[^\\s\\p{L}]+"},
             "behavior": "MergedWithNext", "invert": False}
    template = {"type": "TemplateProcessing", "pair": [],
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}}
    files = {
        "byte_level": {"added_tokens": [special], "normalizer": {"type": "NFC"}, "model": bpe,
                       "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                           split, {"type": "ByteLevel", "add_prefix_space": True}]},
                       "post_processor": template, "decoder": {"type": "ByteLevel"}},
        "metaspace": {"model": {**bpe, "byte_fallback": True, "fuse_unk": True,
                                "ignore_merges": True},
                      "normalizer": {"type": "Sequence", "normalizers": [
                          {"type": "Prepend", "prepend": "\u2581"},
                          {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
                      "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581",
                                        "prepend_scheme": "first", "split": True},
                      "decoder": {"type": "Sequence", "decoders": [
                          {"type": "ByteFallback"}, {"type": "Fuse"},
                          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}},
        "unigram": {"model": {"type": "Unigram", "unk_id": 0, "vocab": [
            ["<unk>", 0], ["a", -1.5], ["ab", -2], ["\u2581", -3]]},
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": "CAAAAP//////////AAAA"},
            "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}},
        "word_piece": {"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "a": 1, "##b": 2},
                                 "unk_token": "[UNK]", "max_input_chars_per_word": 9,
                                 "continuing_subword_prefix": "##"},
                       "normalizer": {"type": "BertNormalizer", "lowercase": True,
                                      "strip_accents": True, "handle_chinese_chars": True},
                       "pre_tokenizer": {"type": "BertPreTokenizer"},
                       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}}
    for name, content in files.items():
        put("tokenizer_json", name, json.dumps(content) + "\0ab a\u0301 12<s>")
    for name, kind in (("unigram", 1), ("bpe", 2)):
        put("tokenizer_model", name, sentencepiece(kind))
    put("tokenizer_model", "tiktoken", "".join(
        f"{base64.b64encode(t).decode()} {i}\n"
        for i, t in enumerate([bytes([b]) for b in range(256)] + [b"ab", b" a"])))
    put("vocab_files", "merges", json.dumps(vocab) + "\0#version: 0.2\na b\n\u0120 a\n")
    put("vocab_files", "characters", json.dumps(["a", "b", " "]))
    put("vocab_files", "pieces", json.dumps(
        [{"id": i, "piece": p, "score": -i} for i, p in enumerate(["<unk>", "<s>", "</s>", "a", " "])]))

    numbers = lambda kind, code, values: struct.pack("<IQ", kind, len(values)) + b"".join(
        struct.pack(code, v) for v in values)
    words = lambda values: struct.pack("<IQ", 8, len(values)) + b"".join(text(v) for v in values)
    pieces = ["<unk>", "<s>", "</s>", "a", "b", "ab", "\u2581", "<0xCC>"]
    common = [pair("general.architecture", 8, text("llama")),
              pair("tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 1)),
              pair("tokenizer.ggml.token_type", 9, numbers(5, "<i", [2, 3, 3, 1, 1, 1, 1, 6])),
              pair("tokenizer.ggml.tokens", 9, words(pieces))]
    for model in ("llama", "t5"):
        put("gguf_vocabulary", model, gguf(common + [
            pair("tokenizer.ggml.model", 8, text(model)),
            pair("tokenizer.ggml.scores", 9, numbers(6, "<f", [-float(i) for i in range(8)]))], []))
    put("gguf_vocabulary", "gpt2", gguf(common + [
        pair("tokenizer.ggml.model", 8, text("gpt2")), pair("tokenizer.ggml.pre", 8, text("qwen2")),
        pair("tokenizer.ggml.merges", 9, words(["a b"]))], []))


def recipes() -> None:
    put("recipe", "all", """model: org/name
calibration: {text: [a.txt, "b c.jsonl"], samples: 8, length: 64, seed: 1}
layers:
  - {match: "re:.*", scheme: w4g64}
  - {match: lm_head, scheme: bf16, activations: int16}
steps:
  - rtn: {range: minmax}
  - hqq
activations: int8
kv: int8
seed: 3
""")
    put("recipe", "anchors", "layers: &a\n  - {match: x, scheme: w8c}\nsteps: [rtn]\nx: *a\n")


if __name__ == "__main__":
    main()
