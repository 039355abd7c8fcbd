// What a kernel of a linear layer gets: some tiles of packed weights, prepared inputs, a place for
// the outputs. Plain data only: the files of every instruction set include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farthing::kernels {

// Weights are packed in tiles of 16 consecutive outputs, so that each SIMD lane owns an output and
// no sum crosses lanes.
inline constexpr int kTileRows = 16;

struct LinearSlice {
  const std::byte* tiles = nullptr;  // tile t begins at tiles + t * tile_bytes
  std::int64_t tile_bytes = 0;
  std::int64_t first_tile = 0, end_tile = 0;  // what this call computes
  std::int64_t in = 0;                        // inputs, without padding
  const float* bias = nullptr;                // one an output, padded to whole tiles, or null

  const float* x = nullptr;  // float inputs as FloatPanels of activations.h
  int panel = 0;             // tokens a panel
  std::int64_t tokens = 0;

  float* y = nullptr;  // output first_row + c of token t is y[t * y_stride + c]
  std::int64_t y_stride = 0;
  std::int64_t first_row = 0, end_row = 0;
  float scale = 1.0f;       // y = scale * (sum + bias)
  bool accumulate = false;  // y += scale * (sum + bias)
};

using LinearRun = void (*)(const LinearSlice&);

}  // namespace farthing::kernels
