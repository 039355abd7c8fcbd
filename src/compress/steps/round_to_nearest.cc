// Round to nearest, each group by itself, with or without a search for its range (algorithms.md
// 1.1): needs no data and treats rows alone.
#include <algorithm>
#include <array>

#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

constexpr std::array<std::string_view, 2> kKeys = {"range", "importance"};
constexpr std::array<std::string_view, 2> kImportances = {"none", "activations"};
constexpr std::array<std::string_view, 3> kRanges = {"search", "shrink", "minmax"};
constexpr std::array kMethods = {RoundMethod::kScaleSearch, RoundMethod::kShrink,
                                 RoundMethod::kMinMax};

class NearestRounder final : public Rounder {
 public:
  NearestRounder(RoundMethod method, std::vector<float> importance)
      : importance_(std::move(importance)), options_{.method = method, .importance = importance_} {}
  void round(std::int64_t, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    out.format->quantize(out, out_first, rows, options_);
  }

 private:
  std::vector<float> importance_;  // mean square of each input; empty: all count alike
  RoundOptions options_;
};

class RoundToNearest final : public Step {
 public:
  RoundToNearest(RoundMethod method, bool weighted) : method_(method), weighted_(weighted) {}
  unsigned statistics(const PlannedUnit& unit) const override {
    return weighted_ && unit.is_compressed() ? calibrate::kMoments : calibrate::kNoStatistics;
  }
  std::unique_ptr<Rounder> rounder(Runtime&, const PlannedUnit&,
                                   const calibrate::LinearStatistics* inputs) override {
    const bool weighs = weighted_ && inputs != nullptr && inputs->tokens > 0;
    return std::make_unique<NearestRounder>(method_,
                                            weighs ? inputs->square : std::vector<float>{});
  }

 private:
  RoundMethod method_;
  bool weighted_;
};

std::unique_ptr<Step> make(const Setting& options) {
  const Setting* range = options.find("range");
  const Setting* importance = options.find("importance");
  return std::make_unique<RoundToNearest>(
      range != nullptr ? range_of(*range, "rtn") : kMethods[0],
      importance != nullptr && choice_of(*importance, "importance of rtn", kImportances) == 1);
}

}  // namespace

std::unique_ptr<Rounder> nearest_rounder(RoundMethod method) {
  return std::make_unique<NearestRounder>(method, std::vector<float>{});
}

std::size_t choice_of(const Setting& setting, std::string_view what,
                      std::span<const std::string_view> names) {
  const std::string& name = text_of(setting, what);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    bad_input("{}: {} must be one of {}; got {}", setting.where, what, join(names, ", "),
              printable(name));
  return static_cast<std::size_t>(found - names.begin());
}

RoundMethod range_of(const Setting& setting, std::string_view step) {
  return kMethods[choice_of(setting, fmt::format("range of {}", step), kRanges)];
}

StepRow round_to_nearest_step() {
  return {.name = "rtn",
          .summary = "round to nearest with a search for each group's scale",
          .keys = kKeys,
          .rounds = true,
          .can_match = true,
          .make = make};
}

}  // namespace farthing::compress
