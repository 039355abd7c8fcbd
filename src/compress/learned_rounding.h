// The rounding of one matrix while it is learned (Cheng et al., 2023, SignRound;
// algorithms.md 1.6): an offset of every weight and a factor of every group's scale, moved by the
// signs of their gradients. weight' = scale * (code - zero), code = round(weight / scale + offset)
// + zero, where the rounding passes gradients as if it were not there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/runtime.h"
#include "formats/format.h"
#include "formats/rounding.h"
#include "tensor/matrix_view.h"

namespace farthing::compress {

class LearnedRounding {
 public:
  // weights (rows, in) are copied. Starts from the grid that `range` finds; importance (in) or
  // empty. Error: bad input, naming row and column of a weight that is not finite or beyond the
  // scales.
  LearnedRounding(Runtime& runtime, MatrixView<const float> weights, const WeightScheme& scheme,
                  RoundMethod range, std::span<const float> importance);

  // What the codes stand for now, (rows, in).
  void apply(Runtime& runtime, MatrixView<float> rounded) const;
  // One step of length `rate` against the signs of the gradients; gradient (rows, in) is that of
  // the rounded weights. Offsets stay within half a code, factors within 0.5 and 1.5; a weight of
  // zero stays zero.
  void step(Runtime& runtime, MatrixView<const float> gradient, float rate);
  void reset();  // to where it started

  void write(std::int64_t row, QuantizedTensor& out, std::int64_t out_row) const;

 private:
  struct Group {
    float scale, zero;
  };
  Group group(std::int64_t row, std::int64_t g) const;
  float code(float weight, float offset, Group grid) const;

  WeightScheme scheme_;
  std::int64_t group_inputs_, groups_;
  float bottom_, top_;
  Matrix<float> weights_, offsets_;         // (rows, in)
  Matrix<float> scales_, zeros_, factors_;  // (rows, groups)
};

}  // namespace farthing::compress
