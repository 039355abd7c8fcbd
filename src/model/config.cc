#include "model/config.h"

#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "model/architecture.h"

namespace farthing::model {
namespace {

constexpr std::string_view kWhere = "config.json";

void need_between(std::string_view key, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high)
    bad_input("config.json: {} must be from {} to {}; got {}", key, low, high, value);
}

RopeScaling scaling_of(const std::string& type) {
  if (type.empty() || type == "default") return RopeScaling::kNone;
  if (type == "linear") return RopeScaling::kLinear;
  if (type == "dynamic") return RopeScaling::kDynamic;
  if (type == "llama3") return RopeScaling::kLlama3;
  if (type == "yarn") return RopeScaling::kYarn;
  if (type == "longrope" || type == "su") return RopeScaling::kLongRope;
  unsupported(
      "config.json: rope scaling \"{}\" is not supported; known: default, linear, dynamic, llama3, "
      "yarn, longrope",
      printable(type));
}

std::vector<double> factors(const Json& object, std::string_view key) {
  std::vector<double> values;
  const Json* list = json_find(object, key);
  if (list == nullptr || !list->is_array())
    bad_input("config.json: longrope scaling needs the list {}", key);
  for (const Json& value : *list) {
    if (!value.is_number() || value.get<double>() <= 0 || values.size() >= 4096)
      bad_input("config.json: {} must be a list of at most 4096 positive numbers", key);
    values.push_back(value.get<double>());
  }
  return values;
}

void read_attention(const Json& json, const ConfigDefaults& defaults, ModelConfig& c) {
  c.heads = int_of(json, {"num_attention_heads", "n_head"}, 0);
  need_between("num_attention_heads", c.heads, 1, 1 << 16);
  c.kv_heads = int_of(json, {"num_key_value_heads"}, c.heads);
  c.head_dim = int_of(json, {"head_dim"}, defaults.head_dim);
  if (c.head_dim == 0) {
    if (c.hidden % c.heads != 0)
      bad_input("config.json: hidden_size must be a multiple of num_attention_heads; got {} and {}",
                c.hidden, c.heads);
    c.head_dim = c.hidden / c.heads;
  }
  need_between("head_dim", c.head_dim, 1, 1024);
  c.rotary_dim = c.head_dim;
}

// What architectures may have read under names of their own, too.
void check(const ModelConfig& c) {
  need_between("num_key_value_heads", c.kv_heads, 1, c.heads);
  if (c.heads % c.kv_heads != 0)
    bad_input(
        "config.json: num_attention_heads must be a multiple of num_key_value_heads; got {} and {}",
        c.heads, c.kv_heads);
  need_between("word_embed_proj_dim", c.embedding_dim, 1, 1 << 20);
  need_between("vocab_size", c.vocab, 1, 1 << 24);
  need_between("max_position_embeddings", c.max_positions, 1, std::int64_t{1} << 40);
  if (!(c.norm_epsilon > 0 && c.norm_epsilon < 1))
    bad_input("config.json: the norm's epsilon must be between 0 and 1; got {}", c.norm_epsilon);
  if (c.block.position == PositionKind::kRope &&
      (c.rotary_dim % 2 != 0 || c.rotary_dim < 2 || c.rotary_dim > c.head_dim))
    bad_input(
        "config.json: rotary embedding needs an even number of features, at most head_dim {}; got "
        "{}",
        c.head_dim, c.rotary_dim);
  if (c.experts > 0) {
    need_between("number of experts", c.experts, 1, 4096);
    need_between("experts per token", c.experts_per_token, 1, c.experts);
    need_between("expert intermediate size", c.expert_intermediate, 1, 1 << 22);
  }
  for (std::int64_t window : c.windows)
    need_between("sliding_window", window, 0, std::int64_t{1} << 40);
}

}  // namespace

std::int64_t int_of(const Json& config, std::initializer_list<std::string_view> keys,
                    std::int64_t otherwise) {
  for (std::string_view key : keys)
    if (const Json* value = json_find(config, key); value != nullptr && !value->is_null())
      return json_int(config, key, kWhere);
  return otherwise;
}

std::int64_t positive_int(const Json& config, std::string_view key, std::int64_t otherwise) {
  const std::int64_t value = int_of(config, {key}, otherwise);
  need_between(key, value, 1, std::int64_t{1} << 40);
  return value;
}

double number_of(const Json& config, std::initializer_list<std::string_view> keys,
                 double otherwise) {
  for (std::string_view key : keys)
    if (const Json* value = json_find(config, key); value != nullptr && !value->is_null())
      return json_number(config, key, kWhere);
  return otherwise;
}

std::string text_of(const Json& config, std::initializer_list<std::string_view> keys,
                    std::string_view otherwise) {
  for (std::string_view key : keys)
    if (const Json* value = json_find(config, key); value != nullptr && !value->is_null())
      return json_text(config, key, kWhere);
  return std::string(otherwise);
}

std::int64_t read_window(const Json& config, std::int64_t otherwise) {
  // json_find() takes null as absent, and here it is not: it says that there is no window.
  const auto value = config.find("sliding_window");
  if (value == config.end()) return otherwise;
  return value->is_null() ? 0 : json_int(config, "sliding_window", kWhere);
}

void set_windows(const Json& config, std::int64_t window,
                 FunctionRef<bool(std::int64_t layer)> windowed, ModelConfig& out) {
  const Json* types = json_find(config, "layer_types");
  if (types == nullptr || types->is_null()) {
    for (std::int64_t layer = 0; layer < out.layers; ++layer)
      out.windows[static_cast<std::size_t>(layer)] = windowed(layer) ? window : 0;
    return;
  }
  if (!types->is_array() || static_cast<std::int64_t>(types->size()) != out.layers)
    bad_input("config.json: layer_types must be a list of {} names, one a layer", out.layers);
  for (std::size_t layer = 0; layer < out.windows.size(); ++layer) {
    const Json& type = (*types)[layer];
    if (type == "sliding_attention")
      out.windows[layer] = window;
    else if (type != "full_attention")
      unsupported(
          "config.json: layers of the type {} are not supported; known: full_attention, "
          "sliding_attention",
          printable(type.dump()));
  }
}

RopeConfig read_rope(const Json& config, const Json* scaling, double theta,
                     std::int64_t max_positions) {
  RopeConfig rope;
  rope.theta = theta;
  rope.original_max_positions = static_cast<double>(max_positions);
  if (scaling != nullptr && scaling->is_object()) {
    const Json& s = *scaling;
    rope.theta = json_number(s, "rope_theta", theta, kWhere);
    rope.scaling =
        scaling_of(json_text(s, "rope_type", json_text(s, "type", "default", kWhere), kWhere));
    rope.factor = json_number(s, "factor", 1.0, kWhere);
    rope.original_max_positions = static_cast<double>(
        int_of(s, {"original_max_position_embeddings"},
               int_of(config, {"original_max_position_embeddings"}, max_positions)));
    rope.low_frequency_factor = json_number(s, "low_freq_factor", 1.0, kWhere);
    rope.high_frequency_factor = json_number(s, "high_freq_factor", 4.0, kWhere);
    rope.beta_fast = json_number(s, "beta_fast", 32.0, kWhere);
    rope.beta_slow = json_number(s, "beta_slow", 1.0, kWhere);
    rope.truncate = json_bool(s, "truncate", true, kWhere);
    rope.attention_factor = json_number(s, "attention_factor", 0.0, kWhere);
    rope.mscale = json_number(s, "mscale", 0.0, kWhere);
    rope.mscale_all_dim = json_number(s, "mscale_all_dim", 0.0, kWhere);
    if (rope.scaling == RopeScaling::kLongRope) {
      rope.short_factors = factors(s, "short_factor");
      rope.long_factors = factors(s, "long_factor");
      if (json_find(s, "factor") == nullptr)
        rope.factor = static_cast<double>(max_positions) / rope.original_max_positions;
    }
  }
  const auto positive = [](std::string_view key, double value) {
    if (!(value > 0) || !std::isfinite(value))
      bad_input("config.json: {} must be a positive number; got {}", key, value);
  };
  positive("rope_theta", rope.theta);
  positive("rope scaling's factor", rope.factor);
  positive("original_max_position_embeddings", rope.original_max_positions);
  if (rope.scaling == RopeScaling::kLlama3 &&
      rope.high_frequency_factor <= rope.low_frequency_factor)
    bad_input("config.json: high_freq_factor must be larger than low_freq_factor; got {} and {}",
              rope.high_frequency_factor, rope.low_frequency_factor);
  return rope;
}

ModelConfig read_config(const Architecture& architecture, const Json& json, bool gguf) {
  if (json_find(json, "text_config") != nullptr && json_find(json, "hidden_size") == nullptr)
    unsupported(
        "config.json: a model of several modalities keeps its text part under text_config; only "
        "text models run");
  const ConfigDefaults& defaults = architecture.defaults;
  ModelConfig c;
  c.architecture = architecture.name;
  c.hidden = int_of(json, {"hidden_size", "n_embd", "n_embed", "d_model"}, 0);
  need_between("hidden_size", c.hidden, 1, 1 << 20);
  c.layers = int_of(json, {"num_hidden_layers", "n_layer"}, 0);
  need_between("num_hidden_layers", c.layers, 1, 1024);
  c.intermediate =
      int_of(json, {"intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"}, 4 * c.hidden);
  need_between("intermediate_size", c.intermediate, 1, 1 << 22);
  read_attention(json, defaults, c);
  c.embedding_dim = c.hidden;
  c.vocab = int_of(json, {"vocab_size"}, 0);
  c.max_positions = int_of(json, {"max_position_embeddings", "n_positions", "seq_length"},
                           defaults.max_positions);
  c.norm_epsilon =
      number_of(json, {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"},
                defaults.norm_epsilon);
  c.tied = json_bool(json, "tie_word_embeddings", defaults.tied, kWhere);
  c.activation = kernels::parse_activation(text_of(
      json, {"hidden_act", "hidden_activation", "activation_function"}, defaults.activation));
  c.windows.assign(static_cast<std::size_t>(c.layers), 0);

  const Json* parameters = json_find(json, "rope_parameters");
  if (parameters == nullptr || parameters->is_null()) parameters = json_find(json, "rope_scaling");
  const double theta = number_of(json, {"rope_theta", "rotary_emb_base"}, defaults.rope_theta);
  const bool per_kind = parameters != nullptr && parameters->is_object() &&
                        json_find(*parameters, "full_attention") != nullptr;
  c.rope = read_rope(json, per_kind ? json_find(*parameters, "full_attention") : parameters, theta,
                     c.max_positions);
  c.local_rope =
      per_kind && json_find(*parameters, "sliding_attention") != nullptr
          ? read_rope(json, json_find(*parameters, "sliding_attention"), theta, c.max_positions)
          : c.rope;
  double partial = number_of(json, {"partial_rotary_factor", "rotary_pct"}, defaults.rotary_share);
  if (parameters != nullptr && parameters->is_object())
    partial = json_number(*parameters, "partial_rotary_factor", partial, kWhere);
  if (!(partial > 0 && partial <= 1))
    bad_input("config.json: partial_rotary_factor must be above 0 and at most 1; got {}", partial);
  c.rotary_dim = static_cast<std::int64_t>(static_cast<double>(c.head_dim) * partial);
  architecture.configure(json, gguf, c);
  check(c);
  return c;
}

}  // namespace farthing::model
