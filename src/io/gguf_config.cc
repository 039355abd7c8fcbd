// What GGUF metadata calls things, in the words of Hugging Face configurations.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/text.h"
#include "io/gguf.h"

namespace farthing::io {
namespace {

struct Key {
  std::string_view gguf;  // after "<architecture>."
  std::string_view hf;
};
// For every architecture, where present.
constexpr Key kKeys[] = {
    {"block_count", "num_hidden_layers"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"context_length", "max_position_embeddings"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads"},
    {"attention.key_length", "head_dim"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"attention.layer_norm_epsilon", "layer_norm_eps"},
    {"attention.sliding_window", "sliding_window"},
    {"rope.freq_base", "rope_theta"},
    {"rope.freq_base_swa", "rope_local_base_freq"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_weights_norm", "norm_topk_prob"},
    {"attn_logit_softcapping", "attn_logit_softcapping"},
    {"final_logit_softcapping", "final_logit_softcapping"},
    {"use_parallel_residual", "use_parallel_residual"},
};
constexpr Key kGraniteKeys[] = {{"attention.scale", "attention_multiplier"},
                                {"embedding_scale", "embedding_multiplier"},
                                {"residual_scale", "residual_multiplier"},
                                {"logit_scale", "logits_scaling"},
                                {"expert_count", "num_local_experts"}};
constexpr Key kYarnKeys[] = {{"rope.scaling.yarn_beta_fast", "beta_fast"},
                             {"rope.scaling.yarn_beta_slow", "beta_slow"}};
// Written besides; read from the tensors' shapes or where they matter.
constexpr Key kWrittenKeys[] = {{"vocab_size", "vocab_size"},
                                {"attention.value_length", "head_dim"},
                                {"rope.dimension_count", "rotary_dim"}};
constexpr Key kCohereKeys[] = {{"logit_scale", "logit_scale"}};
constexpr Key kLocalExperts[] = {{"expert_count", "num_local_experts"}};
constexpr Key kExperts[] = {{"expert_count", "num_experts"}};

struct GgufArchitecture {
  std::string_view name;  // general.architecture
  std::string_view hf_class, model_type;
  std::string_view activation = "silu";
  std::span<const Key> keys = {};
  void (*complete)(const Json& metadata, std::span<const TensorInfo> tensors,
                   Json& config) = nullptr;
};

bool has(std::span<const TensorInfo> tensors, std::string_view name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const TensorInfo& t) { return t.name == name; });
}

// A Llama with experts is a Mixtral.
void complete_llama(const Json&, std::span<const TensorInfo>, Json& config) {
  const Json* experts = json_find(config, "num_local_experts");
  if (experts == nullptr || *experts == 0) return;
  config["architectures"] = {"MixtralForCausalLM"};
  config["model_type"] = "mixtral";
}

void complete_qwen3_moe(const Json&, std::span<const TensorInfo>, Json& config) {
  config["norm_topk_prob"] = true;  // what llama.cpp does for this architecture
  config["decoder_sparse_step"] = 1;
  config["mlp_only_layers"] = Json::array();
}

// Gemma 2 and 3 scale the scores by the head's width, but for their 27B (llama.cpp tells these by
// their number of layers, too).
void complete_gemma(const Json&, std::span<const TensorInfo>, Json& config) {
  const bool gemma3 = config["model_type"] == "gemma3_text";
  const std::int64_t layers = json_int(config, "num_hidden_layers", 0, "GGUF metadata");
  const std::int64_t heads = json_int(config, "num_attention_heads", 0, "GGUF metadata");
  const bool per_head = layers == (gemma3 ? 62 : 46) && heads > 0;
  config["query_pre_attn_scalar"] =
      per_head ? json_int(config, "hidden_size", 0, "GGUF metadata") / heads
               : json_int(config, "head_dim", 256, "GGUF metadata");
  if (gemma3) {
    if (!config.contains("rope_local_base_freq")) config["rope_local_base_freq"] = 10000.0;
    config["sliding_window_pattern"] = 6;
  }
}

void complete_falcon(const Json&, std::span<const TensorInfo> tensors, Json& config) {
  const std::int64_t kv_heads = json_int(config, "num_key_value_heads", 1, "GGUF metadata");
  const bool two_norms = has(tensors, "blk.0.attn_norm_2.weight");
  config["new_decoder_architecture"] = two_norms;
  config["num_kv_heads"] = kv_heads;
  config["multi_query"] = kv_heads == 1;
  config["parallel_attn"] = true;
  config["alibi"] = false;
  config["bias"] = has(tensors, "blk.0.attn_qkv.bias");
}

void complete_bloom(const Json&, std::span<const TensorInfo>, Json& config) {
  config["apply_residual_connection_post_layernorm"] = false;
}

void complete_stablelm(const Json&, std::span<const TensorInfo> tensors, Json& config) {
  config["qk_layernorm"] = has(tensors, "blk.0.attn_q_norm.weight");
  config["use_qkv_bias"] = has(tensors, "blk.0.attn_q.bias");
  config["use_parallel_residual"] = !has(tensors, "blk.0.ffn_norm.weight");
}

void complete_cohere(const Json&, std::span<const TensorInfo> tensors, Json& config) {
  config["use_qk_norm"] = has(tensors, "blk.0.attn_q_norm.weight");
}

constexpr GgufArchitecture kArchitectures[] = {
    {"llama", "LlamaForCausalLM", "llama", "silu", kLocalExperts, complete_llama},
    {"mistral", "MistralForCausalLM", "mistral"},
    {"qwen2", "Qwen2ForCausalLM", "qwen2"},
    {"qwen3", "Qwen3ForCausalLM", "qwen3"},
    {"qwen3moe", "Qwen3MoeForCausalLM", "qwen3_moe", "silu", kExperts, complete_qwen3_moe},
    {"gemma", "GemmaForCausalLM", "gemma", "gelu_pytorch_tanh"},
    {"gemma2", "Gemma2ForCausalLM", "gemma2", "gelu_pytorch_tanh", {}, complete_gemma},
    {"gemma3", "Gemma3ForCausalLM", "gemma3_text", "gelu_pytorch_tanh", {}, complete_gemma},
    {"phi3", "Phi3ForCausalLM", "phi3"},
    {"gpt2", "GPT2LMHeadModel", "gpt2", "gelu_new"},
    {"gptneox", "GPTNeoXForCausalLM", "gpt_neox", "gelu"},
    {"falcon", "FalconForCausalLM", "falcon", "gelu", {}, complete_falcon},
    {"bloom", "BloomForCausalLM", "bloom", "gelu_pytorch_tanh", {}, complete_bloom},
    {"stablelm", "StableLmForCausalLM", "stablelm", "silu", {}, complete_stablelm},
    {"starcoder2", "Starcoder2ForCausalLM", "starcoder2", "gelu_pytorch_tanh"},
    {"olmo2", "Olmo2ForCausalLM", "olmo2"},
    {"granite", "GraniteForCausalLM", "granite", "silu", kGraniteKeys},
    {"command-r", "CohereForCausalLM", "cohere", "silu", kCohereKeys, complete_cohere},
    {"cohere2", "Cohere2ForCausalLM", "cohere2", "silu", kCohereKeys},
};

// Classes that llama.cpp runs as another architecture.
constexpr Key kWrittenAs[] = {{"llama", "MixtralForCausalLM"}, {"llama", "MistralForCausalLM"}};

// An architecture that is not in the table keeps its GGUF name, which the model then refuses; its
// vocabulary can be used all the same.
GgufArchitecture find_architecture(std::string_view name) {
  for (const GgufArchitecture& row : kArchitectures)
    if (row.name == name) return row;
  return {name, name, name};
}

// Some converters write a list, one number a layer; all the same is one number.
Json one_number(const Json& value, std::string_view key, std::string_view where) {
  if (!value.is_array()) return value;
  if (value.empty() || std::any_of(value.begin(), value.end(),
                                   [&](const Json& other) { return other != value.front(); }))
    unsupported("{}: {} differs from layer to layer, which is not supported", where, key);
  return value.front();
}

void copy_keys(const Json& metadata, const std::string& prefix, std::span<const Key> keys,
               std::string_view where, Json& config) {
  for (const Key& key : keys)
    if (const Json* value = json_find(metadata, prefix + std::string(key.gguf)))
      config[std::string(key.hf)] = one_number(*value, key.gguf, where);
}

// Only part of a head is rotated.
void add_rotary_part(const Json& metadata, const std::string& prefix, std::string_view where,
                     Json& config) {
  const std::int64_t rotated = json_int(metadata, prefix + "rope.dimension_count", 0, where);
  const std::int64_t heads = json_int(config, "num_attention_heads", 0, where);
  if (rotated < 1 || heads < 1) return;
  const std::int64_t width =
      json_int(config, "head_dim", json_int(config, "hidden_size", 0, where) / heads, where);
  if (rotated < width)
    config["partial_rotary_factor"] = static_cast<double>(rotated) / static_cast<double>(width);
}

// A tensor of FP32 numbers as a list; empty when there is none.
Json read_factors(std::span<const TensorInfo> tensors, std::string_view name) {
  Json list = Json::array();
  for (const TensorInfo& tensor : tensors) {
    if (tensor.name != name || tensor.dtype != "F32" || tensor.bytes.size() > 4096 * sizeof(float))
      continue;
    Cursor cursor(tensor.bytes, name);
    while (cursor.remaining() > 0)
      list.push_back(static_cast<double>(cursor.read<float>("a rotary factor")));
  }
  return list;
}

void add_rope_scaling(const Json& metadata, const std::string& prefix,
                      std::span<const TensorInfo> tensors, std::string_view where, Json& config) {
  const std::string scaling_prefix = prefix + "rope.scaling.";
  const double old_linear = json_number(metadata, prefix + "rope.scale_linear", 1.0, where);
  const double factor = json_number(metadata, scaling_prefix + "factor", old_linear, where);
  Json long_factors = read_factors(tensors, "rope_factors_long.weight");
  std::string type =
      json_text(metadata, scaling_prefix + "type", old_linear != 1.0 ? "linear" : "none", where);
  if (!long_factors.empty()) type = "longrope";
  const std::int64_t original =
      json_int(metadata, scaling_prefix + "original_context_length", 0, where);
  if (original > 0) config["original_max_position_embeddings"] = original;
  if (type == "none") return;
  Json scaling = {{"rope_type", type}};
  if (original > 0) scaling["original_max_position_embeddings"] = original;
  double attention = json_number(metadata, scaling_prefix + "attn_factor", 0.0, where);
  if (type == "longrope") {
    scaling["long_factor"] = std::move(long_factors);
    scaling["short_factor"] = read_factors(tensors, "rope_factors_short.weight");
  } else {
    scaling["factor"] = factor;
    copy_keys(metadata, prefix, kYarnKeys, where, scaling);
    attention = json_number(metadata, scaling_prefix + "yarn_attn_factor", attention, where);
    if (type == "yarn") attention *= 1.0 + 0.1 * std::log(factor);  // llama.cpp multiplies
  }
  if (attention > 0) scaling["attention_factor"] = attention;
  config["rope_scaling"] = std::move(scaling);
}

// What the architecture calls the class of config.json.
GgufArchitecture architecture_of(const Json& config, std::string_view where) {
  const std::string wanted = config.at("architectures").at(0).get<std::string>();
  for (const Key& row : kWrittenAs)
    if (row.hf == wanted) return find_architecture(row.gguf);
  for (const GgufArchitecture& row : kArchitectures)
    if (row.hf_class == wanted) return row;
  unsupported("{}: llama.cpp has no architecture for {}, so GGUF cannot hold it", where,
              printable(wanted));
}

void write_keys(const Json& config, std::string_view prefix, std::span<const Key> keys,
                Json& metadata) {
  for (const Key& key : keys)
    if (const Json* value = json_find(config, key.hf); value != nullptr && !value->is_null())
      metadata[fmt::format("{}{}", prefix, key.gguf)] = *value;
}

// The lists of longrope are tensors; llama.cpp multiplies YaRN's attention factor by its own.
void write_rope_scaling(const Json& config, const std::string& prefix, Json& metadata) {
  const Json* scaling = json_find(config, "rope_scaling");
  if (scaling == nullptr || scaling->is_null()) return;
  const std::string type = json_text(*scaling, "rope_type", "config.json");
  const std::string scaling_prefix = prefix + "rope.scaling.";
  double attention = json_number(*scaling, "attention_factor", 1.0, "config.json");
  if (type != "longrope") {
    const double factor = json_number(*scaling, "factor", "config.json");
    metadata[scaling_prefix + "type"] = type;
    metadata[scaling_prefix + "factor"] = factor;
    if (type == "yarn") attention /= 1.0 + 0.1 * std::log(factor);
    write_keys(*scaling, prefix, kYarnKeys, metadata);
  }
  if (std::abs(attention - 1.0) > 1e-9) metadata[scaling_prefix + "attn_factor"] = attention;
  if (const Json* original = json_find(*scaling, "original_max_position_embeddings"))
    metadata[scaling_prefix + "original_context_length"] = *original;
}

}  // namespace

Json gguf_metadata(const Json& config, std::string_view where) {
  const GgufArchitecture architecture = architecture_of(config, where);
  const std::string prefix = std::string(architecture.name) + ".";
  Json metadata = {{"general.architecture", architecture.name}};
  write_keys(config, prefix, kKeys, metadata);
  write_keys(config, prefix, architecture.keys, metadata);
  write_keys(config, prefix, kWrittenKeys, metadata);
  write_rope_scaling(config, prefix, metadata);
  return metadata;
}

Json gguf_config(const Json& metadata, std::span<const TensorInfo> tensors,
                 std::string_view where) {
  const std::string name = json_text(metadata, "general.architecture", where);
  const std::string prefix = name + ".";
  const GgufArchitecture architecture = find_architecture(name);
  Json config = {{"architectures", {architecture.hf_class}},
                 {"model_type", architecture.model_type},
                 {"hidden_act", architecture.activation}};
  copy_keys(metadata, prefix, kKeys, where, config);
  copy_keys(metadata, prefix, architecture.keys, where, config);
  add_rotary_part(metadata, prefix, where, config);
  add_rope_scaling(metadata, prefix, tensors, where, config);
  const auto embedding = std::find_if(tensors.begin(), tensors.end(), [](const TensorInfo& t) {
    return t.name == "token_embd.weight" && t.shape.size() == 2;
  });
  const Json* tokens = json_find(metadata, "tokenizer.ggml.tokens");
  if (embedding != tensors.end())
    config["vocab_size"] = embedding->shape[0];
  else if (const Json* size = json_find(metadata, prefix + "vocab_size"))
    config["vocab_size"] = *size;
  else if (tokens != nullptr && tokens->is_array())
    config["vocab_size"] = tokens->size();
  config["tie_word_embeddings"] = !has(tensors, "output.weight");
  for (const Key& key : {Key{"tokenizer.ggml.bos_token_id", "bos_token_id"},
                         Key{"tokenizer.ggml.eos_token_id", "eos_token_id"},
                         Key{"tokenizer.ggml.padding_token_id", "pad_token_id"}})
    if (const Json* id = json_find(metadata, key.gguf)) config[std::string(key.hf)] = *id;
  if (architecture.complete != nullptr) architecture.complete(metadata, tensors, config);
  return config;
}

}  // namespace farthing::io
