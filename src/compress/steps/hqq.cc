// HQQ (Badri and Shaji, 2023): half-quadratic search for the zero point of each group; needs no
// data. The zero points come out as floats; where the artefact has to be portable they are rounded.
#include "compress/steps/rows.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

class HqqRounder final : public Rounder {
 public:
  void round(std::int64_t, MatrixView<const float> rows, QuantizedTensor& out,
             std::int64_t out_first) const override {
    out.format->quantize(out, out_first, rows, {.method = RoundMethod::kHqq, .importance = {}});
  }
};

class Hqq final : public Step {
 public:
  void prepare(Plan& plan) override {
    for (PlannedUnit& unit : plan.units) {
      if (unit.scheme.element != Element::kInt || unit.scheme.plain || unit.keep) continue;
      WeightScheme scheme = unit.scheme;
      scheme.symmetric = false;
      scheme.zero_point = plan.options.portable ? ZeroPoint::kInteger : ZeroPoint::kFloat;
      if (scheme == unit.scheme) continue;
      plan.substitute(
          unit, scheme,
          plan.options.portable
              ? "hqq searches zero points, here rounded ones so that compressed-tensors reads them"
              : "hqq searches zero points");
    }
  }
  std::unique_ptr<Rounder> rounder(Runtime&, const PlannedUnit&,
                                   const calibrate::LinearStatistics*) override {
    return std::make_unique<HqqRounder>();
  }
};

std::unique_ptr<Step> make(const Setting&) { return std::make_unique<Hqq>(); }

}  // namespace

StepRow hqq_step() {
  return {.name = "hqq",
          .summary = "half-quadratic search for each group's zero point",
          .keys = {},
          .rounds = true,
          .make = make};
}

}  // namespace farthing::compress
