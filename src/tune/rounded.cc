#include "tune/rounded.h"

#include <algorithm>

#include "compress/slab.h"
#include "core/error.h"
#include "formats/format.h"

namespace farthing::tune {
namespace {

using calibrate::Collected;
using compress::PlannedUnit;
using model::Slot;

constexpr std::uint64_t kSlabBytes = 32u << 20;  // of floats at a time

std::vector<float> floats_of(const QuantizedTensor& vector) {
  std::vector<float> values(static_cast<std::size_t>(vector.shape.size()));
  vector.format->dequantize(vector, 0, {values.data(), 1, std::ssize(values)});
  return values;
}

// A copy of what steps that change weights look at.
Collected moments_of(const Collected& inputs) {
  Collected copies;
  for (const auto& [input, s] : inputs) {
    calibrate::LinearStatistics& to = copies[input];
    to.tokens = s.tokens, to.share = s.share;
    to.mean_magnitude = s.mean_magnitude, to.square = s.square;
    to.least = s.least, to.most = s.most, to.later_peak = s.later_peak;
    to.sample_is_first = s.sample_is_first;
    const auto sample = s.sample.view();
    std::copy_n(sample.data, sample.rows * sample.cols,
                to.sample.resize(sample.rows, sample.cols).data);
  }
  return copies;
}

// The input of a slice, or of the whole.
int expert_of(const PlannedUnit& unit, int slice) {
  return unit.slices > 1 ? slice : unit.unit.expert;
}

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

const RoundedWeights::Made& RoundedWeights::made(std::size_t member, std::size_t alternative) {
  const int layer = space_.planned(member, 0).unit.layer;
  const std::size_t place = layer < 0 ? done_.size() - 1 : static_cast<std::size_t>(layer);
  if (!done_[place]) round_layer(layer);
  done_[place] = true;
  return made_.at({member, first_like(member, alternative)});
}

const std::vector<QuantizedTensor>& RoundedWeights::at(std::size_t member,
                                                       std::size_t alternative) {
  return made(member, alternative).slices;
}

const std::vector<float>& RoundedWeights::multiplier(std::size_t member, std::size_t alternative) {
  return made(member, alternative).multiplier;
}

void RoundedWeights::put(const Swap& swap, io::OverlayCheckpoint& to) {
  for (const std::size_t member : space_.units()[swap.unit].members) {
    const PlannedUnit& planned = space_.planned(member, swap.alternative);
    const auto& slices = at(member, swap.alternative);
    for (std::size_t s = 0; s < slices.size(); ++s)
      to.put(planned.base, static_cast<int>(s), borrow_tensor(slices[s]), planned.activations);
    if (const auto& factors = multiplier(member, swap.alternative); !factors.empty())
      to.put(planned.base + ".input_multiplier", 0, make_vector(factors));
  }
}

std::size_t RoundedWeights::first_like(std::size_t member, std::size_t alternative) const {
  std::size_t a = 1;
  while (!space_.same_weights(member, a, alternative)) ++a;
  return a;
}

unsigned RoundedWeights::wanted_of(const PlannedUnit& unit, std::size_t alternative) const {
  unsigned bits = calibrate::kNoStatistics;
  for (const auto& step : steps_) bits |= step->statistics(unit);
  for (const auto& step : space_.steps(alternative))
    bits |= step->statistics(unit) | step->transform_statistics();
  // What the float model alone cannot show: there is no drift behind uncompressed layers.
  return bits & ~static_cast<unsigned>(calibrate::kDrift);
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
      const Slot stage = unit.stage();
      const unsigned bits = wanted_of(unit, a);
      if (unit.keep || stage == Slot::kNone || bits == calibrate::kNoStatistics) continue;
      for (int slice = 0; slice < unit.slices; ++slice)
        wanted[{stage, expert_of(unit, slice)}] |= bits;
    }
  Collected inputs;
  if (!wanted.empty() && !data_.samples.empty()) inputs = inputs_of(layer, wanted);
  Blocks blocks = transformed(layer, alternatives, inputs);
  for (const std::size_t member : members) {
    if (progress_.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    round_member(member, alternatives, inputs, blocks);
  }
}

// layer -1: of the head, behind all blocks.
Collected RoundedWeights::inputs_of(int layer, const calibrate::Wanted& wanted) {
  const int before = layer < 0 ? static_cast<int>(model_.config().layers) : layer;
  if (stream_ == nullptr || stream_->at > before)
    stream_ = std::make_unique<Stream>(runtime_, model_, data_);
  stream_->advance_to(before);
  if (layer >= 0) return stream_->runner->collect(model_, layer, stream_->states, wanted);
  Collected inputs;
  for (const auto& [input, bits] : wanted)
    inputs.emplace(input, stream_->runner->collect_head(model_, stream_->states, bits));
  return inputs;
}

RoundedWeights::Blocks RoundedWeights::transformed(int layer, std::size_t alternatives,
                                                   const Collected& inputs) {
  Blocks blocks;
  for (std::size_t a = 1; layer >= 0 && a < alternatives; ++a)
    for (const auto& step : space_.steps(a)) {
      if (!step->transforms()) continue;
      std::unique_ptr<compress::Block>& block = blocks[a];
      if (block == nullptr) {
        block = std::make_unique<compress::Block>(runtime_, space_.map(), space_.plan(a), layer);
        block->set_inputs(moments_of(inputs));
      }
      step->transform(runtime_, *block);
    }
  return blocks;
}

std::unique_ptr<compress::Rounder> RoundedWeights::rounder_of(
    const PlannedUnit& unit, std::size_t alternative, const calibrate::LinearStatistics* inputs) {
  std::unique_ptr<compress::Rounder> rounder;  // the last step that rounds this matrix
  const auto ask = [&](std::span<const std::unique_ptr<compress::Step>> steps) {
    for (const auto& step : steps)
      if (auto made = step->rounder(runtime_, unit, inputs)) rounder = std::move(made);
  };
  ask(steps_);
  if (unit.unit.layer >= 0) ask(space_.steps(alternative));
  if (rounder == nullptr)
    throw Error(Fault::kInternal, fmt::format("{}: no step rounds it", unit.base));
  return rounder;
}

void RoundedWeights::round_slice(const PlannedUnit& unit, std::size_t alternative, int slice,
                                 const QuantizedTensor& stored,
                                 const calibrate::LinearStatistics* inputs, Blocks& blocks,
                                 Made& to) {
  const auto rounder = rounder_of(unit, alternative, inputs);
  const Shape shape = unit.shape;
  QuantizedTensor made = allocate_tensor(shape, unit.scheme);
  const auto round = [&](std::int64_t row, MatrixView<const float> values) {
    runtime_.parallel(values.rows, rounder->grain(), [&](std::int64_t begin, std::int64_t end) {
      rounder->round(row + begin, values.rows_from(begin, end - begin), made, row + begin);
    });
  };
  const auto block = blocks.find(alternative);
  if (block != blocks.end()) {
    const auto& places = block->second->places();
    const auto place = std::ranges::find_if(places, [&](const compress::Block::Place& p) {
      return p.unit->base == unit.base && p.slice == slice;
    });
    round(0, std::as_const(block->second->load(*place).values).view());
    const auto factors = block->second->vectors().find(unit.base + ".input_multiplier");
    if (factors != block->second->vectors().end()) to.multiplier = floats_of(factors->second);
  } else {
    Matrix<float> floats;
    const std::int64_t slab = compress::slab_rows(shape, kSlabBytes);
    for (std::int64_t row = 0; row < shape.rows; row += slab) {
      const auto values = floats.resize(std::min(slab, shape.rows - row), shape.cols);
      compress::read_rows(runtime_, {space_.map().checkpoint().path(), unit, slice}, stored, row,
                          values);
      round(row, values);
    }
  }
  bytes_ += made.bytes();
  to.slices.push_back(std::move(made));
}

// One matrix in all alternatives: those of equal groups follow one another, so that a step may keep
// what it has solved.
void RoundedWeights::round_member(std::size_t member, std::size_t alternatives,
                                  const Collected& inputs, Blocks& blocks) {
  const PlannedUnit& first = space_.planned(member, 0);
  std::vector<std::size_t> order;
  for (std::size_t a = 1; a < alternatives; ++a)
    if (first_like(member, a) == a) order.push_back(a);
  std::ranges::stable_sort(
      order, {}, [&](std::size_t a) { return space_.planned(member, a).scheme.group_size; });
  for (int slice = 0; slice < first.slices; ++slice) {
    model::TensorUnit source = first.unit;
    source.slice = slice;
    const QuantizedTensor stored = space_.map().load(source);
    const auto found = inputs.find({first.stage(), expert_of(first, slice)});
    const calibrate::LinearStatistics* known = found == inputs.end() ? nullptr : &found->second;
    for (const std::size_t a : order)
      round_slice(space_.planned(member, a), a, slice, stored, known, blocks, made_[{member, a}]);
    space_.map().checkpoint().release(stored);
  }
}

}  // namespace farthing::tune
