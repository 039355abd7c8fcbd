#include "tune/rounded.h"

#include <algorithm>

#include "compress/slab.h"
#include "core/error.h"
#include "formats/format.h"

namespace farthing::tune {
namespace {

using calibrate::Collected;
using calibrate::stage_of;
using compress::PlannedUnit;
using model::Slot;

constexpr std::uint64_t kSlabBytes = 32u << 20;  // of floats at a time

}  // namespace

// The calibration samples on their way through the blocks.
struct RoundedWeights::Stream {
  Stream(Runtime& runtime, model::Model& of, const calibrate::CalibrationData& data)
      : model(of), states(data.tokens(), of.config().hidden) {
    std::vector<cache::Token> tokens;
    for (const calibrate::Sample& sample : data.samples) {
      rows.lengths.push_back(std::ssize(sample.tokens));
      tokens.insert(tokens.end(), sample.tokens.begin(), sample.tokens.end());
    }
    runner.emplace(runtime, rows, kernels::KvType::kF32);
    runner->embed(model, tokens, states);
  }
  void advance_to(int layer) {
    for (; at < layer; ++at) runner->advance(model, at, states);
  }
  model::Model& model;
  calibrate::SampleRows rows;
  calibrate::HiddenStates states;
  std::optional<calibrate::BlockRunner> runner;
  int at = 0;
};

RoundedWeights::RoundedWeights(Runtime& runtime, const Space& space, model::Model& model,
                               std::span<const std::unique_ptr<compress::Step>> steps,
                               const calibrate::CalibrationData& data, Progress& progress)
    : runtime_(runtime),
      space_(space),
      model_(model),
      steps_(steps),
      data_(data),
      progress_(progress),
      done_(static_cast<std::size_t>(model.config().layers) + 1) {}

RoundedWeights::~RoundedWeights() = default;

const std::vector<QuantizedTensor>& RoundedWeights::at(std::size_t member,
                                                       std::size_t alternative) {
  const int layer = space_.planned(member, 0).unit.layer;
  const std::size_t place = layer < 0 ? done_.size() - 1 : static_cast<std::size_t>(layer);
  if (!done_[place]) round_layer(layer);
  done_[place] = true;
  return made_.at({member, first_like(member, alternative)});
}

// Alternatives that differ in activations alone have the same weights.
std::size_t RoundedWeights::first_like(std::size_t member, std::size_t alternative) const {
  std::size_t a = 1;
  while (space_.planned(member, a).scheme != space_.planned(member, alternative).scheme) ++a;
  return a;
}

void RoundedWeights::round_layer(int layer) {
  calibrate::Wanted wanted;
  std::vector<std::size_t> members;
  std::size_t alternatives = 0;
  for (const Unit& unit : space_.units()) {
    if (unit.is_cache() || unit.layer != layer) continue;
    members.insert(members.end(), unit.members.begin(), unit.members.end());
    alternatives = space_.alternatives(unit).size();
  }
  for (const std::size_t member : members)
    for (std::size_t a = 1; a < alternatives; ++a) {
      const PlannedUnit& unit = space_.planned(member, a);
      const Slot stage = stage_of(unit.unit.slot);
      if (unit.keep || stage == Slot::kNone) continue;
      unsigned bits = calibrate::kNoStatistics;
      for (const auto& step : steps_) bits |= step->statistics(unit);
      // What the float model alone cannot show: there is no drift behind uncompressed layers.
      bits &= ~static_cast<unsigned>(calibrate::kDrift);
      if (bits == calibrate::kNoStatistics) continue;
      if (unit.slices == 1) wanted[{stage, unit.unit.expert}] |= bits;
      for (int slice = 0; unit.slices > 1 && slice < unit.slices; ++slice)
        wanted[{stage, slice}] |= bits;
    }
  Collected inputs;
  if (layer >= 0 && !wanted.empty() && !data_.samples.empty()) {
    if (stream_ == nullptr || stream_->at > layer)
      stream_ = std::make_unique<Stream>(runtime_, model_, data_);
    stream_->advance_to(layer);
    inputs = stream_->runner->collect(model_, layer, stream_->states, wanted);
  }
  for (const std::size_t member : members) {
    if (progress_.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    round_member(member, inputs);
  }
}

std::unique_ptr<compress::Rounder> RoundedWeights::rounder_of(
    const PlannedUnit& unit, const calibrate::LinearStatistics* inputs) {
  std::unique_ptr<compress::Rounder> rounder;  // the last step that rounds this matrix
  for (const auto& step : steps_)
    if (auto made = step->rounder(runtime_, unit, inputs)) rounder = std::move(made);
  if (rounder == nullptr)
    throw Error(Fault::kInternal, fmt::format("{}: no step rounds it", unit.base));
  return rounder;
}

// One matrix in all alternatives: those of equal groups follow one another, so that a step may keep
// what it has solved.
void RoundedWeights::round_member(std::size_t member, const Collected& inputs) {
  const PlannedUnit& first = space_.planned(member, 0);
  const auto alternatives = [&] {
    for (const Unit& unit : space_.units())
      if (std::ranges::find(unit.members, member) != unit.members.end())
        return space_.alternatives(unit).size();
    return std::size_t{0};
  }();
  std::vector<std::size_t> order;
  for (std::size_t a = 1; a < alternatives; ++a)
    if (first_like(member, a) == a) order.push_back(a);
  std::ranges::stable_sort(
      order, {}, [&](std::size_t a) { return space_.planned(member, a).scheme.group_size; });
  Matrix<float> floats;
  for (int slice = 0; slice < first.slices; ++slice) {
    model::TensorUnit source = first.unit;
    source.slice = slice;
    const QuantizedTensor stored = space_.map().load(source);
    const int expert = first.slices > 1 ? slice : first.unit.expert;
    const auto found = inputs.find({stage_of(first.unit.slot), expert});
    const calibrate::LinearStatistics* known = found == inputs.end() ? nullptr : &found->second;
    for (const std::size_t a : order) {
      const PlannedUnit& unit = space_.planned(member, a);
      QuantizedTensor made = allocate_tensor(stored.shape, unit.scheme);
      const auto rounder = rounder_of(unit, known);
      const std::int64_t slab = compress::slab_rows(stored.shape, kSlabBytes);
      for (std::int64_t row = 0; row < stored.shape.rows; row += slab) {
        const std::int64_t rows = std::min(slab, stored.shape.rows - row);
        const auto values = floats.resize(rows, stored.shape.cols);
        compress::read_rows(runtime_, {space_.map().checkpoint().path(), unit, slice}, stored, row,
                            values);
        runtime_.parallel(rows, rounder->grain(), [&](std::int64_t begin, std::int64_t end) {
          rounder->round(row + begin, values.rows_from(begin, end - begin), made, row + begin);
        });
      }
      bytes_ += made.bytes();
      made_[{member, a}].push_back(std::move(made));
    }
    space_.map().checkpoint().release(stored);
  }
}

}  // namespace farthing::tune
