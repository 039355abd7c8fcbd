"""Llama 1, 2, 3, its sizes, biases and every scaling of RoPE."""

import torch

from checkpoint_maker import family


def cases():
    base = {
        "model_type": "llama", "vocab_size": 101, "hidden_size": 32, "intermediate_size": 56,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 0.05,
        "rope_theta": 1000.0, "tie_word_embeddings": False, "attention_bias": False,
        "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2,
    }
    common = {
        "rope_theta": {"rope_theta": 100.0}, "rms_norm_eps": {"rms_norm_eps": 1e-6},
        "hidden_act": {"hidden_act": "gelu"},
    }

    case = family(base, common)

    def with_frequencies(tensors):  # checkpoints of 2023 store a buffer
        for layer in range(2):
            tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        return tensors

    unscaled = {"no scaling": {"rope_scaling": None}}
    return [
        # Llama 1 and 2 of 7B: as many key heads as query heads.
        case("llama-plain", {"num_key_value_heads": 4, "num_hidden_layers": 2}, dtype="F16",
             edit=with_frequencies),
        case("llama-gqa", {"num_attention_heads": 6, "num_key_value_heads": 2, "hidden_size": 48,
                           "vocab_size": 112}),
        case("llama-one-kv-head-f32", {"num_key_value_heads": 1}, dtype="F32"),
        # Llama 3.2 and SmolLM: the head is the embedding.
        case("llama-tied", {"tie_word_embeddings": True}),
        case("llama-tied-new", {"tie_word_embeddings": True}, spelling="new"),
        # The file says tied and has a head of its own: the head counts.
        case("llama-tied-in-name-only", {}, respelled={"tie_word_embeddings": True}),
        case("llama-biases", {"attention_bias": True, "mlp_bias": True}),
        case("llama-head-dim", {"head_dim": 12}, dtype="F32"),
        case("llama-odd-sizes", {"vocab_size": 117, "intermediate_size": 75, "hidden_size": 30,
                                 "num_attention_heads": 3, "num_key_value_heads": 1}),
        case("llama-linear", {"rope_scaling": {"type": "linear", "factor": 3.0}}, unscaled),
        case("llama-linear-new", {"rope_scaling": {"type": "linear", "factor": 3.0}}, unscaled,
             spelling="new"),
        # Nothing happens before max_position_embeddings.
        case("llama-dynamic", {"rope_scaling": {"type": "dynamic", "factor": 4.0}}),
        case("llama-llama3",
             {"rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 32, "rope_type": "llama3"}},
             {**unscaled, "high_freq_factor": {"rope_scaling": {
                 "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 12.0,
                 "original_max_position_embeddings": 32, "rope_type": "llama3"}}}, shard="20KB"),
        case("llama-llama3-new",
             {"head_dim": 16, "tie_word_embeddings": True,
              "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 32, "rope_type": "llama3"}},
             unscaled, spelling="new"),
        case("llama-yarn",
             {"head_dim": 16,
              "rope_scaling": {"type": "yarn", "factor": 4.0,
                               "original_max_position_embeddings": 64}},
             {**unscaled, "attention factor": {"rope_scaling": {
                 "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
                 "attention_factor": 1.0}}}),
        case("llama-yarn-options-new",
             {"head_dim": 16,
              "rope_scaling": {"rope_type": "yarn", "factor": 6.0, "attention_factor": 0.8,
                               "beta_fast": 8.0, "beta_slow": 2.0,
                               "original_max_position_embeddings": 48}},
             {**unscaled, "betas": {"rope_scaling": {
                 "rope_type": "yarn", "factor": 6.0, "attention_factor": 0.8,
                 "original_max_position_embeddings": 48}}}, spelling="new"),
    ]
