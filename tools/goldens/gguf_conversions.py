"""How llama.cpp's converter turns checkpoints of each family into GGUF tensors and metadata."""

import math

import gguf
import torch


def sizes(config, **more):
    """Metadata that every family has."""
    get = lambda *keys: next((config[k] for k in keys if config.get(k) is not None), None)
    heads, hidden = get("num_attention_heads", "n_head"), get("hidden_size", "n_embd", "n_embed")
    meta = {
        "block_count": get("num_hidden_layers", "n_layer"),
        "context_length": get("max_position_embeddings", "n_positions") or 2048,
        "embedding_length": hidden,
        "feed_forward_length": get("intermediate_size", "n_inner") or 4 * hidden,
        "attention.head_count": heads,
        "attention.head_count_kv": get("num_key_value_heads") or heads,
        "vocab_size": config["vocab_size"],
    }
    if get("rms_norm_eps"):
        meta["attention.layer_norm_rms_epsilon"] = float(config["rms_norm_eps"])
    epsilon = get("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")
    if epsilon:
        meta["attention.layer_norm_epsilon"] = float(epsilon)
    if get("rope_theta"):
        meta["rope.freq_base"] = float(config["rope_theta"])
    head_dim = config.get("head_dim")
    if head_dim:
        meta |= {"attention.key_length": head_dim, "attention.value_length": head_dim}
    meta["rope.dimension_count"] = head_dim or hidden // heads
    return {**meta, **more}


def renamed(kind, config, tensors, change=lambda name, tensor: tensor):
    """Tensors by the names of gguf's own map, after change(name, tensor)."""
    layers = config.get("num_hidden_layers") or config.get("n_layer")
    names = gguf.get_tensor_name_map(kind, layers)
    out = {}
    for name, tensor in tensors.items():
        base, _, end = name.rpartition(".")
        found = names.get_name(base) or names.get_name(base.removeprefix("transformer."))
        if found is None:
            raise KeyError(f"{name} has no GGUF name")
        out[f"{found}.{end}"] = change(name, tensor)
    return out


def pairs_side_by_side(config):
    """Rows of Q and K in the order of interleaved rotary pairs."""

    def change(name, tensor):
        if not any(part in name for part in ("q_proj", "k_proj")):
            return tensor
        heads = config["num_attention_heads" if "q_proj" in name else "num_key_value_heads"]
        halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
        return halves.swapaxes(1, 2).reshape(tensor.shape)

    return change


def llama(config, tensors):
    meta = sizes(config)
    out = renamed(gguf.MODEL_ARCH.LLAMA, config, tensors, pairs_side_by_side(config))
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind in ("linear", "yarn"):
        meta |= {"rope.scaling.type": kind, "rope.scaling.factor": float(scaling["factor"])}
    if kind == "yarn":
        meta["rope.scaling.original_context_length"] = scaling["original_max_position_embeddings"]
    if kind == "llama3":
        out["rope_freqs.weight"] = torch.tensor(llama3_factors(config, scaling))
    return "llama", meta, out


def llama3_factors(config, scaling):
    dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    original = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    factors = []
    for i in range(0, dim, 2):
        wave = 2 * math.pi * config["rope_theta"] ** (i / dim)
        if wave < original / high:
            factors.append(1.0)
        elif wave > original / low:
            factors.append(scaling["factor"])
        else:
            smooth = (original / wave - low) / (high - low)
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return factors


def experts_of(config, tensors, pattern, parts):
    tensors = dict(tensors)
    count = config.get("num_local_experts") or config["num_experts"]
    for layer in range(config["num_hidden_layers"]):
        for part, name in parts.items():
            tensors[f"model.layers.{layer}.mlp.experts.{name}.weight"] = torch.stack(
                [tensors.pop(pattern.format(layer, e, part)) for e in range(count)])
    return tensors


def mixtral(config, tensors):
    tensors = experts_of(config, tensors,
                         "model.layers.{}.block_sparse_moe.experts.{}.{}.weight",
                         {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"})
    meta = sizes(config, expert_count=config["num_local_experts"],
                 expert_used_count=config["num_experts_per_tok"])
    return "llama", meta, renamed(gguf.MODEL_ARCH.LLAMA, config, tensors,
                                  pairs_side_by_side(config))


def qwen3moe(config, tensors):
    tensors = experts_of(config, tensors, "model.layers.{}.mlp.experts.{}.{}.weight",
                         {p: p for p in ("gate_proj", "down_proj", "up_proj")})
    meta = sizes(config, expert_count=config["num_experts"],
                 expert_used_count=config["num_experts_per_tok"],
                 expert_feed_forward_length=config["moe_intermediate_size"])
    return "qwen3moe", meta, renamed(gguf.MODEL_ARCH.QWEN3MOE, config, tensors)


def plain(architecture, kind, **keys):
    """Names change and nothing else; keys: GGUF's to config.json's."""

    def convert(config, tensors):
        more = {ours: config[theirs] for ours, theirs in keys.items() if theirs in config}
        more = {k: float(v) if isinstance(v, float) else v for k, v in more.items()}
        return architecture, sizes(config, **{k.replace("__", "."): v for k, v in more.items()}), \
            renamed(kind, config, tensors)

    return convert


def gemma(architecture, kind, **keys):
    def convert(config, tensors):
        name, meta, _ = plain(architecture, kind, **keys)(config, {})
        change = lambda n, t: t.float() + 1 if n.endswith("norm.weight") else t
        return name, meta, renamed(kind, config, tensors, change)

    return convert


def phi3(config, tensors):
    dim = config["hidden_size"] // config["num_attention_heads"]
    original = config["original_max_position_embeddings"]
    meta = sizes(config, attention__sliding_window=config["sliding_window"])
    meta = {k.replace("__", "."): v for k, v in meta.items()}
    meta["rope.scaling.original_context_length"] = original
    meta["rope.dimension_count"] = int(dim * config.get("partial_rotary_factor", 1.0))
    out = renamed(gguf.MODEL_ARCH.PHI3, config, tensors)
    scaling = config.get("rope_scaling")
    if scaling:
        ratio = config["max_position_embeddings"] / original
        meta["rope.scaling.attn_factor"] = math.sqrt(1 + math.log(ratio) / math.log(original))
        for length in ("long", "short"):
            out[f"rope_factors_{length}.weight"] = torch.tensor(scaling[f"{length}_factor"])
    return "phi3", meta, out


def gpt2(config, tensors):
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    return "gpt2", sizes(config), renamed(
        gguf.MODEL_ARCH.GPT2, config, tensors, lambda n, t: t.T if n.endswith(turned) else t)


def fused(architecture, kind, **more):
    """Queries, keys and values of a group of heads become all queries, all keys, all values."""

    def convert(config, tensors):
        meta = sizes(config)
        heads = meta["attention.head_count"]
        groups = heads
        if architecture == "falcon":
            groups = config["num_kv_heads"] if config["new_decoder_architecture"] else 1
            meta["attention.head_count_kv"] = groups
        dim = meta["embedding_length"] // heads

        def change(name, tensor):
            if "query_key_value" not in name:
                return tensor
            grouped = tensor.reshape(groups, heads // groups + 2, dim, *tensor.shape[1:])
            rows = [grouped[:, :-2], grouped[:, -2:-1], grouped[:, -1:]]
            return torch.cat([r.reshape(-1, *tensor.shape[1:]) for r in rows])

        meta.update({key: value(config) for key, value in more.items()})
        meta = {k.replace("__", "."): v for k, v in meta.items()}
        return architecture, meta, renamed(kind, config, tensors, change)

    return convert


def stablelm(config, tensors):
    tensors = dict(tensors)
    for layer in range(config["num_hidden_layers"]):
        for part, heads in (("q", "num_attention_heads"), ("k", "num_key_value_heads")):
            start = f"model.layers.{layer}.self_attn.{part}_layernorm"
            if f"{start}.norms.0.weight" in tensors:
                tensors[f"{start}.weight"] = torch.stack(
                    [tensors.pop(f"{start}.norms.{h}.weight") for h in range(config[heads])])
    meta = sizes(config, use_parallel_residual=config["use_parallel_residual"])
    meta["rope.dimension_count"] = int(
        config["partial_rotary_factor"] * config["hidden_size"] // config["num_attention_heads"])
    return "stablelm", meta, renamed(gguf.MODEL_ARCH.STABLELM, config, tensors)


def granite(config, tensors):
    meta = sizes(config, **{"attention.scale": float(config["attention_multiplier"]),
                            "embedding_scale": float(config["embedding_multiplier"]),
                            "residual_scale": float(config["residual_multiplier"]),
                            "logit_scale": float(config["logits_scaling"])})
    return "granite", meta, renamed(gguf.MODEL_ARCH.GRANITE, config, tensors,
                                    pairs_side_by_side(config))


A = gguf.MODEL_ARCH
CAPS = {"attn_logit_softcapping": "attn_logit_softcapping",
        "final_logit_softcapping": "final_logit_softcapping",
        "attention__sliding_window": "sliding_window"}
NO_WINDOW = {"sliding_window": None}


def family(name, convert, **config):
    return name, {"convert": convert, "config": config}


# Family of GGUF files: the case that it starts from, its conversion, other sizes.
FAMILIES = {
    "llama": family("llama-gqa", llama),
    "llama-tied": family("llama-tied", llama),
    "llama-llama3": family("llama-llama3", llama),
    "llama-linear": family("llama-linear", llama),
    "llama-yarn": family("llama-yarn", llama),
    "mixtral": family("mixtral", mixtral),
    "qwen2": family("qwen2", plain("qwen2", A.QWEN2)),
    "qwen3": family("qwen3", plain("qwen3", A.QWEN3)),
    "qwen3moe": family("qwen3-moe", qwen3moe),
    "gemma": family("gemma", gemma("gemma", A.GEMMA)),
    "gemma2": family("gemma2", gemma("gemma2", A.GEMMA2, **CAPS), query_pre_attn_scalar=10),
    "gemma3": family("gemma3", gemma("gemma3", A.GEMMA3, attention__sliding_window="sliding_window"),
                     query_pre_attn_scalar=10, sliding_window_pattern=6, num_hidden_layers=7,
                     rope_local_base_freq=10000.0),
    # llama.cpp chooses the factors by the context that it is started with, 256 at least.
    "phi3": family("phi3-longrope-new", phi3, original_max_position_embeddings=256,
                   max_position_embeddings=1024),
    "gpt2": family("gpt2", gpt2),
    "gptneox": family("gpt-neox-parallel", fused(
        "gptneox", A.GPTNEOX, use_parallel_residual=lambda c: c["use_parallel_residual"],
        rope__freq_base=lambda c: float(c["rotary_emb_base"]),
        rope__dimension_count=lambda c: int(
            c["rotary_pct"] * c["hidden_size"] // c["num_attention_heads"])),
        rotary_emb_base=10000),
    "falcon-7b": family("falcon-7b", fused("falcon", A.FALCON)),
    "falcon-40b": family("falcon-40b", fused("falcon", A.FALCON)),
    "bloom": family("bloom", fused("bloom", A.BLOOM)),
    "stablelm": family("stablelm-qkv-bias", stablelm),
    "stablelm-12b": family("stablelm-parallel-head-norms", stablelm),
    "starcoder2": family("starcoder2", plain("starcoder2", A.STARCODER2), **NO_WINDOW),
    "olmo2": family("olmo2", plain("olmo2", A.OLMO2)),
    "granite": family("granite", granite),
    "command-r": family("cohere", plain("command-r", A.COMMAND_R, logit_scale="logit_scale")),
    "cohere2": family("cohere2", plain("cohere2", A.COHERE2, logit_scale="logit_scale",
                                       attention__sliding_window="sliding_window"),
                      sliding_window_pattern=4, num_hidden_layers=4),
}
