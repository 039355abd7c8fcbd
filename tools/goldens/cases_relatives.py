"""Decoders descended from Llama: RMS norms or bias-free layer norms, RoPE, gated MLPs."""

from checkpoint_maker import DELETED, family

SIZES = {
    "vocab_size": 101, "hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "rope_theta": 1000.0, "bos_token_id": 1, "eos_token_id": 2,
}
RMS = {**SIZES, "hidden_act": "silu", "rms_norm_eps": 0.05}
THETA = {"rope_theta": {"rope_theta": 100.0}}
COMMON = {**THETA, "rms_norm_eps": {"rms_norm_eps": 1e-6}, "hidden_act": {"hidden_act": "gelu"}}
HEAD_NORMS = {"q_norm|k_norm|q_layernorm|k_layernorm": 1.8}
ROUTER = {r"mlp\.gate\.|block_sparse_moe\.gate": 2.0}


def mistral():
    case = family({"model_type": "mistral", **RMS, "sliding_window": 8,
                   "tie_word_embeddings": False}, COMMON)
    narrower = {"window of 7": {"sliding_window": 7}}
    return [
        case("mistral-window", {}, {"no window": {"sliding_window": 4096}, **narrower}),
        case("mistral-head-dim-no-window", {"head_dim": 12, "sliding_window": None}),
        case("mistral-window-new", {"head_dim": 10, "sliding_window": 5}, spelling="new",
             mutations={"no window": {"sliding_window": 4096}}),
    ]


def mixtral():
    case = family({"model_type": "mixtral", **RMS, "num_local_experts": 4, "intermediate_size": 24,
                   "num_experts_per_tok": 2, "sliding_window": None, "output_router_logits": False,
                   "router_aux_loss_coef": 0.02, "tie_word_embeddings": False}, COMMON,
                  gains=ROUTER)
    top = {"one expert": {"num_experts_per_tok": 1}}
    return [
        case("mixtral", {}, top),
        case("mixtral-fused-experts-new", {"num_experts_per_tok": 3, "sliding_window": 9},
             {**top, "no window": {"sliding_window": 4096}}, spelling="new",
             original_format=False),
    ]


def qwen():
    qwen2 = family({"model_type": "qwen2", **RMS, "use_sliding_window": False,
                    "sliding_window": 9, "max_window_layers": 1, "tie_word_embeddings": True},
                   COMMON)
    qwen3 = family({"model_type": "qwen3", **RMS, "head_dim": 10, "attention_bias": False,
                    "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2,
                    "tie_word_embeddings": False}, COMMON, gains=HEAD_NORMS)
    moe = family({"model_type": "qwen3_moe", **RMS, "head_dim": 10, "attention_bias": False,
                  "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2,
                  "decoder_sparse_step": 1, "mlp_only_layers": [], "num_experts": 5,
                  "num_experts_per_tok": 2, "moe_intermediate_size": 20, "norm_topk_prob": True,
                  "output_router_logits": False, "router_aux_loss_coef": 0.001,
                  "tie_word_embeddings": False}, COMMON, gains={**HEAD_NORMS, **ROUTER})
    windowed = {"use_sliding_window": True, "num_hidden_layers": 3}
    no_window = {"no window": {"use_sliding_window": False}}
    yarn = {"rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 64,
                             "type": "yarn"}}
    return [
        # A window that use_sliding_window switches off.
        qwen2("qwen2", {}, {"with window": {"use_sliding_window": True}}),
        qwen2("qwen2-window", windowed,
              {**no_window, "windows from layer 2": {"max_window_layers": 2}}),
        qwen2("qwen2-window-new", {**windowed, "tie_word_embeddings": False}, no_window,
              spelling="new"),
        qwen2("qwen2-yarn", {**yarn, "hidden_size": 48, "tie_word_embeddings": False},
              {"no scaling": {"rope_scaling": None}}),
        qwen3("qwen3", {}),
        qwen3("qwen3-tied-bias-new", {"tie_word_embeddings": True, "attention_bias": True,
                                      "num_key_value_heads": 1}, spelling="new"),
        moe("qwen3-moe", {}, {"norm_topk_prob": {"norm_topk_prob": False}}),
        moe("qwen3-moe-plain-probabilities", {"norm_topk_prob": False},
            {"norm_topk_prob": {"norm_topk_prob": True}}),
        moe("qwen3-moe-mlp-only-layers", {"mlp_only_layers": [0], "num_hidden_layers": 3,
                                          "intermediate_size": 40, "num_experts": 3}),
        moe("qwen3-moe-sparse-step-fused-new", {"decoder_sparse_step": 2, "num_hidden_layers": 3,
                                                "intermediate_size": 40, "num_experts": 3},
            spelling="new", original_format=False),
    ]


def gemma():
    shape = {**RMS, "head_dim": 10, "attention_bias": False, "pad_token_id": 0}
    gains = {"embed_tokens": 0.3}
    one = family({"model_type": "gemma", **shape, "hidden_act": "gelu"},
                 {**THETA, "rms_norm_eps": {"rms_norm_eps": 1e-6}}, gains=gains)
    shape.pop("hidden_act")
    activation = {**THETA, "rms_norm_eps": {"rms_norm_eps": 1e-6},
                  "activation": {"hidden_activation": "silu"},
                  "query_pre_attn_scalar": {"query_pre_attn_scalar": 10}}
    two = family({"model_type": "gemma2", **shape, "hidden_act": "gelu_pytorch_tanh",
                  "hidden_activation": "gelu_pytorch_tanh", "attn_logit_softcapping": 4.0,
                  "final_logit_softcapping": 2.0, "query_pre_attn_scalar": 6,
                  "sliding_window": 7, "cache_implementation": "hybrid"},
                 {**activation, "no attention cap": {"attn_logit_softcapping": 1e9},
                  "no final cap": {"final_logit_softcapping": 1e9},
                  "no window": {"sliding_window": 4096}}, gains=gains)
    three = family({"model_type": "gemma3_text", **shape,
                    "hidden_activation": "gelu_pytorch_tanh", "attn_logit_softcapping": None,
                    "final_logit_softcapping": None, "query_pre_attn_scalar": 6,
                    "rope_local_base_freq": 50.0, "rope_scaling": None, "sliding_window": 7,
                    "sliding_window_pattern": 3, "num_hidden_layers": 3},
                   {**activation, "no window": {"sliding_window": 4096},
                    "local base": {"rope_local_base_freq": 1000.0},
                    "pattern": {"sliding_window_pattern": 2}},
                   gains={**gains, **HEAD_NORMS})
    return [
        one("gemma", {"num_key_value_heads": 1}),
        one("gemma-new", {"num_key_value_heads": 4, "head_dim": 12}, spelling="new"),
        two("gemma2", {}),
        two("gemma2-new", {"num_hidden_layers": 3, "head_dim": 8}, spelling="new"),
        three("gemma3", {}),
        three("gemma3-linear-new", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
              {"no scaling": {"rope_scaling": None}}, spelling="new"),
        three("gemma3-linear", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
              {"no scaling": {"rope_scaling": None}}),
    ]


def phi3():
    case = family({"model_type": "phi3", **RMS, "original_max_position_embeddings": 64,
                   "rope_scaling": None, "sliding_window": 9, "tie_word_embeddings": False,
                   "attention_bias": False, "pad_token_id": 3}, COMMON)
    factors = {"short_factor": [1.0, 1.3, 2.0, 3.5], "long_factor": [1.5, 4.0, 9.0, 20.0]}
    other = {"short_factor": [1.0] * 4, "long_factor": [1.0] * 4}
    plain = {"sliding_window": 4096}
    return [
        case("phi3-window", {}, {"no window": {"sliding_window": 4096}}),
        case("phi3-su-short", {**plain, "rope_scaling": {"type": "longrope", **factors}},
             {"plain factors": {"rope_scaling": {"type": "longrope", **other}},
              "attention factor": {"max_position_embeddings": 64}},
             respelled={"rope_scaling": {"type": "su", **factors}}),
        # The file leaves the context out: the default of the family counts.
        case("phi3-longrope-unsaid-context",
             {**plain, "max_position_embeddings": DELETED,
              "rope_scaling": {"type": "longrope", **factors}},
             {"attention factor": {"max_position_embeddings": 2048}}),
        # The sequence is longer than the original context: the long factors.
        case("phi3-longrope-long", {**plain, "original_max_position_embeddings": 16,
                                    "rope_scaling": {"type": "longrope", **factors}},
             {"short factors": {"rope_scaling": {
                 "type": "longrope", "short_factor": factors["short_factor"],
                 "long_factor": factors["short_factor"]}}}),
        # Phi-4-mini: part of each head rotates, the head is the embedding.
        case("phi3-partial-rotary-tied",
             {**plain, "partial_rotary_factor": 0.5, "tie_word_embeddings": True,
              "rope_scaling": {"type": "longrope", "short_factor": [1.2, 3.0],
                               "long_factor": [2.0, 6.0]}},
             {"whole heads": {"partial_rotary_factor": 1.0, "rope_scaling": None}}),
        case("phi3-longrope-new", {**plain, "rope_scaling": {"type": "longrope", **factors}},
             {"plain factors": {"rope_scaling": {"type": "longrope", **other}}}, spelling="new"),
    ]


def stablelm():
    shape = {**SIZES, "hidden_act": "silu", "layer_norm_eps": 0.05}
    case = family({"model_type": "stablelm", **shape, "partial_rotary_factor": 0.5,
                   "use_qkv_bias": False, "qk_layernorm": False, "use_parallel_residual": False,
                   "tie_word_embeddings": False},
                  {**THETA, "layer_norm_eps": {"layer_norm_eps": 1e-6},
                   "hidden_act": {"hidden_act": "gelu"},
                   "partial_rotary_factor": {"partial_rotary_factor": 1.0}}, gains=HEAD_NORMS)
    return [
        case("stablelm", {"num_attention_heads": 2, "partial_rotary_factor": 0.25}),
        case("stablelm-qkv-bias", {"use_qkv_bias": True}),
        case("stablelm-parallel-head-norms", {"use_parallel_residual": True, "qk_layernorm": True}),
        case("stablelm-head-norms-new", {"qk_layernorm": True}, spelling="new"),
    ]


def starcoder2():
    shape = {**SIZES, "hidden_act": "gelu_pytorch_tanh", "norm_epsilon": 0.05}
    case = family({"model_type": "starcoder2", **shape, "use_bias": True, "sliding_window": 9,
                   "norm_type": "layer_norm", "mlp_type": "default"},
                  {**THETA, "norm_epsilon": {"norm_epsilon": 1e-6},
                   "hidden_act": {"hidden_act": "relu"},
                   "no window": {"sliding_window": 4096}})
    return [
        case("starcoder2", {}),
        case("starcoder2-untied-no-bias-new", {"use_bias": False, "tie_word_embeddings": False},
             spelling="new"),
    ]


def others():
    olmo2 = family({"model_type": "olmo2", **RMS, "tie_word_embeddings": False,
                    "attention_bias": False, "pad_token_id": 0}, COMMON, gains=HEAD_NORMS)
    granite = family({"model_type": "granite", **RMS, "attention_bias": False, "mlp_bias": False,
                      "attention_multiplier": 0.25, "embedding_multiplier": 6.0,
                      "logits_scaling": 4.0, "residual_multiplier": 0.4, "rope_scaling": None,
                      "tie_word_embeddings": True},
                     {**COMMON, **{key: {key: 1.0} for key in (
                         "attention_multiplier", "embedding_multiplier", "logits_scaling",
                         "residual_multiplier")}}, gains={"embed_tokens": 0.15})
    cohere_shape = {**SIZES, "hidden_act": "silu", "layer_norm_eps": 0.05, "logit_scale": 0.125,
                    "pad_token_id": 0, "bos_token_id": 5}
    cohere_common = {**THETA, "layer_norm_eps": {"layer_norm_eps": 1e-6},
                     "hidden_act": {"hidden_act": "gelu"}, "logit_scale": {"logit_scale": 1.0}}
    cohere = family({"model_type": "cohere", **cohere_shape, "use_qk_norm": False},
                    cohere_common, gains=HEAD_NORMS)
    cohere2 = family({"model_type": "cohere2", **cohere_shape, "sliding_window": 7,
                      "sliding_window_pattern": 3, "num_hidden_layers": 3,
                      "rotary_pct": 1.0, "use_gated_activation": True,
                      "use_parallel_block": True, "use_qk_norm": False},
                     {**cohere_common, "no window": {"sliding_window": 4096},
                      "pattern": {"sliding_window_pattern": 2}})
    return [
        olmo2("olmo2", {}),
        olmo2("olmo2-bias-new", {"attention_bias": True, "num_key_value_heads": 4},
              spelling="new"),
        granite("granite", {}),
        granite("granite-biases-untied-new", {"attention_bias": True, "mlp_bias": True,
                                              "tie_word_embeddings": False}, spelling="new"),
        cohere("cohere", {}),
        cohere("cohere-head-norms", {"use_qk_norm": True}),
        cohere("cohere-bias-new", {"attention_bias": True}, spelling="new"),
        cohere2("cohere2", {}),
        cohere2("cohere2-new", {}, spelling="new"),
    ]


def cases():
    return (mistral() + mixtral() + qwen() + gemma() + phi3() + stablelm() + starcoder2() +
            others())
