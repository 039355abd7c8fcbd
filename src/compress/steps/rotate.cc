// Rotations that keep the model's function and spread outliers over all channels (Ashkboos et al.,
// 2024, QuaRot; Liu et al., 2024, SpinQuant): of the residual stream, folded into everything that
// writes or reads it, and of each value head, folded into v and o. Norms of the stream lose their
// gains to what reads them, for which a tied head must become a matrix of its own.
#include <algorithm>
#include <array>

#include "compress/block.h"
#include "compress/folds.h"
#include "compress/rotation.h"
#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

using model::Slot;

constexpr std::array<std::string_view, 4> kKeys = {"residual", "heads", "block", "seed"};

struct Options {
  bool residual = true, heads = true;
  std::int64_t block = 1024, seed = 0;
};

bool writes_residual(Slot slot) {
  return slot == Slot::kO || slot == Slot::kDown || slot == Slot::kExpertDown;
}

// Why the residual stream of an architecture has no rotation that leaves its function.
std::string why_not(const model::TensorMap& map) {
  const model::BlockRules& rules = map.config().block;
  if (rules.norm != model::NormKind::kRms) return "LayerNorm takes the mean of the channels";
  if (rules.norm_after_add || rules.residual_from_norm || rules.plain_norms)
    return "its norms stand on the residual stream itself";
  if (map.find(Slot::kPostAttentionNorm, 0) || map.find(Slot::kPostMlpNorm, 0))
    return "a norm stands behind attention or MLP";
  if (map.config().embedding_dim != 0 && map.config().embedding_dim != map.config().hidden)
    return "its embedding has another width than the stream";
  if (map.find(Slot::kPositionEmbedding) || map.find(Slot::kEmbeddingNorm))
    return "something is added to the embedding, or it is normed";
  if (!map.find(Slot::kFinalNorm)) return "it has no norm before the head";
  return "";
}

class Rotate final : public Step {
 public:
  explicit Rotate(const Options& options) : options_(options) {}

  bool transforms() const override { return true; }
  bool rotates() const override { return true; }

  void prepare_model(Plan& plan, const model::TensorMap& map) override {
    Random random(static_cast<std::uint64_t>(options_.seed) + 1);
    const model::ModelConfig& config = map.config();
    if (options_.residual) {
      if (const std::string reason = why_not(map); !reason.empty())
        unsupported(
            "rotate: the residual stream of {} cannot be rotated: {}; rotate: {{residual: false}} "
            "rotates the value heads only",
            config.architecture, reason);
      residual_ = Rotation(config.hidden, options_.block, random);
      plan.notes.push_back(fmt::format("rotate: the residual stream in blocks of {} of {}",
                                       residual_.block(), config.hidden));
      if (plan.tied) plan.untie(map, "the rotated head takes the gains of the final norm");
      for (PlannedUnit& unit : plan.units)
        if (unit.unit.layer < 0) unit.keep = false;
      final_norm_ = map.find(Slot::kFinalNorm)->base;
      final_gains_ = gains(map.load_vector(final_norm_), config);
    }
    heads_ = Rotation(config.head_dim, options_.block, random);
    rewrite_consumers(plan);
  }

  void transform(Runtime& runtime, Block& block) override {
    if (options_.residual) {
      fold_gains(block, Slot::kAttentionNorm);
      fold_gains(block, Slot::kMlpNorm);
      rotate_stream(runtime, block);
    }
    if (options_.heads) rotate_heads(runtime, block);
  }

  void transform_states(Runtime& runtime, MatrixView<float> states) const override {
    if (options_.residual) residual_.rotate_rows(runtime, states);
  }

  void transform_rows(const PlannedUnit& unit, MatrixView<float> rows) const override {
    if (!options_.residual) return;
    const bool head = unit.unit.slot == Slot::kHead;
    if (!head && unit.unit.slot != Slot::kEmbedding) return;
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      const auto row = rows.row(r);
      if (head)
        for (std::size_t j = 0; j < row.size(); ++j) row[j] *= final_gains_[j];
      residual_.rotate_row(row);
    }
  }

  std::vector<float> new_vector(const model::TensorMap& map, std::string_view base) const override {
    if (!options_.residual || base != final_norm_) return {};
    return std::vector<float>(final_gains_.size(), gain_of_one(map.config()));
  }

 private:
  static float gain_of_one(const model::ModelConfig& config) {
    return config.block.norm_plus_one ? 0.0f : 1.0f;
  }
  static std::vector<float> gains(std::vector<float> weight, const model::ModelConfig& config) {
    for (float& w : weight) w += config.block.norm_plus_one ? 1.0f : 0.0f;
    return weight;
  }

  static bool reads(const Block& block, Slot norm, Slot slot) {
    const bool attention = calibrate::stage_of(slot) == Slot::kQ;
    const bool mlp = calibrate::stage_of(slot) == Slot::kGate || slot == Slot::kRouter;
    const bool one_norm =
        block.config().block.parallel && !block.map().find(Slot::kMlpNorm, block.layer());
    return norm == Slot::kAttentionNorm ? attention || (mlp && one_norm) : mlp;
  }

  static void fold_gains(Block& block, Slot norm) {
    const auto unit = block.map().find(norm, block.layer());
    if (!unit) return;
    const std::vector<float> gain = gains(block.vector(unit->base), block.config());
    for (const Block::Place& place : block.places()) {
      if (!reads(block, norm, place.unit->unit.slot)) continue;
      BlockMatrix& matrix = block.load(place);
      const auto values = matrix.values.view();
      for (std::int64_t r = 0; r < values.rows; ++r)
        for (std::int64_t j = 0; j < values.cols; ++j)
          values.row_data(r)[j] *= gain[static_cast<std::size_t>(j)];
      matrix.edited = true;
    }
    block.set_vector(unit->base, std::vector<float>(gain.size(), gain_of_one(block.config())));
  }

  void rotate_stream(Runtime& runtime, Block& block) const {
    for (const Block::Place& place : block.places()) {
      const Slot slot = place.unit->unit.slot;
      BlockMatrix& matrix = block.load(place);
      matrix.edited = true;
      if (!writes_residual(slot)) {
        residual_.rotate_rows(runtime, matrix.values.view());
        continue;
      }
      residual_.rotate_columns(runtime, matrix.values.view());
      rotate_bias(block, matrix, residual_);
    }
  }

  static void rotate_bias(Block& block, const BlockMatrix& matrix, const Rotation& rotation,
                          std::int64_t first = 0, std::int64_t count = -1) {
    const std::string name = matrix.unit->base + ".bias";
    std::vector<float> bias = matrix.unit->slices > 1 ? std::vector<float>{} : block.vector(name);
    if (bias.empty()) return;
    rotation.rotate_row(
        std::span(bias).subspan(static_cast<std::size_t>(first),
                                count < 0 ? std::dynamic_extent : static_cast<std::size_t>(count)));
    block.set_vector(name, bias);
  }

  // o reads each value head through the query heads of its group.
  void rotate_heads(Runtime& runtime, Block& block) const {
    BlockMatrix* o = block.find(Slot::kO);
    BlockMatrix* v = block.find(Slot::kV);
    const bool fused = v == nullptr;
    if (fused) v = block.find(Slot::kQkv);
    if (o == nullptr || v == nullptr || !v->order.empty()) return;
    const model::ModelConfig& config = block.config();
    const std::int64_t first = fused ? config.q_width() + config.kv_width() : 0;
    heads_.rotate_columns(runtime, v->values.view().rows_from(first, config.kv_width()));
    rotate_bias(block, *v, heads_, first, config.kv_width());
    heads_.rotate_rows(runtime, o->values.view());
    v->edited = o->edited = true;
  }

  Options options_;
  Rotation residual_, heads_;
  std::string final_norm_;
  std::vector<float> final_gains_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  Options options;
  if (const Setting* residual = settings.find("residual"))
    options.residual = flag_of(*residual, "residual of rotate");
  if (const Setting* heads = settings.find("heads"))
    options.heads = flag_of(*heads, "heads of rotate");
  if (const Setting* block = settings.find("block"))
    options.block = integer_of(*block, "block of rotate", 2, 1 << 20);
  if (const Setting* seed = settings.find("seed"))
    options.seed = integer_of(*seed, "seed of rotate", 0, INT64_MAX);
  return std::make_unique<Rotate>(options);
}

}  // namespace

StepRow rotate_step() {
  return {.name = "rotate",
          .summary = "spread outliers over all channels by rotations (QuaRot)",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
