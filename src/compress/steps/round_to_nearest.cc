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

constexpr std::array<std::string_view, 1> kKeys = {"range"};
constexpr std::array<std::string_view, 3> kRanges = {"search", "shrink", "minmax"};
constexpr std::array kMethods = {RoundMethod::kScaleSearch, RoundMethod::kShrink,
                                 RoundMethod::kMinMax};

class NearestRounder final : public Rounder {
 public:
  explicit NearestRounder(RoundMethod method) : options_{.method = method, .importance = {}} {}
  void round(std::int64_t, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    out.format->quantize(out, out_first, rows, options_);
  }

 private:
  RoundOptions options_;
};

class RoundToNearest final : public Step {
 public:
  explicit RoundToNearest(RoundMethod method) : method_(method) {}
  std::unique_ptr<Rounder> rounder(Runtime&, const PlannedUnit&,
                                   const calibrate::LinearStatistics*) override {
    return std::make_unique<NearestRounder>(method_);
  }

 private:
  RoundMethod method_;
};

std::unique_ptr<Step> make(const Setting& options) {
  const Setting* range = options.find("range");
  return std::make_unique<RoundToNearest>(range != nullptr ? range_of(*range, "rtn")
                                                           : kMethods[0]);
}

}  // namespace

std::unique_ptr<Rounder> nearest_rounder(RoundMethod method) {
  return std::make_unique<NearestRounder>(method);
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
          .make = make};
}

}  // namespace farthing::compress
