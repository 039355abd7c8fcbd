#include "tune/output_error.h"

#include <algorithm>

#include "model/weights.h"

namespace farthing::tune {
namespace {

constexpr std::int64_t kChunk = 256;  // tokens at a time

double squared_distance(Runtime& runtime, const model::LinearGroup& a, const model::LinearGroup& b,
                        MatrixView<const float> x) {
  kernels::Activations inputs;
  Matrix<float> ya, yb;
  double sum = 0;
  for (std::int64_t first = 0; first < x.rows; first += kChunk) {
    const auto rows = x.rows_from(first, std::min(kChunk, x.rows - first));
    inputs.assign(rows);
    const auto p = ya.resize(rows.rows, a.out()), q = yb.resize(rows.rows, b.out());
    a.apply(runtime, inputs, p);
    b.apply(runtime, inputs, q);
    for (std::int64_t i = 0; i < p.rows * p.cols; ++i) {
      const double d = static_cast<double>(p.data[i]) - static_cast<double>(q.data[i]);
      sum += d * d;
    }
  }
  return sum;
}

}  // namespace

double output_error(Runtime& runtime, const Space& space, RoundedWeights& weights,
                    const Probe::Inputs& inputs, const Swap& swap) {
  double sum = 0;
  std::int64_t tokens = 1;
  for (const auto& [input, rows] : inputs)
    if (input.expert < 0) tokens = std::max(tokens, rows.shape().rows);
  for (const std::size_t member : space.units()[swap.unit].members) {
    const compress::PlannedUnit& planned = space.planned(member, swap.alternative);
    const auto& slices = weights.at(member, swap.alternative);
    for (std::size_t s = 0; s < slices.size(); ++s) {
      model::TensorUnit source = planned.unit;
      source.slice = static_cast<int>(s);
      const int expert = planned.slices > 1 ? source.slice : source.expert;
      const auto found = inputs.find({calibrate::stage_of(source.slot), expert});
      if (found == inputs.end()) continue;  // no token came to this expert
      const QuantizedTensor original = space.map().load(source);
      const kernels::LinearSource from{.weight = &original, .bias = {}, .row_order = {}};
      const kernels::LinearSource to{.weight = &slices[s], .bias = {}, .row_order = {}};
      model::LinearGroup exact, rounded;
      exact.add(kernels::Linear::pack(runtime, {&from, 1},
                                      resolve_activations(original.scheme, nullptr)));
      rounded.add(kernels::Linear::pack(runtime, {&to, 1}, *planned.activations), {},
                  weights.multiplier(member, swap.alternative));
      sum += squared_distance(runtime, exact, rounded, found->second.view());
    }
  }
  return sum / static_cast<double>(tokens);
}

}  // namespace farthing::tune
