// Takes out MLP channels, or groups of heads: rows of what makes them and the columns that read
// them. Scores and the bias that stands in for what they gave on average are FLAP's (An et al.,
// 2024), or the scores Wanda's (Wanda-sp) or Taylor's, from gradients.
#include <algorithm>
#include <array>
#include <cmath>

#include "compress/block.h"
#include "compress/steps/rows.h"
#include "compress/steps/structured.h"
#include "compress/structure.h"
#include "core/error.h"

namespace farthing::compress {
namespace {

using model::Slot;

constexpr std::array<std::string_view, 4> kChannelKeys = {"sparsity", "score", "bias", "multiple"};
constexpr std::array<std::string_view, 3> kGroupKeys = {"sparsity", "score", "bias"};
constexpr std::array<std::string_view, 3> kScores = {"flap", "wanda", "taylor"};

struct Options {
  std::string_view step;
  bool heads = false;
  double share = 0.25;
  ChannelScore score = ChannelScore::kFlap;
  bool bias = true;
  std::int64_t multiple = 64;  // of the channels that stay: whole groups of scales, whole tiles
};

class DropParts final : public Step {
 public:
  explicit DropParts(const Options& options) : options_(options) {}

  bool restructures() const override { return true; }

  std::unique_ptr<io::Checkpoint> restructure(const Survey& survey,
                                              std::vector<std::string>& notes) override {
    const model::ModelConfig& c = survey.map.config();
    const std::int64_t all = options_.heads ? c.kv_heads : c.intermediate;
    const std::int64_t kept = options_.heads ? kept_groups(c) : kept_channels(all);
    notes.push_back(options_.heads ? fmt::format("{}: {} of {} groups of heads stay in every layer",
                                                 options_.step, kept, all)
                                   : fmt::format("{}: {} of {} channels stay in every MLP",
                                                 options_.step, kept, all));
    const std::string no_bias = options_.bias ? why_no_bias(survey.map, !options_.heads) : "";
    if (!no_bias.empty())
      notes.push_back(
          fmt::format("{}: {}, so what goes is not made up for", options_.step, no_bias));
    // What cannot be done shows before the work.
    Structure structure;
    auto& lists = options_.heads ? structure.groups : structure.channels;
    lists.assign(static_cast<std::size_t>(c.layers),
                 highest(std::vector<double>(index(all)), kept));
    apply_structure(survey.map, structure);

    std::vector<std::vector<double>> gates(index(c.layers));
    if (options_.score == ChannelScore::kTaylor) gates = gate_scores(survey, slot(), width(c));
    FloatPass pass(survey);
    for (int layer = 0; layer < c.layers; ++layer) {
      choose(survey, pass, layer, kept, options_.bias && no_bias.empty(), gates[index(layer)],
             structure);
      pass.advance(layer);
      survey.progress.update(fmt::format("layers scored by {}", options_.step), layer + 1,
                             c.layers);
    }
    return apply_structure(survey.map, structure);
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  std::int64_t kept_channels(std::int64_t all) const {
    const double wanted = static_cast<double>(all) * (1 - options_.share);
    const std::int64_t step = std::min(options_.multiple, all);
    return std::clamp<std::int64_t>(std::llround(wanted / static_cast<double>(step)) * step, step,
                                    all);
  }

  // transformers wants heads that divide the hidden size, whatever their width: the nearest number
  // of groups that gives such, of two the smaller.
  std::int64_t kept_groups(const model::ModelConfig& c) const {
    const double wanted = static_cast<double>(c.kv_heads) * (1 - options_.share);
    const auto far = [&](std::int64_t groups) {
      return std::abs(static_cast<double>(groups) - wanted);
    };
    std::int64_t best = c.kv_heads;
    for (std::int64_t groups = c.kv_heads - 1; groups >= 1; --groups)
      if (c.hidden % (groups * (c.heads / c.kv_heads)) == 0 && far(groups) <= far(best))
        best = groups;
    return best;
  }

  Slot slot() const { return options_.heads ? Slot::kO : Slot::kDown; }
  // Inputs of that linear which go together.
  std::int64_t width(const model::ModelConfig& c) const {
    return options_.heads ? c.heads / c.kv_heads * c.head_dim : 1;
  }

  // `gates`: scores of channels or groups that are known already, or none.
  void choose(const Survey& survey, FloatPass& pass, int layer, std::int64_t kept, bool bias,
              std::vector<double> gates, Structure& structure) const {
    const auto inputs =
        pass.collect(layer, {{{slot(), -1}, calibrate::kMoments | calibrate::kSample}});
    const auto& statistics = inputs.at({slot(), -1});
    const QuantizedTensor stored = survey.map.load(*survey.map.find(slot(), layer));
    Matrix<float> weights(stored.shape.rows, stored.shape.cols);
    stored.format->dequantize(stored, 0, weights.view());
    const std::int64_t each = width(survey.map.config());
    if (gates.empty()) {
      const auto scores = input_scores(survey.runtime, weights.view(), statistics, options_.score);
      gates.resize(scores.size() / index(each));
      for (std::size_t j = 0; j < scores.size(); ++j) gates[j / index(each)] += scores[j];
    }
    auto& place = (options_.heads ? structure.groups : structure.channels)[index(layer)];
    place = highest(gates, kept);
    if (!bias) return;
    std::vector<std::int32_t> features;
    for (const std::int32_t g : place)
      for (std::int64_t i = 0; i < each; ++i)
        features.push_back(static_cast<std::int32_t>(g * each + i));
    (options_.heads ? structure.o_bias : structure.down_bias)
        .push_back(lost_mean(weights.view(), statistics, features));
  }

  Options options_;
};

std::unique_ptr<Step> make(const Setting& settings, Options options) {
  options.share = share_of(settings, options.step, options.share);
  if (const Setting* score = settings.find("score"))
    options.score = static_cast<ChannelScore>(
        choice_of(*score, fmt::format("score of {}", options.step), kScores));
  if (const Setting* bias = settings.find("bias")) options.bias = flag_of(*bias, "bias");
  if (const Setting* multiple = settings.find("multiple"))
    options.multiple = integer_of(*multiple, "multiple", 1, 65536);
  return std::make_unique<DropParts>(options);
}

}  // namespace

StepRow drop_channels_step() {
  return {.name = "drop_channels",
          .summary = "take whole channels out of every MLP",
          .keys = kChannelKeys,
          .rounds = false,
          .make = [](const Setting& s) { return make(s, {.step = "drop_channels"}); }};
}

StepRow drop_heads_step() {
  return {.name = "drop_heads",
          .summary = "take whole groups of heads out of every attention",
          .keys = kGroupKeys,
          .rounds = false,
          .make = [](const Setting& s) { return make(s, {.step = "drop_heads", .heads = true}); }};
}

}  // namespace farthing::compress
