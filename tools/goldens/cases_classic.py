"""Decoders with layer norms and biases: OPT, GPT-2, GPT-NeoX, Falcon, BLOOM."""

import torch

from checkpoint_maker import DELETED, family

FLAT_SOFTMAX = "adds the same to all scores of a row: the softmax does not see it"


def opt():
    case = family({
        "model_type": "opt", "vocab_size": 102, "hidden_size": 32, "ffn_dim": 60,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 40,
        "activation_function": "relu", "do_layer_norm_before": True, "word_embed_proj_dim": 32,
        "dropout": 0.1, "attention_dropout": 0.0, "bos_token_id": 2, "eos_token_id": 2,
        "pad_token_id": 1, "prefix": "</s>",
    }, {"activation": {"activation_function": "gelu"}},
        indifferent={r"k_proj\.bias": FLAT_SOFTMAX})

    def without_model_prefix(tensors):  # facebook/opt-125m
        return {k.removeprefix("model."): v for k, v in tensors.items()}

    return [
        case("opt", {}, dtype="F16"),
        case("opt-bare-names", {}, edit=without_model_prefix),
        # OPT-350m: norms after the residual, no final norm, embeddings narrower than the stream.
        case("opt-post-norm-projected", {"do_layer_norm_before": False, "word_embed_proj_dim": 20},
             {"post-norm": {"do_layer_norm_before": True}}),
        case("opt-no-bias-no-affine", {"enable_bias": False, "layer_norm_elementwise_affine": False,
                                       "activation_function": "gelu"},
             {"activation": {"activation_function": "relu"}}, dtype="F32"),
        case("opt-no-final-norm-untied-new", {"_remove_final_layer_norm": True,
                                              "tie_word_embeddings": False}, spelling="new"),
    ]


def gpt2():
    case = family({
        "model_type": "gpt2", "vocab_size": 103, "n_embd": 32, "n_layer": 2, "n_head": 4,
        "n_positions": 40, "n_ctx": 40, "activation_function": "gelu_new",
        "layer_norm_epsilon": 0.05, "bos_token_id": 0, "eos_token_id": 0,
    }, {"activation": {"activation_function": "relu"},
        "epsilon": {"layer_norm_epsilon": 1e-5}})

    def as_on_the_hub(tensors):  # no prefix, and the causal mask is stored with each layer
        tensors = {k.removeprefix("transformer."): v for k, v in tensors.items()}
        for layer in range(2):
            tensors[f"h.{layer}.attn.bias"] = torch.ones(40, 40).tril().reshape(1, 1, 40, 40)
        return tensors

    return [
        case("gpt2", {}, dtype="F32", edit=as_on_the_hub),
        case("gpt2-scaled-by-layer", {"scale_attn_by_inverse_layer_idx": True, "n_inner": 50},
             {"inverse layer": {"scale_attn_by_inverse_layer_idx": False}},
             respelled={"reorder_and_upcast_attn": True}),  # says nothing to FP32
        case("gpt2-unscaled-new", {"scale_attn_weights": False, "tie_word_embeddings": False},
             {"scale": {"scale_attn_weights": True}}, spelling="new", gains={"c_attn": 1.0}),
    ]


def gpt_neox():
    case = family({
        "model_type": "gpt_neox", "vocab_size": 104, "hidden_size": 32, "intermediate_size": 60,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64,
        "hidden_act": "gelu", "layer_norm_eps": 0.05, "rotary_pct": 0.5, "rotary_emb_base": 1000,
        "use_parallel_residual": True, "tie_word_embeddings": False, "bos_token_id": 0,
        "eos_token_id": 0,
    }, {"epsilon": {"layer_norm_eps": 1e-5}, "rotary_pct": {"rotary_pct": 1.0},
        "rotary_emb_base": {"rotary_emb_base": 100}, "hidden_act": {"hidden_act": "relu"}})

    def with_buffers(tensors):  # Pythia stores masks and frequencies
        for layer in range(2):
            prefix = f"gpt_neox.layers.{layer}.attention."
            tensors[prefix + "bias"] = torch.ones(1, 1, 64, 64, dtype=torch.bool).tril()
            tensors[prefix + "masked_bias"] = torch.tensor(-1e9)
            tensors[prefix + "rotary_emb.inv_freq"] = torch.ones(2)
        return tensors

    return [
        case("gpt-neox-parallel", {"rotary_pct": 0.25, "num_attention_heads": 2}, dtype="F16",
             mutations={"sequential": {"use_parallel_residual": False}}, edit=with_buffers),
        case("gpt-neox-sequential", {"use_parallel_residual": False},
             {"parallel": {"use_parallel_residual": True}}),
        case("gpt-neox-no-bias-new", {"attention_bias": False, "rotary_pct": 1.0,
                                      "hidden_act": "gelu_fast"},
             {"rotary_pct": {"rotary_pct": 0.5}}, spelling="new"),
    ]


def falcon():
    case = family({
        "model_type": "falcon", "vocab_size": 105, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "layer_norm_epsilon": 0.05, "alibi": False, "bias": False,
        "multi_query": True, "parallel_attn": True, "new_decoder_architecture": False,
        "bos_token_id": 11, "eos_token_id": 11,
    }, {"epsilon": {"layer_norm_epsilon": 1e-5}})
    theta = {"rope_theta": {"rope_theta": 100.0}}
    new = {"new_decoder_architecture": True, "num_kv_heads": 2, "num_attention_heads": 4}
    return [
        case("falcon-7b", {}, theta),
        case("falcon-40b", new, theta),
        # Falcon2-11B: one norm for both branches, RoPE of a larger base.
        case("falcon-11b-one-norm", {**new, "num_ln_in_parallel_attn": 1, "ffn_hidden_size": 72,
                                     "rope_theta": 500042.0}, theta),
        # Falcon-RW-1B: ALiBi, a key head for each query head, biases, sequential.
        case("falcon-rw-alibi", {"alibi": True, "multi_query": False, "parallel_attn": False,
                                 "bias": True},
             {"no alibi": {"alibi": False}}, attention="sdpa"),
        case("falcon-7b-alibi-six-heads", {"alibi": True, "hidden_size": 48,
                                           "num_attention_heads": 6, "num_hidden_layers": 2},
             {"no alibi": {"alibi": False}}, spelling="new", attention="sdpa"),
        case("falcon-sequential-multi-query", {"parallel_attn": False, "bias": True},
             {**theta, "parallel": {"parallel_attn": True}}),
    ]


def bloom():
    case = family({
        "model_type": "bloom", "vocab_size": 106, "n_embed": 32, "n_layer": 2,
        "num_attention_heads": 4, "layer_norm_epsilon": 0.05, "bos_token_id": 1,
        "eos_token_id": 2, "pad_token_id": 3, "apply_residual_connection_post_layernorm": False,
        "attention_softmax_in_fp32": True, "masked_softmax_fusion": True, "n_inner": None,
        "offset_alibi": 100, "seq_length": 2048, "skip_bias_add": True,
    }, {"epsilon": {"layer_norm_epsilon": 1e-5}})

    def without_prefix(tensors):  # bigscience/bloom-560m
        return {k.removeprefix("transformer."): v for k, v in tensors.items()}

    return [
        case("bloom", {}, edit=without_prefix, dtype="F16"),
        case("bloom-six-heads", {"n_embed": DELETED, "num_attention_heads": DELETED, "hidden_size": 48,
                                 "n_head": 6}, spelling="new"),
        case("bloom-residual-after-norm", {"apply_residual_connection_post_layernorm": True},
             {"before": {"apply_residual_connection_post_layernorm": False}}),
    ]


def cases():
    return opt() + gpt2() + gpt_neox() + falcon() + bloom()
