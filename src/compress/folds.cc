#include "compress/folds.h"

#include <algorithm>
#include <cmath>

namespace farthing::compress {
namespace {

using model::Slot;

bool is_usable(float scale) { return std::isfinite(scale) && scale > 0; }

std::vector<std::int32_t> one_to_one(std::int64_t count) {
  std::vector<std::int32_t> channels;
  for (std::int64_t j = 0; j < count; ++j) channels.push_back(static_cast<std::int32_t>(j));
  return channels;
}

// The norm's output is the residual stream too, or the norm has no weights to fold into.
bool norm_can_fold(const model::BlockRules& rules) {
  return !rules.norm_after_add && !rules.residual_from_norm && !rules.plain_norms;
}

void add_norm_fold(Block& block, Slot norm, std::vector<Fold>& folds) {
  const auto unit = block.map().find(norm, block.layer());
  if (!unit || !norm_can_fold(block.config().block)) return;
  Fold fold{.producer = norm, .name = unit->base};
  const bool parallel = block.config().block.parallel;
  const bool has_mlp_norm = block.map().find(Slot::kMlpNorm, block.layer()).has_value();
  for (const Block::Place& place : block.places()) {
    const Slot slot = place.unit->unit.slot;
    Slot stage = calibrate::stage_of(slot);
    if (slot == Slot::kRouter) stage = Slot::kGate;
    if (stage != Slot::kQ && stage != Slot::kGate) continue;
    Slot feeder = stage == Slot::kQ ? Slot::kAttentionNorm : Slot::kMlpNorm;
    if (parallel && !has_mlp_norm) feeder = Slot::kAttentionNorm;
    if (feeder != norm) continue;
    fold.consumers.push_back(&block.load(place));
    if (fold.stage == Slot::kNone) fold.stage = stage;
  }
  if (fold.consumers.empty()) return;
  fold.channels = fold.consumers[0]->values.shape().cols;
  fold.channel_of = one_to_one(fold.channels);
  if (std::ssize(block.vector(unit->base)) == fold.channels) folds.push_back(std::move(fold));
}

BlockMatrix* find_any(Block& block, std::initializer_list<Slot> slots, int expert) {
  for (const Slot slot : slots)
    if (BlockMatrix* found = block.find(slot, expert)) return found;
  return nullptr;
}

void add_value_fold(Block& block, std::vector<Fold>& folds) {
  BlockMatrix* o = block.find(Slot::kO);
  if (o == nullptr || find_any(block, {Slot::kV, Slot::kQkv}, -1) == nullptr) return;
  const model::ModelConfig& c = block.config();
  Fold fold{.producer = Slot::kV, .stage = Slot::kO, .consumers = {o}, .name = o->unit->base};
  const std::int64_t queries = c.heads / c.kv_heads;
  for (std::int64_t j = 0; j < c.q_width(); ++j)
    fold.channel_of.push_back(
        static_cast<std::int32_t>(j / c.head_dim / queries * c.head_dim + j % c.head_dim));
  fold.channels = c.kv_width();
  folds.push_back(std::move(fold));
}

// down(act(gate) * up) is linear in up; down(relu(up)) scales with it.
void add_up_fold(Block& block, int expert, std::vector<Fold>& folds) {
  const model::ModelConfig& c = block.config();
  if (!c.block.gated && c.activation != kernels::Activation::kRelu) return;
  BlockMatrix* down = find_any(block, {Slot::kDown, Slot::kExpertDown}, expert);
  if (down == nullptr ||
      find_any(block, {Slot::kUp, Slot::kGateUp, Slot::kExpertUp, Slot::kExpertGateUp}, expert) ==
          nullptr)
    return;
  Fold fold{.producer = Slot::kUp,
            .stage = Slot::kDown,
            .expert = expert,
            .consumers = {down},
            .name = down->unit->base};
  fold.channels = down->values.shape().cols;
  fold.channel_of = one_to_one(fold.channels);
  folds.push_back(std::move(fold));
}

// What a norm really divides by once its weight is rounded to the file's type.
std::vector<float> divide_norm(Block& block, Slot norm, std::span<const float> scales) {
  const std::string base = block.map().find(norm, block.layer())->base;
  const float plus = block.config().block.norm_plus_one ? 1.0f : 0.0f;
  std::vector<float> weight = block.vector(base), effective(scales.begin(), scales.end());
  const std::vector<float> before = weight;
  for (std::size_t j = 0; j < weight.size(); ++j)
    if (is_usable(scales[j])) weight[j] = (weight[j] + plus) / scales[j] - plus;
  const std::vector<float> after = block.set_vector(base, weight);
  for (std::size_t j = 0; j < weight.size(); ++j) {
    const float was = before[j] + plus, is = after[j] + plus;
    effective[j] = is_usable(scales[j]) && is_usable(was / is) ? was / is : 1.0f;
  }
  std::vector<float> bias = block.vector(base + ".bias");
  if (!bias.empty()) {
    for (std::size_t j = 0; j < bias.size(); ++j) bias[j] /= effective[j];
    block.set_vector(base + ".bias", bias);
  }
  return effective;
}

// Rows first .. of a linear's outputs, and their biases, divided.
void divide_rows(Block& block, BlockMatrix& matrix, std::int64_t first,
                 std::span<const float> scales) {
  const auto values = matrix.values.view();
  const std::string name = matrix.unit->base + ".bias";
  std::vector<float> bias = matrix.unit->slices > 1 ? std::vector<float>{} : block.vector(name);
  for (std::int64_t c = 0; c < std::ssize(scales); ++c) {
    const float scale = scales[static_cast<std::size_t>(c)];
    if (!is_usable(scale)) continue;
    const std::int64_t row = matrix.row_of(first + c);
    for (float& w : values.row(row)) w /= scale;
    if (!bias.empty()) bias[static_cast<std::size_t>(row)] /= scale;
  }
  matrix.edited = true;
  if (!bias.empty()) block.set_vector(name, bias);
}

}  // namespace

std::vector<Fold> folds_of(Block& block) {
  std::vector<Fold> folds;
  add_norm_fold(block, Slot::kAttentionNorm, folds);
  add_value_fold(block, folds);
  add_norm_fold(block, Slot::kMlpNorm, folds);
  if (!block.config().sparse(block.layer())) {
    add_up_fold(block, -1, folds);
  } else {
    for (int e = 0; e < block.config().experts; ++e) add_up_fold(block, e, folds);
  }
  return folds;
}

bool stands_alone(const model::TensorMap& map, const model::TensorUnit& unit) {
  const model::ModelConfig& c = map.config();
  switch (calibrate::stage_of(unit.slot)) {
    case Slot::kQ:
      return !norm_can_fold(c.block) || !map.find(Slot::kAttentionNorm, unit.layer);
    case Slot::kGate:
      return !norm_can_fold(c.block) ||
             !(map.find(Slot::kMlpNorm, unit.layer) ||
               (c.block.parallel && map.find(Slot::kAttentionNorm, unit.layer)));
    case Slot::kDown:
      return !c.block.gated && c.activation != kernels::Activation::kRelu;
    default:
      return false;
  }
}

std::vector<Fold> multiplied_of(Block& block) {
  std::vector<Fold> folds;
  for (const Block::Place& place : block.places()) {
    if (!place.unit->multiplied) continue;
    const Slot stage = calibrate::stage_of(place.unit->unit.slot);
    auto fold = std::ranges::find_if(folds, [&](const Fold& f) {
      return f.stage == stage && (stage != Slot::kDown || f.expert == place.expert);
    });
    if (fold == folds.end())
      fold = folds.insert(fold, Fold{.stage = stage,
                                     .expert = stage == Slot::kDown ? place.expert : -1,
                                     .name = place.unit->base});
    fold->consumers.push_back(&block.load(place));
    fold->channels = fold->consumers[0]->values.shape().cols;
    fold->channel_of = one_to_one(fold->channels);
  }
  return folds;
}

const calibrate::LinearStatistics* inputs_of(const Block& block, const Fold& fold) {
  if (const auto* dense = block.inputs(fold.stage, fold.expert)) return dense;
  const calibrate::LinearStatistics* best = nullptr;
  for (const BlockMatrix* consumer : fold.consumers) {
    const auto* inputs = block.inputs(fold.stage, consumer->expert);
    if (inputs != nullptr && (best == nullptr || inputs->tokens > best->tokens)) best = inputs;
  }
  return best;
}

void apply_fold(Block& block, const Fold& fold, std::span<const float> scales) {
  const model::ModelConfig& c = block.config();
  std::vector<float> effective(scales.begin(), scales.end());
  if (fold.producer == Slot::kNone) {
    std::vector<float> inverse;
    for (const float scale : scales) inverse.push_back(is_usable(scale) ? 1.0f / scale : 1.0f);
    for (const BlockMatrix* consumer : fold.consumers)
      block.add_vector(consumer->unit->base + ".input_multiplier", inverse);
  } else if (fold.producer == Slot::kAttentionNorm || fold.producer == Slot::kMlpNorm) {
    effective = divide_norm(block, fold.producer, scales);
  } else if (fold.producer == Slot::kV) {
    BlockMatrix* v = find_any(block, {Slot::kV, Slot::kQkv}, -1);
    divide_rows(block, *v, v->unit->unit.slot == Slot::kQkv ? c.q_width() + c.kv_width() : 0,
                scales);
  } else {
    BlockMatrix* up = find_any(
        block, {Slot::kUp, Slot::kGateUp, Slot::kExpertUp, Slot::kExpertGateUp}, fold.expert);
    const Slot slot = up->unit->unit.slot;
    const bool fused = slot == Slot::kGateUp || slot == Slot::kExpertGateUp;
    divide_rows(block, *up, fused ? up->values.shape().rows - fold.channels : 0, scales);
  }
  for (BlockMatrix* consumer : fold.consumers) {
    const auto values = consumer->values.view();
    for (std::int64_t r = 0; r < values.rows; ++r)
      for (std::int64_t j = 0; j < values.cols; ++j) {
        const float scale =
            effective[static_cast<std::size_t>(fold.channel_of[static_cast<std::size_t>(j)])];
        if (is_usable(scale)) values.row_data(r)[j] *= scale;
      }
    consumer->edited = true;
  }
}

void rewrite_consumers(Plan& plan) {
  for (PlannedUnit& unit : plan.units)
    if (unit.keep && unit.unit.layer >= 0) unit.keep = false;
}

}  // namespace farthing::compress
