// A step that rounds, for some matrices alone: behind one that rounds all, it takes its place
// there.
#include <algorithm>

#include "compress/matches.h"
#include "compress/steps/rows.h"
#include "core/error.h"

namespace farthing::compress {
namespace {

class Matched final : public Step {
 public:
  Matched(std::unique_ptr<Step> step, Matches matches)
      : step_(std::move(step)), matches_(std::move(matches)) {}
  void prepare(Plan& plan) override {
    if (std::ranges::none_of(plan.units,
                             [&](const PlannedUnit& unit) { return matches_.has(unit.base); }))
      bad_input("{}: match {} is for no matrix of this model", matches_.where(), matches_.text());
  }
  unsigned statistics(const PlannedUnit& unit) const override {
    return matches_.has(unit.base) ? step_->statistics(unit) : calibrate::kNoStatistics;
  }
  std::unique_ptr<Rounder> rounder(Runtime& runtime, const PlannedUnit& unit,
                                   const calibrate::LinearStatistics* inputs) override {
    return matches_.has(unit.base) ? step_->rounder(runtime, unit, inputs) : nullptr;
  }
  std::uint64_t work_bytes(const PlannedUnit& unit) const override {
    return matches_.has(unit.base) ? step_->work_bytes(unit) : 0;
  }

 private:
  std::unique_ptr<Step> step_;
  Matches matches_;
};

}  // namespace

std::unique_ptr<Step> matched_step(std::unique_ptr<Step> step, const Setting& match) {
  return std::make_unique<Matched>(std::move(step), Matches(match));
}

}  // namespace farthing::compress
