// Float weights (FP32, BF16, FP16) times float inputs.
//
// A tile of 16 outputs holds, input by input, their 16 weights. An output is the sum, in ascending
// order, of partial sums over blocks of kBlockInputs inputs; a partial sum is one chain of fused
// multiply-adds from zero in ascending order. Nothing else, so every instruction set and every
// number of tokens gives the same bits.
#pragma once

#include "kernels/linear_slice.h"

namespace farthing::kernels::float_tiles {

inline constexpr int kBlockInputs = 256;

// Tiles and tokens that are kept in registers. Up to kThinTokens tokens the weights are widened as
// they are read, once; above, a block of a few tiles is widened first and multiplied with many.
inline constexpr int kThinTokens = 4;
struct Blocking {
  int thin_tiles;    // for one token: enough independent chains to hide the adder's latency
  int thick_tiles;   // for several
  int thick_tokens;  // the panel's width
};
inline constexpr Blocking kScalarBlocking = {1, 1, 4};
inline constexpr Blocking kAvx2Blocking = {2, 1, 6};
inline constexpr Blocking kAvx512Blocking = {4, 2, 12};

void f32_scalar(const LinearSlice&);
void bf16_scalar(const LinearSlice&);
void f16_scalar(const LinearSlice&);
void f32_avx2(const LinearSlice&);
void bf16_avx2(const LinearSlice&);
void f16_avx2(const LinearSlice&);
void f32_avx512(const LinearSlice&);
void bf16_avx512(const LinearSlice&);
void f16_avx512(const LinearSlice&);

}  // namespace farthing::kernels::float_tiles
