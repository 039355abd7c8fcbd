#include "compress/pruning.h"

#include <algorithm>
#include <array>

#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 2> kRatios = {"uniform", "owl"};
constexpr std::array<std::string_view, 2> kCompares = {"row", "matrix"};

bool can_be_pruned(const PlannedUnit& unit) {
  return model::in_block(unit.unit.slot) && unit.unit.slot != model::Slot::kRouter;
}

// Whether weights that are zero come out as exactly that, whatever lies beside them: tried on rows
// of either sign and of both.
bool has_exact_zero(const WeightScheme& scheme, std::int64_t inputs) {
  constexpr std::int64_t kRows = 32;  // zero points of so many rows may share words
  Matrix<float> rows(kRows, inputs), back(kRows, inputs);
  Random random(1);
  for (std::int64_t r = 0; r < kRows; ++r)
    for (float& w : rows.view().row(r)) {
      const auto x = static_cast<float>(random.uniform());
      w = random.uniform() < 0.5 ? 0.0f : r % 3 == 0 ? x : r % 3 == 1 ? -x : x - 0.5f;
    }
  QuantizedTensor tried = allocate_tensor({kRows, inputs}, scheme);
  tried.format->quantize(tried, 0, rows.view(), {.method = RoundMethod::kMinMax, .importance = {}});
  tried.format->dequantize(tried, 0, back.view());
  for (std::int64_t i = 0; i < kRows * inputs; ++i)
    if (rows.view().data[i] == 0 && back.view().data[i] != 0) return false;
  return true;
}

}  // namespace

PruningOptions read_pruning_options(const Setting& settings, std::string_view step,
                                    Compare compare) {
  PruningOptions options;
  options.where = settings.where;
  options.compare = compare;
  if (const Setting* sparsity = settings.find("sparsity"))
    options.sparsity = parse_sparsity(*sparsity);
  if (const Setting* ratios = settings.find("ratios"))
    options.ratios.use = choice_of(*ratios, fmt::format("ratios of {}", step), kRatios) == 1;
  if (const Setting* compared = settings.find("compare"))
    options.compare =
        static_cast<Compare>(choice_of(*compared, fmt::format("compare of {}", step), kCompares));
  const auto number = [&](std::string_view key, double& value, double least, double most) {
    const Setting* setting = settings.find(key);
    if (setting == nullptr) return;
    value = number_of(*setting, key);
    if (!(value >= least && value <= most))
      bad_input("{}: {} of {} must be from {} to {}; got {}", setting->where, key, step, least,
                most, value);
  };
  number("outlier_mean", options.ratios.mean, 1, 1000);
  number("outlier_spread", options.ratios.spread, 0, 0.5);
  if (const Setting* match = settings.find("match")) options.match = Matches(*match);
  if (options.ratios.use && options.sparsity.is_pattern())
    bad_input(
        "{}: ratios: owl of {} gives each layer its own share, and {} is one pattern for all; give "
        "a ratio, or ratios: uniform",
        settings.where, step, sparsity_text(options.sparsity));
  return options;
}

void choose_pruned(Runtime& runtime, const Sparsity& sparsity, Compare compare,
                   MatrixView<const float> scores, std::span<std::uint8_t> pruned) {
  if (compare == Compare::kMatrix && !sparsity.is_pattern())
    return choose_pruned(sparsity, {scores.data, pruned.size()}, pruned);
  const auto inputs = static_cast<std::size_t>(scores.cols);
  runtime.parallel(scores.rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      choose_pruned(sparsity, scores.row(r),
                    pruned.subspan(static_cast<std::size_t>(r) * inputs, inputs));
  });
}

void PruningStep::prepare(Plan& plan) {
  for (PlannedUnit& unit : plan.units) {
    if (!can_be_pruned(unit) || !options_.match.has(unit.base)) continue;
    check_pattern(options_.sparsity, unit.shape.cols, unit.base);
    unit.keep = false;
    unit.keep_zeros = true;
    bases_.push_back(unit.base);
  }
  std::sort(bases_.begin(), bases_.end());
  if (bases_.empty())
    bad_input("{}: match {} of {} is for no linear of a block", options_.where,
              options_.match.text(), name_);
}

void PruningStep::survey(const Survey& survey, Plan& plan) {
  std::vector<WeightScheme> good;
  for (const PlannedUnit& unit : plan.units) {
    if (!prunes(unit) || std::find(good.begin(), good.end(), unit.scheme) != good.end()) continue;
    if (!has_exact_zero(unit.scheme, unit.shape.cols))
      unsupported(
          "{}: {} has no exact zero on its grid, so what {} takes out would come back as small "
          "numbers; use symmetric weights or integer zero points (-asym)",
          unit.base, scheme_name(unit.scheme), name_);
    good.push_back(unit.scheme);
  }
  if (options_.ratios.use)
    ratios_ = outlier_ratios(survey, plan, options_.sparsity.ratio, options_.ratios,
                             [&](const PlannedUnit& unit) { return prunes(unit); });
}

bool PruningStep::prunes(const PlannedUnit& unit) const {
  return std::binary_search(bases_.begin(), bases_.end(), unit.base);
}

Sparsity PruningStep::sparsity_of(const PlannedUnit& unit) const {
  Sparsity sparsity = options_.sparsity;
  if (!ratios_.empty()) sparsity.ratio = ratios_[static_cast<std::size_t>(unit.unit.layer)];
  return sparsity;
}

}  // namespace farthing::compress
