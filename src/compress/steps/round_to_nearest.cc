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
  std::unique_ptr<Rounder> rounder(const PlannedUnit&,
                                   const calibrate::LinearStatistics*) override {
    return std::make_unique<NearestRounder>(method_);
  }

 private:
  RoundMethod method_;
};

std::unique_ptr<Step> make(const Setting& options) {
  RoundMethod method = kMethods[0];
  if (const Setting* range = options.find("range")) {
    const std::string& name = text_of(*range, "range");
    const auto found = std::find(kRanges.begin(), kRanges.end(), name);
    if (found == kRanges.end())
      bad_input("{}: range of rtn must be one of {}; got {}", range->where, join(kRanges, ", "),
                printable(name));
    method = kMethods[static_cast<std::size_t>(found - kRanges.begin())];
  }
  return std::make_unique<RoundToNearest>(method);
}

}  // namespace

StepRow round_to_nearest_step() {
  return {.name = "rtn",
          .summary = "round to nearest with a search for each group's scale",
          .keys = kKeys,
          .rounds = true,
          .make = make};
}

}  // namespace farthing::compress
