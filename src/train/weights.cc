#include "train/weights.h"

#include "core/error.h"
#include "core/text.h"

namespace farthing::train {
namespace {

using model::Slot;

LinearWeights linear(const model::TensorMap& map, std::initializer_list<Slot> slots, int layer,
                     ParameterSet& set) {
  LinearWeights weights;
  for (const Slot slot : slots)
    if (Parameter* weight = set.matrix(map, slot, layer))
      weights.parts.push_back({weight, set.bias(map, slot, layer)});
  return weights;
}

// The fused spelling, else the one apart.
LinearWeights either(const model::TensorMap& map, Slot fused, std::initializer_list<Slot> apart,
                     int layer, ParameterSet& set) {
  LinearWeights weights = linear(map, {fused}, layer, set);
  return weights.parts.empty() ? linear(map, apart, layer, set) : weights;
}

NormWeights norm(const model::TensorMap& map, Slot slot, int layer, ParameterSet& set) {
  const model::BlockRules& rules = map.config().block;
  const bool final = slot == Slot::kFinalNorm;
  if (final && !rules.final_norm) return {};
  NormWeights weights{.weight = set.norm(map, slot, layer, false),
                      .bias = set.norm(map, slot, layer, true)};
  const bool plain = final ? rules.plain_final_norm : rules.plain_norms;
  weights.present = weights.weight != nullptr || (plain && map.has_row(slot));
  return weights;
}

void need(const model::TensorMap& map, int layer, const LinearWeights& weights, std::int64_t out,
          std::string_view what) {
  if (weights.out() != out)
    bad_input("{}: layer {} has no {} of the {} architecture; is the checkpoint complete?",
              printable(map.checkpoint().path(), 400), layer, what, map.config().architecture);
}

}  // namespace

std::int64_t LinearWeights::out() const {
  std::int64_t sum = 0;
  for (const Part& part : parts) sum += part.weight->value.shape().rows;
  return sum;
}

BlockWeights load_block_weights(const model::TensorMap& map, int layer, ParameterSet& set) {
  const model::ModelConfig& c = map.config();
  if (c.sparse(layer))
    unsupported("{}: layer {} of {} has experts, and training knows dense layers only",
                printable(map.checkpoint().path(), 400), layer, c.architecture);
  BlockWeights w;
  w.attention_norm = norm(map, Slot::kAttentionNorm, layer, set);
  w.post_attention_norm = norm(map, Slot::kPostAttentionNorm, layer, set);
  w.mlp_norm = norm(map, Slot::kMlpNorm, layer, set);
  w.post_mlp_norm = norm(map, Slot::kPostMlpNorm, layer, set);
  if (c.block.head_norm != model::HeadNorm::kNone) {
    w.q_norm = norm(map, Slot::kQNorm, layer, set);
    w.k_norm = norm(map, Slot::kKNorm, layer, set);
  }
  w.qkv = either(map, Slot::kQkv, {Slot::kQ, Slot::kK, Slot::kV}, layer, set);
  w.o = linear(map, {Slot::kO}, layer, set);
  w.gate_up = either(map, Slot::kGateUp, {Slot::kGate, Slot::kUp}, layer, set);
  w.down = linear(map, {Slot::kDown}, layer, set);
  need(map, layer, w.qkv, c.q_width() + 2 * c.kv_width(), "query, key and value matrices");
  need(map, layer, w.o, c.hidden, "attention output matrix");
  need(map, layer, w.gate_up, (c.block.gated ? 2 : 1) * c.intermediate, "MLP input matrix");
  need(map, layer, w.down, c.hidden, "MLP output matrix");
  return w;
}

EndWeights load_end_weights(const model::TensorMap& map, ParameterSet& set) {
  EndWeights w;
  map.require_whole("training");
  w.embedding = set.matrix(map, Slot::kEmbedding);
  w.embedding_norm = norm(map, Slot::kEmbeddingNorm, -1, set);
  if (map.config().block.position == model::PositionKind::kLearned)
    w.positions = set.matrix(map, Slot::kPositionEmbedding);
  w.project_in = linear(map, {Slot::kProjectIn}, -1, set);
  w.project_out = linear(map, {Slot::kProjectOut}, -1, set);
  w.final_norm = norm(map, Slot::kFinalNorm, -1, set);
  w.head = map.config().tied ? w.embedding : set.matrix(map, Slot::kHead);
  if (w.embedding == nullptr || w.head == nullptr)
    bad_input("{}: the embedding or the head is missing; is the checkpoint complete?",
              printable(map.checkpoint().path(), 400));
  if (set.bias(map, Slot::kHead) != nullptr)
    unsupported("{}: the head has a bias, which training does not know",
                printable(map.checkpoint().path(), 400));
  return w;
}

}  // namespace farthing::train
