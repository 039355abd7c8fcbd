#include "model/config_words.h"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise/activation_names.h"
#include "model/rope_frequencies.h"

namespace farthing::model {
namespace {

// What two descriptions of RoPE must agree in: the angles themselves.
Json rope_facts(const RopeConfig& rope, const ModelConfig& c, std::span<const float> factors) {
  const RopeFrequencies made = rope_frequencies(rope, c.rotary_dim, factors);
  return {
      {"usual", made.usual}, {"beyond", made.beyond}, {"attention_factor", made.attention_factor}};
}

// rope_scaling of config.json, as far as other files have words for it.
Json rope_scaling(const RopeConfig& rope, const ModelConfig& c) {
  Json scaling = {
      {"original_max_position_embeddings", static_cast<std::int64_t>(rope.original_max_positions)}};
  const double attention = rope_frequencies(rope, c.rotary_dim, {}).attention_factor;
  switch (rope.scaling) {
    case RopeScaling::kLinear:
      return {{"rope_type", "linear"}, {"factor", rope.factor}};
    case RopeScaling::kYarn:
      scaling["rope_type"] = "yarn";
      scaling["factor"] = rope.factor;
      scaling["attention_factor"] = attention;
      if (rope.beta_fast != 32) scaling["beta_fast"] = rope.beta_fast;
      if (rope.beta_slow != 1) scaling["beta_slow"] = rope.beta_slow;
      return scaling;
    case RopeScaling::kLongRope:
      scaling["rope_type"] = "longrope";
      scaling["long_factor"] = rope.long_factors;
      scaling["short_factor"] = rope.short_factors;
      scaling["attention_factor"] = attention;
      return scaling;
    case RopeScaling::kNone:
    case RopeScaling::kDynamic:
    case RopeScaling::kLlama3:
      break;
  }
  return nullptr;
}

Json block_facts(const BlockRules& b) {
  return {{"norm", static_cast<int>(b.norm)},
          {"plain_norms", b.plain_norms},
          {"final_norm", b.final_norm},
          {"norm_after_add", b.norm_after_add},
          {"parallel", b.parallel},
          {"residual_from_norm", b.residual_from_norm},
          {"head_norm", static_cast<int>(b.head_norm)},
          {"head_norm_centred", b.head_norm_centred},
          {"gated", b.gated},
          {"position", static_cast<int>(b.position)},
          {"rope_interleaved", b.rope_interleaved},
          {"rope_only_with_window", b.rope_only_with_window}};
}

void add_experts(const ModelConfig& c, Json& words) {
  if (c.experts == 0) return;
  words["num_experts"] = words["num_local_experts"] = c.experts;
  words["num_experts_per_tok"] = c.experts_per_token;
  words["moe_intermediate_size"] = c.expert_intermediate;
  words["norm_topk_prob"] = c.normalize_expert_weights;
  words["sparse_layers"] = c.sparse_layers;
}

bool same_number(double a, double b) {
  return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b));
}

bool same(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return same_number(a.get<double>(), b.get<double>());
  if (!a.is_structured() || a.type() != b.type() || a.size() != b.size()) return a == b;
  if (a.is_array())
    return std::equal(a.begin(), a.end(), b.begin(), [](auto& x, auto& y) { return same(x, y); });
  return differing_keys(a, b).empty();
}

}  // namespace

Json config_words(const Architecture& architecture, const ModelConfig& c,
                  std::span<const float> rope_factors) {
  const char* epsilon = c.block.norm == NormKind::kRms ? "rms_norm_eps" : "layer_norm_eps";
  Json words = {
      {"architectures", {architecture.classes.front()}},
      {"hidden_size", c.hidden},
      {"intermediate_size", c.intermediate},
      {"num_hidden_layers", c.layers},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_dim},
      {"rotary_dim", c.rotary_dim},
      {"vocab_size", c.vocab},
      {"max_position_embeddings", c.max_positions},
      {epsilon, c.norm_epsilon},
      {"hidden_act", kernels::activation_function_name(c.activation)},
      {"use_parallel_residual", c.block.parallel},
      {"block", block_facts(c.block)},
      {"windows", c.windows},
      {"attention_multiplier",
       c.attention_scale != 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_dim))},
      {"scale_by_layer", c.scale_by_layer},
      {"embedding_multiplier", c.embedding_scale},
      {"residual_multiplier", c.residual_scale},
      {"logit_scale", c.logit_scale},
      {"logits_scaling", 1 / c.logit_scale},
      {"tie_word_embeddings", c.tied}};
  if (const auto window = *std::ranges::max_element(c.windows); window > 0)
    words["sliding_window"] = window;
  if (c.attention_soft_cap > 0) words["attn_logit_softcapping"] = c.attention_soft_cap;
  if (c.final_soft_cap > 0) words["final_logit_softcapping"] = c.final_soft_cap;
  add_experts(c, words);
  if (c.block.position != PositionKind::kRope) return words;
  words["rope_theta"] = c.rope.theta;
  if (c.local_rope.theta != c.rope.theta) words["rope_local_base_freq"] = c.local_rope.theta;
  words["rope_scaling"] = rope_scaling(c.rope, c);
  words["rope"] = rope_facts(c.rope, c, rope_factors);
  if (words.contains("sliding_window"))
    words["local_rope"] = rope_facts(c.local_rope, c, rope_factors);
  return words;
}

std::vector<std::string> differing_keys(const Json& a, const Json& b) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : a.items()) {
    const auto other = b.find(key);
    if (other == b.end() || !same(value, *other)) keys.push_back(key);
  }
  for (const auto& [key, value] : b.items())
    if (!a.contains(key)) keys.push_back(key);
  return keys;
}

std::vector<float> llama3_factors(const RopeConfig& rope, std::int64_t rotary_dim) {
  std::vector<float> factors;
  if (rope.scaling != RopeScaling::kLlama3) return factors;
  RopeConfig plain = rope;
  plain.scaling = RopeScaling::kNone;
  const std::vector<double> from = rope_frequencies(plain, rotary_dim, {}).usual;
  const std::vector<double> to = rope_frequencies(rope, rotary_dim, {}).usual;
  for (std::size_t i = 0; i < from.size(); ++i)
    factors.push_back(static_cast<float>(from[i] / to[i]));
  return factors;
}

}  // namespace farthing::model
