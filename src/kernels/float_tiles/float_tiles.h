// Weights times float inputs: FP32, BF16, FP16, and codes as the floats they stand for.
//
// A tile of 16 outputs holds, input by input, their 16 weights. An output is the sum, in ascending
// order, of partial sums over blocks of kBlockInputs inputs; a partial sum is one chain of fused
// multiply-adds from zero in ascending order. Nothing else, so every instruction set and every
// number of tokens gives the same bits.
#pragma once

#include "kernels/linear_slice.h"

namespace farthing::kernels::float_tiles {

inline constexpr int kBlockInputs = 256;

// Tiles and tokens that are kept in registers. Where the tokens fit a panel, weights are widened as
// they are read, once; else a block of a few tiles is widened first and multiplied with many.
struct Blocking {
  int thin_tiles;    // for one token: enough independent chains to hide the adder's latency
  int thick_tiles;   // for several
  int thick_tokens;  // the panel's width
};
inline constexpr Blocking kScalarBlocking = {1, 1, 4};
inline constexpr Blocking kAvx2Blocking = {2, 1, 6};
inline constexpr Blocking kAvx512Blocking = {4, 2, 12};
inline constexpr Blocking kNeonBlocking = {2, 1, 6};

// Kernels are called after the weights' packing.
#define FARTHING_FLOAT_KERNELS(isa)    \
  void f32_##isa(const LinearSlice&);  \
  void bf16_##isa(const LinearSlice&); \
  void f16_##isa(const LinearSlice&);  \
  void u2_##isa(const LinearSlice&);   \
  void u3_##isa(const LinearSlice&);   \
  void u4_##isa(const LinearSlice&);   \
  void u5_##isa(const LinearSlice&);   \
  void u6_##isa(const LinearSlice&);   \
  void u8_##isa(const LinearSlice&);   \
  void levels_##isa(const LinearSlice&);
FARTHING_FLOAT_KERNELS(scalar)
FARTHING_FLOAT_KERNELS(avx2)
FARTHING_FLOAT_KERNELS(avx512)
FARTHING_FLOAT_KERNELS(neon)
#undef FARTHING_FLOAT_KERNELS

// BF16 weights times BF16 inputs by instructions that add two products at a time, in pairs of
// inputs (InputForm::kPairs). They round in their own ways: a chain in ascending order still, the
// same for every number of tokens, but not the bits of the others.
void bf16_avx512bf16(const LinearSlice&);
void bf16_amxbf16(const LinearSlice&);
void bf16_neonbf16(const LinearSlice&);

}  // namespace farthing::kernels::float_tiles
