// What a kernel of a linear layer gets: some tiles of packed weights, prepared inputs, a place for
// the outputs. Plain data only: the files of every instruction set include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farthing::kernels {

// Weights are packed in tiles of 16 consecutive outputs, so that each SIMD lane owns an output and
// no sum crosses lanes.
inline constexpr int kTileRows = 16;

// kFactored: a number of 8 bits a unit, behind those of all units one FP16 factor of the group.
enum class ScaleForm : std::uint8_t { kF32, kF16, kFactored };
// kI8: offset = scale * that number, rounded to FP32.
enum class OffsetForm : std::uint8_t { kNone, kI8, kF16, kF32, kFactored };

// Where the bits of codes lie: a block of `inputs` inputs is vectors of 64 bytes, first those with
// the `low` bits of every code, then those with the `high` ones. A vector has b bits of 32 / b
// inputs: bits b c and up of byte 4 r + j are those of input 4 c + j of output r.
struct CodePlanes {
  int low = 8, high = 0;
  std::int64_t inputs = 8;
  constexpr std::int64_t vectors() const { return (low + high) * inputs / 32; }
};

// How a tile of codes lies in memory: group after group, each its codes, then 16 scales, then 16
// offsets (of factored ones 16 a unit, and 16 factors). weight = scale * (code - bias) + offset, or
// scale * levels[code].
//
// A group is a number of units: inputs whose products one int32 sum takes in, because within them
// neither the weights' nor the inputs' scale changes. A unit is padded to whole blocks of codes
// with codes that meet inputs of 0. Codes lie in vectors of 64 bytes as CodePlanes says.
struct CodeTiles {
  std::int64_t groups = 0;
  std::int64_t group_inputs = 0;
  std::int64_t units = 0;         // a group
  std::int64_t unit_inputs = 0;   // without padding
  std::int64_t unit_padded = 0;   // with it
  std::int64_t unit_vectors = 0;  // of 64 bytes
  std::int64_t code_bytes = 0;    // a group's codes
  std::int64_t group_bytes = 0;   // with scales and offsets
  std::int32_t bias = 0;
  ScaleForm scales = ScaleForm::kF32;
  OffsetForm offsets = OffsetForm::kNone;
  alignas(64) float levels[16] = {};              // the codebook, or code - bias, for float inputs
  alignas(16) std::uint8_t level_bytes[16] = {};  // its integers + bias, for integer inputs

  constexpr std::int64_t scale_count() const {  // of an output
    return scales == ScaleForm::kFactored ? groups * units : groups;
  }
  constexpr std::int64_t factored_bytes() const { return kTileRows * (units + 2); }
  constexpr std::int64_t scales_bytes() const {  // of a group
    if (scales == ScaleForm::kFactored) return factored_bytes();
    return kTileRows * (scales == ScaleForm::kF16 ? 2 : 4);
  }
};

struct LinearSlice {
  const std::byte* tiles = nullptr;  // tile t begins at tiles + t * tile_bytes
  std::int64_t tile_bytes = 0;
  std::int64_t first_tile = 0, end_tile = 0;  // what this call computes
  std::int64_t in = 0;                        // inputs, without padding
  const float* bias = nullptr;                // one an output, padded to whole tiles, or null
  const CodeTiles* codes = nullptr;           // null for float weights

  // The inputs, as InputForm says (activations.h). The last three have one number a unit and token,
  // in panels like the inputs: the scale, the sum of the codes times -bias, that sum.
  const float* x = nullptr;
  const std::int32_t* x_codes = nullptr;
  const float* x_scales = nullptr;
  const std::int32_t* x_folds = nullptr;
  const float* x_sums = nullptr;
  std::int64_t tokens = 0;

  float* y = nullptr;  // output first_row + c of token t is y[t * y_stride + c]
  std::int64_t y_stride = 0;
  std::int64_t first_row = 0, end_row = 0;
  float scale = 1.0f;       // y = scale * (sum + bias)
  bool accumulate = false;  // y += scale * (sum + bias)
};

// Inputs of several tokens lie in panels (activations.h) of equal width but for the last, as wide
// as `most` allows: eight tokens are two panels of four rather than one of six and one of two.
constexpr std::int64_t panel_width(std::int64_t tokens, std::int64_t most) {
  const std::int64_t panels = (tokens + most - 1) / most;
  return panels == 0 ? 1 : (tokens + panels - 1) / panels;
}

using LinearRun = void (*)(const LinearSlice&);

// One panel of inputs to be quantised (activations.h), for a kernel that multiplies codes.
struct QuantizeTask {
  const float* x = nullptr;  // the panel's first token
  std::int64_t x_stride = 0;
  std::int64_t in = 0;
  int tokens = 0;                 // of this panel
  int bits = 8;                   // 8 or 16
  std::int64_t scale_inputs = 0;  // that share a scale; a multiple of unit_inputs, or all
  float fixed_scale = 0;          // of all inputs, which are then clipped; 0: as they need it
  std::int64_t units = 0;         // a row; past the inputs they are zeros
  std::int64_t unit_inputs = 0, unit_padded = 0;
  std::int32_t* codes = nullptr;
  float* scales = nullptr;
  std::int32_t bias = 0;          // of the weights' codes
  std::int32_t* folds = nullptr;  // sum of a unit's codes * -bias
  float* sums = nullptr;          // and the sum itself
};

using QuantizeRun = void (*)(const QuantizeTask&);

}  // namespace farthing::kernels
