#include "compress/calibrated_blocks.h"

#include <algorithm>

#include "compress/slab.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

using calibrate::Collected;
using calibrate::InputOf;
using calibrate::stage_of;
using calibrate::Wanted;
using model::Slot;

constexpr WeightScheme kFloat32 = {.element = Element::kF32, .bits = 32};

unsigned wanted_of(std::span<const std::unique_ptr<Step>> steps, const PlannedUnit& unit) {
  if (unit.keep || unit.stage() == Slot::kNone) return calibrate::kNoStatistics;
  unsigned wanted = unit.has_static_inputs() ? calibrate::kMoments : calibrate::kNoStatistics;
  for (const auto& step : steps) wanted |= step->statistics(unit);
  return wanted;
}

// Of an expert that fewer tokens reach too little is known: it is rounded to nearest.
constexpr double kLeastShare = 0.005;

bool is_starved(const Block::Place& place, const calibrate::LinearStatistics* inputs) {
  return place.expert >= 0 &&
         (inputs == nullptr || inputs->tokens == 0 || inputs->share < kLeastShare);
}

bool any_learns(std::span<const std::unique_ptr<Step>> steps) {
  return std::any_of(steps.begin(), steps.end(), [](const auto& step) { return step->learns(); });
}
// Whether the float model runs along.
bool needs_reference(const Plan& plan, std::span<const std::unique_ptr<Step>> steps) {
  return any_learns(steps) || std::ranges::any_of(plan.units, [&](const PlannedUnit& unit) {
           return (wanted_of(steps, unit) & calibrate::kDrift) != 0;
         });
}

// The linears of a layer that read one input.
struct StageSize {
  std::uint64_t inputs = 0, outputs = 0, largest = 0;  // largest: weights of one of them
};

// Statistics of all stages at once for steps that change weights, and what trying the changes of
// one takes: of a sample of tokens the inputs, the exact outputs and those of a trial, and the
// weights of one matrix twice.
std::uint64_t transform_need(const std::map<Slot, StageSize>& stages, unsigned wanted) {
  using calibrate::Accumulator;
  constexpr std::uint64_t kTokens = Accumulator::kSampleTokens + Accumulator::kSampleFirst;
  std::uint64_t statistics = 0, trial = 0;
  for (const auto& [slot, stage] : stages) {
    if ((wanted & calibrate::kHessian) != 0)
      statistics += Accumulator::bytes(static_cast<std::int64_t>(stage.inputs), wanted);
    if ((wanted & calibrate::kSample) == 0) continue;
    statistics += kTokens * stage.inputs * sizeof(float);
    const std::uint64_t one = stage.largest / std::max<std::uint64_t>(stage.inputs, 1);
    trial = std::max(trial, sizeof(float) * (kTokens * (stage.inputs + stage.outputs + one) +
                                             2 * stage.largest));
  }
  return statistics + trial;
}

// The Hessian and its factor; with drift that, its copy in order, and the correction. Factoring has
// one square more for a moment, which measured peaks (books-llama-8m, SmolLM2-135M) did not show.
std::uint64_t solving_need(const PlannedUnit& unit, unsigned wanted) {
  const auto square = static_cast<std::uint64_t>(unit.shape.cols * unit.shape.cols) * sizeof(float);
  return ((wanted & calibrate::kHessian) != 0 ? 2 * square : 0) +
         ((wanted & calibrate::kDrift) != 0 ? 3 * square : 0);
}

// What one layer takes beside the hidden states.
std::uint64_t block_need(const Plan& plan, std::span<const std::unique_ptr<Step>> steps,
                         int layer) {
  unsigned transform = calibrate::kNoStatistics;
  std::uint64_t edits = 0;
  const bool reference = needs_reference(plan, steps);
  for (const auto& step : steps) {
    transform |= step->transform_statistics();
    if (step->transforms()) ++edits;
  }
  std::uint64_t floats = 0, stored = 0, made = 0, largest = 0, learned = 0;
  std::map<Slot, StageSize> stages;
  for (const PlannedUnit& unit : plan.units) {
    if (unit.unit.layer != layer) continue;
    const auto count = static_cast<std::uint64_t>(unit.weights());
    const auto inputs = static_cast<std::uint64_t>(unit.shape.cols);
    floats += count * sizeof(float);
    stored += count * static_cast<std::uint64_t>(unit.source.bits) / 8;
    made += static_cast<std::uint64_t>(bits_per_weight(unit.scheme, unit.shape.cols) / 8 *
                                       static_cast<double>(count));
    const unsigned wanted = wanted_of(steps, unit);
    std::uint64_t stage = solving_need(unit, wanted);
    for (const auto& step : steps) (step->learns() ? learned : stage) += step->work_bytes(unit);
    largest = std::max(largest, stage);
    StageSize& size = stages[stage_of(unit.unit.slot)];
    size.inputs = std::max(size.inputs, inputs);
    size.outputs += count / std::max<std::uint64_t>(inputs, 1);
    size.largest = std::max(size.largest, count / static_cast<std::uint64_t>(unit.slices));
  }
  // The block as floats; the edits as the model reads them, and as the float model does; packed.
  const std::uint64_t streams = reference ? 2 : 1;
  const std::uint64_t edited = edits > 0 ? floats : 0, packed = edits > 0 ? floats : stored;
  const std::uint64_t rounding =
      floats + streams * (edited + packed) + made + std::max(largest, learned);
  if (transform == calibrate::kNoStatistics) return rounding;
  // The first step that edits finds the block as it is stored.
  const std::uint64_t before =
      edits > 1 ? floats + streams * 2 * floats : floats + streams * stored;
  return std::max(rounding, before + transform_need(stages, transform));
}

// What the inputs of the linears with `inputs` of them take in all the forms in which they are read,
// where they take `floats` bytes as FP32.
std::uint64_t input_share(const Plan& plan, std::int64_t inputs, std::uint64_t floats) {
  std::uint64_t as_floats = 0, as_codes = 0;
  for (const PlannedUnit& unit : plan.units) {
    if (unit.unit.layer < 0 || unit.shape.cols != inputs) continue;
    const bool codes = unit.activations && (unit.activations->mode == ActivationMode::kInt8 ||
                                            unit.activations->mode == ActivationMode::kInt16);
    if (!codes)
      as_floats = floats;
    else
      as_codes = std::max(
          as_codes, floats / (unit.activations->mode == ActivationMode::kInt8 ? 4 : 2));
  }
  return as_floats + as_codes;
}

// Floats as a tensor that lies as the checkpoint keeps the matrix: (in, out) where it is turned.
QuantizedTensor stored_floats(Runtime& runtime, const BlockMatrix& matrix) {
  const auto values = matrix.values.view();
  const bool turned = matrix.unit->turned;
  const Shape shape = turned ? Shape{values.cols, values.rows} : Shape{values.rows, values.cols};
  QuantizedTensor tensor = allocate_tensor(shape, kFloat32);
  const MatrixView<float> to(reinterpret_cast<float*>(tensor.parts[0].writable().data()),
                             shape.rows, shape.cols);
  if (turned)
    kernels::transpose(runtime, values, to);
  else
    std::copy_n(values.data, values.rows * values.cols, to.data);
  return tensor;
}

}  // namespace

std::optional<ActivationScheme> FinishedMatrix::activations() const {
  auto scheme = unit->activations;
  if (unit->has_static_inputs()) scheme->scale = result.input_scale;
  return scheme;
}

void fix_input_scale(const Block::Place& place, const Collected& collected, UnitResult& result) {
  if (!place.unit->has_static_inputs()) return;
  const Slot stage = stage_of(place.unit->unit.slot);
  const auto peak_of = [](const calibrate::LinearStatistics& inputs) {
    float peak = 0;
    for (std::int64_t j = 0; j < std::ssize(inputs.square); ++j)
      peak = std::max(peak, inputs.peak(j));
    return peak;
  };
  float peak = 0;
  if (const auto own = collected.find({stage, place.expert}); own != collected.end())
    peak = peak_of(own->second);
  if (!(peak > 0))
    for (const auto& [input, statistics] : collected)
      if (input.stage == stage) peak = std::max(peak, peak_of(statistics));
  const float scale = peak > 0 ? peak / 127.0f : 1.0f;
  result.input_scale = std::max(result.input_scale, scale);
}

CalibratedBlocks::CalibratedBlocks(Runtime& runtime, const model::TensorMap& map, const Plan& plan,
                                   std::span<const std::unique_ptr<Step>> steps,
                                   const calibrate::CalibrationData& data,
                                   const CalibrationOptions& options)
    : runtime_(runtime),
      map_(map),
      plan_(plan),
      steps_(steps),
      options_(options),
      samples_(rows_of(data)),
      overlay_(map.checkpoint()),
      float_overlay_(map.checkpoint()),
      runner_(runtime, samples_, kernels::parse_kv_type(options.kv)) {
  samples_.first_weight = options.first_weight;
  has_reference_ = needs_reference(plan, steps_);
  if (data.samples.empty()) return;  // steps that change weights without data
  const std::vector<cache::Token> tokens = tokens_of(data);
  const std::int64_t count = samples_.tokens(), hidden = map.config().hidden;
  const auto start = [&](const io::Checkpoint& checkpoint, auto& model, auto& states) {
    model = model::Model::load(runtime_, checkpoint, {}, true);
    states = std::make_unique<calibrate::HiddenStates>(std::max<std::int64_t>(count, 1), hidden,
                                                       options_.spill);
    runner_.embed(*model, tokens, *states);
    for (const auto& step : steps_) step->transform_states(runtime_, states->view());
  };
  put_final_norm();
  start(overlay_, model_, states_);
  if (has_reference_) start(float_overlay_, reference_, reference_states_);
}

CalibratedBlocks::~CalibratedBlocks() = default;

void CalibratedBlocks::put_edits(const Block& block, io::OverlayCheckpoint& overlay) {
  for (const auto& [place, matrix] : block.matrices())
    if (matrix->edited) overlay.put(place.first, place.second, stored_floats(runtime_, *matrix));
}

void CalibratedBlocks::put_vectors(const std::map<std::string, QuantizedTensor>& vectors) {
  for (const auto& [name, vector] : vectors) {
    overlay_.put(name, 0, borrow_tensor(vector));
    float_overlay_.put(name, 0, borrow_tensor(vector));
  }
}

// Steps that change weights see the block as it is, with what enters its linears.
void CalibratedBlocks::transform(Block& block) {
  for (const auto& step : steps_) {
    if (!step->transforms()) continue;
    if (step->transform_statistics() != calibrate::kNoStatistics) {
      Wanted wanted;
      for (const Block::Place& place : block.places())
        if (const Slot stage = stage_of(place.unit->unit.slot); stage != Slot::kNone)
          wanted[{stage, place.expert}] |= step->transform_statistics();
      block.set_inputs(runner_.collect(*model_, block.layer(), *states_, wanted));
    }
    const calibrate::Timed timed(times_.edits);
    step->transform(runtime_, block);
    put_edits(block, overlay_);
    if (reference_ != nullptr) put_edits(block, float_overlay_);
    put_vectors(block.vectors());
    forget();
    if (reference_ != nullptr) reference_->blocks().forget();
  }
  block.set_inputs({});
}

void CalibratedBlocks::round_matrix(Block& block, const Block::Place& place,
                                    const calibrate::LinearStatistics* inputs, FinishedMatrix& to) {
  const PlannedUnit& unit = *place.unit;
  std::unique_ptr<Rounder> rounder;  // the last step that rounds this matrix
  const calibrate::Stopwatch factors;
  for (const auto& step : steps_)
    if (auto made = step->rounder(runtime_, unit, inputs)) rounder = std::move(made);
  if (rounder == nullptr)
    throw Error(Fault::kInternal, fmt::format("{}: no step rounds it", unit.base));
  times_.factors += factors.seconds();
  const calibrate::Stopwatch rounding;
  Matrix<float> turned;
  auto values = block.load(place).values.view();
  if (unit.turned && !unit.is_compressed()) {  // floats stay turned as they were
    kernels::transpose(runtime_, values, turned.resize(values.cols, values.rows));
    values = turned.view();
  }
  QuantizedTensor made = allocate_tensor({values.rows, values.cols}, unit.scheme);
  try {
    runtime_.parallel(values.rows, rounder->grain(), [&](std::int64_t begin, std::int64_t end) {
      rounder->round(begin, values.rows_from(begin, end - begin), made, begin);
    });
  } catch (const Error& error) {
    throw Error(error.fault, fmt::format("{}: {}", unit.base, error.what()));
  }
  times_.rounding += rounding.seconds();
  times_.products += rounding.seconds() * rounder->product_share();
  add_rounding_error(runtime_, made, values, to.result);
  to.slices.push_back(std::move(made));
}

void CalibratedBlocks::put_finished(const FinishedMatrix& matrix) {
  for (int slice = 0; slice < matrix.unit->slices; ++slice)
    overlay_.put(matrix.unit->base, slice,
                 borrow_tensor(matrix.slices[static_cast<std::size_t>(slice)]),
                 matrix.activations());
}

void CalibratedBlocks::round_stage(Block& block, Slot stage, const Collected& collected,
                                   FinishedBlock& finished) {
  for (const Block::Place& place : block.places()) {
    const PlannedUnit& unit = *place.unit;
    if (unit.keep || stage_of(unit.unit.slot) != stage) continue;
    if (place.slice == 0) finished.matrices.push_back({&unit, {}, {.base = unit.base}});
    FinishedMatrix& to = finished.matrices.back();
    const auto inputs = collected.find({stage, place.expert});
    const calibrate::LinearStatistics* known =
        inputs == collected.end() ? nullptr : &inputs->second;
    if (is_starved(place, known) && wanted_of(steps_, unit) != calibrate::kNoStatistics) {
      known = nullptr;
      ++to.result.starved;
    }
    round_matrix(block, place, known, to);
    fix_input_scale(place, collected, to.result);
    if (place.slice + 1 == unit.slices) put_finished(to);
  }
}

FinishedBlock CalibratedBlocks::compress(int layer) {
  overlay_.clear();
  float_overlay_.clear();
  forget();
  FinishedBlock finished;
  {
    Block block(runtime_, map_, plan_, layer);
    transform(block);
    if (any_learns(steps_)) learn(block);
    for (const Slot stage : calibrate::kStages) {
      Wanted wanted;
      for (const Block::Place& place : block.places())
        if (const unsigned bits = wanted_of(steps_, *place.unit);
            bits != 0 && stage_of(place.unit->unit.slot) == stage)
          wanted[{stage, place.expert}] |= bits;
      Collected collected;
      if (!wanted.empty()) collected = collect(layer, wanted);
      round_stage(block, stage, collected, finished);
      forget();
    }
    round_stage(block, Slot::kNone, {}, finished);  // a router that a rule names
    for (auto& [name, vector] : block.vectors())
      finished.vectors.insert_or_assign(name, std::move(vector));
    put_vectors(finished.vectors);
  }
  advance(layer);
  return finished;
}

void CalibratedBlocks::replay(int layer, const FinishedBlock& finished) {
  overlay_.clear();
  float_overlay_.clear();
  for (const FinishedMatrix& matrix : finished.matrices) put_finished(matrix);
  put_vectors(finished.vectors);
  advance(layer);
}

const calibrate::LinearStatistics* CalibratedBlocks::head_inputs(const PlannedUnit& unit) {
  const unsigned wanted = unit.is_head() ? wanted_of(steps_, unit) : calibrate::kNoStatistics;
  if (wanted == calibrate::kNoStatistics) return nullptr;
  if (model_ != nullptr) {
    std::optional<calibrate::BlockRunner::Reference> reference;
    if (has_reference_) reference.emplace(*reference_, *reference_states_);
    head_inputs_ =
        runner_.collect_head(*model_, *states_, wanted, reference ? &*reference : nullptr);
    model_.reset(), reference_.reset();
    states_.reset(), reference_states_.reset();
  }
  return head_inputs_ ? &*head_inputs_ : nullptr;
}

void CalibratedBlocks::forget() {
  if (model_ != nullptr) model_->blocks().forget();
}

Collected CalibratedBlocks::collect(int layer, const Wanted& wanted) {
  if (!has_reference_) return runner_.collect(*model_, layer, *states_, wanted);
  const calibrate::BlockRunner::Reference reference{*reference_, *reference_states_};
  return runner_.collect(*model_, layer, *states_, wanted, &reference);
}

// Models that are loaded now have the norm before the head as the steps make it.
void CalibratedBlocks::put_final_norm() {
  const auto norm = map_.find(Slot::kFinalNorm);
  if (!norm) return;
  for (const auto& step : steps_) {
    const std::vector<float> gains = step->new_vector(map_, norm->base);
    if (gains.empty()) continue;
    overlay_.put(norm->base, 0, make_vector(gains));
    float_overlay_.put(norm->base, 0, make_vector(gains));
  }
}

// The reference runs in the basis that the compressed model has.
void CalibratedBlocks::put_rotated(int layer) {
  Block block(runtime_, map_, plan_, layer);
  for (const auto& step : steps_)
    if (step->rotates()) step->transform(runtime_, block);
  put_edits(block, float_overlay_);
  for (auto& [name, vector] : block.vectors()) float_overlay_.put(name, 0, std::move(vector));
}

void CalibratedBlocks::advance(int layer) {
  if (model_ == nullptr) return;
  forget();
  runner_.advance(*model_, layer, *states_);
  advance_reference(layer);
}

void CalibratedBlocks::advance_reference(int layer) {
  if (reference_ == nullptr || reference_layer_ > layer) return;  // learn() has done it
  float_overlay_.clear();  // the steps keep the model's function: as it is, it is the reference
  put_rotated(layer);
  reference_->blocks().forget();
  runner_.advance(*reference_, layer, *reference_states_);
  reference_layer_ = layer + 1;
}

void CalibratedBlocks::learn(const Block& block) {
  advance_reference(block.layer());  // its states are then what the block should give
  const BlockSamples samples{model_->tensors(), samples_.lengths, states_->view(),
                             reference_states_->view()};
  const calibrate::Timed timed(times_.edits);
  for (const auto& step : steps_)
    if (step->learns()) step->learn(runtime_, block, samples);
}

calibrate::WorkTimes CalibratedBlocks::times() const {
  calibrate::WorkTimes times = times_;
  times.forward = runner_.times().forward;
  times.statistics = runner_.times().statistics;
  return times;
}

std::uint64_t CalibratedBlocks::head_need(const Plan& plan,
                                          std::span<const std::unique_ptr<Step>> steps) {
  std::uint64_t need = 0;
  for (const PlannedUnit& unit : plan.units)
    if (unit.is_head()) need = std::max(need, solving_need(unit, wanted_of(steps, unit)));
  return need;
}

std::uint64_t CalibratedBlocks::memory_need(const model::TensorMap& map, const Plan& plan,
                                            std::span<const std::unique_ptr<Step>> steps,
                                            std::int64_t tokens, bool spill) {
  const model::ModelConfig& c = map.config();
  std::uint64_t block = 0, embedding = 0, head = 0;
  const bool reference = needs_reference(plan, steps);
  for (int layer = 0; layer < c.layers; ++layer)
    block = std::max(block, block_need(plan, steps, layer));
  // The embedding is read from the file, and the head packed, which a tied embedding is, too.
  for (const PlannedUnit& unit : plan.units) {
    if (unit.unit.layer >= 0 || unit.untied) continue;
    const bool packs = unit.unit.slot == Slot::kHead || c.tied;
    (packs ? head : embedding) += static_cast<std::uint64_t>(unit.weights()) *
                                  static_cast<std::uint64_t>(unit.source.bits) / 8;
  }
  const std::uint64_t streams = tokens == 0 ? 0 : reference ? 2 : 1;
  const auto states = static_cast<std::uint64_t>(tokens * c.hidden) * sizeof(float);
  // Of a chunk, as floats: the runner's copy, normed and branch; q k v, attended, keys and values
  // as the cache has them; the MLP's two widths and their product; angles. And what enters its last
  // linears, as they read it.
  const std::int64_t wide = std::max(c.intermediate, c.hidden);
  const std::int64_t widths =
      3 * c.hidden + 2 * c.q_width() + 3 * c.kv_width() + 3 * wide + c.rotary_dim;
  const std::int64_t chunk = std::min(tokens, calibrate::BlockRunner::kChunkTokens);
  const auto each = static_cast<std::uint64_t>(chunk * widths) * sizeof(float);
  const auto floats = static_cast<std::uint64_t>(chunk * wide) * sizeof(float);
  const std::uint64_t inputs = input_share(plan, wide, floats) + (reference ? floats : 0);
  return block + (streams > 0 ? embedding : 0) + inputs +
         streams * (head + each + (spill ? 0 : states));
}

}  // namespace farthing::compress
