#!/usr/bin/env python3
"""Writes tests/golden/quantized: a tiny Llama as GPTQ, AWQ, AutoRound and compressed-tensors keep it.

    python tools/goldens/make_quantized.py

Each folder is a checkpoint with the logits that transformers computes in FP32 from the weights which
its codes stand for. The packing follows AutoGPTQ's QuantLinear.pack (2, 3, 4 and 8 bits; version 1
stores zero points less one), AutoAWQ's WQLinear_GEMM.from_linear and compressed-tensors' documented
layouts, word by word as those loops have it and not as Farthing does. numpy, torch, transformers.
"""

import json
import pathlib
import shutil

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/quantized"
CONFIG = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
              num_key_value_heads=2, vocab_size=64, max_position_embeddings=64, rms_norm_eps=1e-5,
              tie_word_embeddings=False, attention_bias=False, hidden_act="silu")
TOKENS = np.array([3, 17, 42, 8, 60, 1, 33, 25, 9, 50], dtype=np.int32)
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def pack_gptq_codes(codes, bits):
    """codes (in, out) -> qweight, as QuantLinear.pack."""
    codes = codes.astype(np.uint32)
    words = np.zeros((codes.shape[0] // 32 * bits, codes.shape[1]), dtype=np.uint32)
    i = row = 0
    while row < words.shape[0]:
        if bits in (2, 4, 8):
            for j in range(i, i + 32 // bits):
                words[row] |= codes[j] << np.uint32(bits * (j - i))
            i += 32 // bits
            row += 1
        else:  # 3 bits: ten codes and a part of the next, three words for 32 codes
            for j in range(i, i + 10):
                words[row] |= codes[j] << np.uint32(3 * (j - i))
            i += 10
            words[row] |= codes[i] << np.uint32(30)
            row += 1
            words[row] |= (codes[i] >> np.uint32(2)) & np.uint32(1)
            i += 1
            for j in range(i, i + 10):
                words[row] |= codes[j] << np.uint32(3 * (j - i) + 1)
            i += 10
            words[row] |= codes[i] << np.uint32(31)
            row += 1
            words[row] |= (codes[i] >> np.uint32(1)) & np.uint32(3)
            i += 1
            for j in range(i, i + 10):
                words[row] |= codes[j] << np.uint32(3 * (j - i) + 2)
            i += 10
            row += 1
    return words.view(np.int32)


def pack_gptq_zeros(zeros, bits):
    """zeros (groups, out) -> qzeros: the same along the outputs."""
    return np.ascontiguousarray(pack_gptq_codes(np.ascontiguousarray(zeros.T), bits).T)


def pack_awq(codes):
    """codes (rows, out) -> words (rows, out / 8)."""
    words = np.zeros((codes.shape[0], codes.shape[1] // 8), dtype=np.uint32)
    for col in range(words.shape[1]):
        for i in range(8):
            words[:, col] |= codes[:, col * 8 + AWQ_ORDER[i]].astype(np.uint32) << np.uint32(4 * i)
    return words.view(np.int32)


def pack_rows(codes, bits):
    """compressed-tensors' pack_to_int32 along the last dimension, for bits that divide 32."""
    per = 32 // bits
    codes = codes.astype(np.uint32).reshape(codes.shape[0], -1, per)
    shifts = np.arange(per, dtype=np.uint32) * np.uint32(bits)
    return np.bitwise_or.reduce(codes << shifts, axis=2).view(np.int32)


class Rounded:
    """A weight (out, in) on a grid: codes (in, out), scales and zeros (groups, out), group of input."""

    def __init__(self, weight, bits, group, sym, order, rng, dtype=np.float16):
        inputs, outputs = weight.shape[1], weight.shape[0]
        self.bits, self.shape = bits, weight.shape
        group = inputs if group < 0 else group
        groups = inputs // group
        self.index = np.arange(inputs) // group
        if order:
            self.index = rng.permutation(self.index)
        top = 2 ** bits - 1
        self.scales = np.zeros((groups, outputs), dtype=np.float32)
        self.zeros = np.full((groups, outputs), 2 ** (bits - 1), dtype=np.int64)
        for g in range(groups):
            part = weight[:, self.index == g]
            if sym:
                scale = np.abs(part).max(1) / (2 ** (bits - 1) - 0.5)
            else:
                low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
                scale = (high - low) / top
                self.zeros[g] = np.clip(np.round(-low / scale), 0, top)
            self.scales[g] = scale
        if not sym:
            self.zeros[0, 0] = 0  # what version 1 has no word for but modulo the grid
        self.scales = self.scales.astype(dtype)
        s = self.scales.astype(np.float32)[self.index]
        z = self.zeros[self.index]
        self.codes = np.clip(np.round(weight.T / s) + z, 0, top).astype(np.int64)
        self.floats = ((self.codes - z).astype(np.float32) * s).T


def linears(model):
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            yield name, module


def gptq(version, with_index=True):
    def tensors(base, r):
        less = 1 if version == 1 else 0
        parts = {f"{base}.qweight": pack_gptq_codes(r.codes, r.bits),
                 f"{base}.qzeros": pack_gptq_zeros((r.zeros - less) & (2 ** r.bits - 1), r.bits),
                 f"{base}.scales": r.scales}
        if with_index:
            parts[f"{base}.g_idx"] = r.index.astype(np.int32)
        return parts
    return tensors


def awq(base, r):
    return {f"{base}.qweight": pack_awq(r.codes), f"{base}.qzeros": pack_awq(r.zeros),
            f"{base}.scales": r.scales}


def compressed(base, r):
    """pack-quantized, symmetric: codes and the group of each input in the inputs' own order."""
    return {f"{base}.weight_packed": pack_rows(r.codes.T, r.bits),
            f"{base}.weight_scale": np.ascontiguousarray(r.scales.T),
            f"{base}.weight_shape": np.array(r.shape, dtype=np.int64),
            f"{base}.weight_g_idx": r.index.astype(np.int32)}


MX_LEVELS = np.array([0, .5, 1, 1.5, 2, 3, 4, 6], dtype=np.float32)


class Mxfp4:
    def __init__(self, weight):
        blocks = weight.reshape(weight.shape[0], -1, 32)
        exponent = np.floor(np.log2(np.abs(blocks).max(2))) - 2
        scaled = blocks / np.exp2(exponent)[..., None]
        level = np.abs(np.abs(scaled)[..., None] - MX_LEVELS).argmin(-1)
        self.codes = (level + np.where(scaled < 0, 8, 0)).reshape(weight.shape).astype(np.uint8)
        self.exponents = (exponent + 127).astype(np.uint8)
        signed = np.where(scaled < 0, -1, 1) * MX_LEVELS[level]
        self.floats = (signed * np.exp2(exponent)[..., None]).reshape(weight.shape).astype(np.float32)


def mxfp4(base, r):
    return {f"{base}.weight_packed": (r.codes[:, 0::2] | r.codes[:, 1::2] << 4),
            f"{base}.weight_scale": r.exponents}


GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm"}
GROUP = {"targets": ["Linear"], "input_activations": None, "output_activations": None}


def ct(format, weights):
    return {"quant_method": "compressed-tensors", "format": format, "ignore": ["lm_head"],
            "config_groups": {"group_0": {**GROUP, "weights": weights, "format": format}},
            "quantization_status": "compressed", "kv_cache_scheme": None,
            "sparsity_config": {"format": "dense", "sparsity_structure": "unstructured"}}


# name: (bits, group, symmetric, random order, tensors, quantization_config)
CASES = {
    "gptq-v1": (4, 32, True, False, gptq(1), {**GPTQ, "checkpoint_format": "gptq"}),
    "gptq-v1-asym": (4, 32, False, False, gptq(1), {**GPTQ, "sym": False}),
    "gptq-v2-asym": (4, 32, False, False, gptq(2),
                     {**GPTQ, "sym": False, "checkpoint_format": "gptq_v2"}),
    "gptq-v2-unsaid": (4, 32, True, False, gptq(2, with_index=False), GPTQ),
    "gptq-act-order": (4, 16, False, True, gptq(1),
                       {**GPTQ, "sym": False, "desc_act": True, "group_size": 16}),
    "gptq-3-bit": (3, 32, False, False, gptq(1), {**GPTQ, "bits": 3, "sym": False}),
    "gptq-8-bit": (8, -1, True, False, gptq(1), {**GPTQ, "bits": 8, "group_size": -1}),
    "gptq-2-bit": (2, 16, False, False, gptq(2),
                   {**GPTQ, "bits": 2, "group_size": 16, "sym": False,
                    "checkpoint_format": "gptq_v2"}),
    "awq": (4, 32, False, False, awq, AWQ),
    "auto-round-gptq": (4, 32, True, False, gptq(1, with_index=False),
                        {"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": True,
                         "data_type": "int", "packing_format": "auto_round:auto_gptq",
                         "extra_config": {"lm_head": {"bits": 16, "data_type": "float"}}}),
    "auto-round-awq": (4, 32, False, False, awq,
                       {"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": False,
                        "data_type": "int", "packing_format": "auto_round:auto_awq"}),
    "compressed-tensors-group-order": (
        4, 32, True, True, compressed,
        ct("pack-quantized", {"num_bits": 4, "type": "int", "symmetric": True, "group_size": 32,
                              "strategy": "group", "actorder": "group", "dynamic": False})),
    "compressed-tensors-mxfp4": (
        4, 32, True, False, mxfp4,
        ct("mxfp4-pack-quantized", {"num_bits": 4, "type": "float", "symmetric": True,
                                    "group_size": 32, "strategy": "group", "dynamic": False,
                                    "scale_dtype": "torch.uint8"})),
}


def main():
    torch.set_num_threads(1)
    for number, (name, (bits, group, sym, order, tensors, quantization)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        model = LlamaForCausalLM(LlamaConfig(**CONFIG)).float().eval()
        stored = {}
        indices = {}  # linears with the same input share one order, as GPTQ gives them
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                spread = 0.15 if parameter.dim() == 2 else 0.1
                start = 0.0 if parameter.dim() == 2 else 1.0
                parameter.copy_(start + spread * torch.randn_like(parameter))
                if "embed" in key or "lm_head" in key:
                    parameter.mul_(4)
            for base, module in linears(model):
                weight = module.weight.numpy().copy()
                if tensors is mxfp4:
                    made = Mxfp4(weight)
                else:
                    fed = base.replace("k_proj", "q_proj").replace("v_proj", "q_proj").replace(
                        "up_proj", "gate_proj")
                    seed = indices.setdefault(fed, len(indices))
                    made = Rounded(weight, bits, group, sym, order, np.random.default_rng(seed))
                stored.update(tensors(base, made))
                module.weight.copy_(torch.from_numpy(np.ascontiguousarray(made.floats)))
            for key, parameter in model.named_parameters():
                if any(key.startswith(base + ".") for base, _ in linears(model)):
                    continue
                parameter.copy_(parameter.half().float())
                stored[key] = parameter.numpy().astype(np.float16)
            logits = model(torch.from_numpy(TOKENS).long()[None]).logits[0].numpy()
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
                  "rope_theta": 10000.0, **CONFIG, "quantization_config": quantization}
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        save_file({k: np.ascontiguousarray(v) for k, v in stored.items()},
                  folder / "model.safetensors", metadata={"format": "pt"})
        np.save(folder / "tokens.npy", TOKENS)
        np.save(folder / "logits.npy", logits.astype(np.float32))
        print(name, float(np.abs(logits).max()), flush=True)


if __name__ == "__main__":
    main()
