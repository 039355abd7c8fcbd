// The inputs of linears as kernels read them.
#pragma once

#include "core/memory.h"
#include "kernels/linear.h"
#include "kernels/linear_slice.h"

namespace farthing::kernels {

// Inputs lie in panels of panel_width(tokens, width) tokens: what belongs to input k of all
// its tokens, then to input k + 1. Integers: to four inputs at once, one or two numbers of 32 bits
// a token, first the first numbers of all tokens, then the second ones.
enum class InputForm : std::uint8_t {
  kFloats,
  kBytes,        // INT8: four bytes
  kPlanes,       // INT16, x = 256 high + low: four high bytes; four low bytes
  kWords,        // INT8 or INT16, as 16 bits: inputs 0 and 2; inputs 1 and 3
  kSplitPlanes,  // kPlanes of one token: the high bytes of a unit; its low bytes
  kPairs         // BF16: inputs 2 k and 2 k + 1 in 32 bits, where kFloats has input k
};

// One way of laying inputs out; linears that ask for an equal one share it.
struct InputLayout {
  InputForm form = InputForm::kFloats;
  int width = 1;
  bool round_to_bf16 = false;  // kFloats
  // The others. A row is cut into units (linear_slice.h); scale_inputs inputs share a scale.
  int bits = 0;
  std::int32_t bias = 0;  // of the weights' codes
  std::int64_t scale_inputs = 0;
  float fixed_scale = 0;  // 0: dynamic
  std::int64_t units = 0, unit_inputs = 0, unit_padded = 0;
  QuantizeRun quantize = nullptr;
  // Rows of memory after the last token, uninitialised, that a kernel may read.
  static constexpr std::int64_t kSpareTokens = 15;
  bool operator==(const InputLayout&) const = default;
};

struct Activations::Prepared {
  InputLayout layout;
  bool valid = false;  // for the inputs assigned last
  AlignedArray<float> floats;
  AlignedArray<std::int32_t> codes;
  AlignedArray<float> scales;        // (units, tokens of the panel)
  AlignedArray<std::int32_t> folds;  // likewise: the sum of a unit's codes times -bias
  AlignedArray<float> sums;          // likewise: that sum
};

}  // namespace farthing::kernels
