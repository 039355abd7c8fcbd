// Integer weights of 2 to 8 bits, or codebooks of small integers, times integer inputs.
//
// The order of reduction, the same on every instruction set, for one token and for many, on any
// threads. For the units of inputs in ascending order (linear_slice.h):
//   acc = sum of (code - bias) * x over the unit, exactly, in int32
//   sum = fma(float(acc), weight_scale * x_scale, sum)
//   sum = fma(offset * x_scale, float(sum of x over the unit), sum)    where there are offsets
// A unit has at most 256 inputs: 255 * 32639 * 256 < 2^31.
//
// Inputs, with the limit 127 (INT8) or 32639 (INT16), for each group or token that shares a scale:
//   scale = largest / limit,  x = round(x * (limit / largest)) to nearest even, within +-limit
// where largest is the largest |x|. Below kSmallest it counts as 0: scale and codes are 0. With an
// infinity or a NaN among them the scale is a NaN, and so is every output.
#pragma once

#include "kernels/linear_slice.h"

namespace farthing::kernels::code_tiles {

inline constexpr int kMaxUnit = 256;
inline constexpr int kAhead = 2048;  // bytes of a tile that are on their way from memory
inline constexpr float kSmallest = 0x1p-100f;

// Tokens that are multiplied with a pair of tiles at once: a panel's width.
inline constexpr int kScalarTokens = 4;
inline constexpr int kAvx2Tokens = 4;
inline constexpr int kAvxVnniTokens8 = 4;
inline constexpr int kAvxVnniTokens16 = 2;
inline constexpr int kAvx512VnniTokens8 = 8;
inline constexpr int kAvx512VnniTokens16 = 4;
inline constexpr int kNeonTokens = 2;
inline constexpr int kNeonDotTokens8 = 4;
inline constexpr int kNeonDotTokens16 = 2;

// The packings of codes by the bits of what is multiplied: row(name, Unpack, isa) for each.
#define FARTHING_ODD_PACKINGS(row, isa) \
  row(u2, U2, isa) row(u3, U3, isa) row(u5, U5, isa) row(u6, U6, isa)
#define FARTHING_SMALL_PACKINGS(row, isa) FARTHING_ODD_PACKINGS(row, isa) row(u4, U4, isa)
#define FARTHING_WIDE_PACKINGS(row, isa) row(u8, U8, isa) row(levels, Levels, isa)

// Kernels are called after the weights' packing and the inputs' bits.
#define FARTHING_CODE_KERNEL(name, Unpack, isa) \
  void name##_int8_##isa(const LinearSlice&);   \
  void name##_int16_##isa(const LinearSlice&);
#define FARTHING_CODE_KERNELS(isa)                   \
  FARTHING_SMALL_PACKINGS(FARTHING_CODE_KERNEL, isa) \
  FARTHING_WIDE_PACKINGS(FARTHING_CODE_KERNEL, isa)
FARTHING_CODE_KERNELS(scalar)
FARTHING_CODE_KERNELS(avx2)
FARTHING_CODE_KERNELS(avxvnni)
FARTHING_CODE_KERNELS(avx512vnni)
FARTHING_CODE_KERNELS(amxint8)
FARTHING_CODE_KERNELS(neon)
FARTHING_CODE_KERNELS(neondot)
FARTHING_CODE_KERNELS(neoni8mm)
#undef FARTHING_CODE_KERNELS
#undef FARTHING_CODE_KERNEL

// A file of an instruction set defines them with the calls for inputs of 8 and of 16 bits, where
// Unpack names the packing.
#define FARTHING_DEFINE_CODE_KERNEL(name, isa, run8, run16)         \
  void name##_int8_##isa(const LinearSlice& slice) { run8(slice); } \
  void name##_int16_##isa(const LinearSlice& slice) { run16(slice); }

// Inputs as InputForm::kBytes, kPlanes, kSplitPlanes and kWords.
void bytes_scalar(const QuantizeTask&);
void planes_scalar(const QuantizeTask&);
void bytes_avx2(const QuantizeTask&);
void planes_avx2(const QuantizeTask&);
void words_avx2(const QuantizeTask&);
void bytes_avx512vnni(const QuantizeTask&);
void planes_avx512vnni(const QuantizeTask&);
void split_planes_amxint8(const QuantizeTask&);
void bytes_neon(const QuantizeTask&);
void planes_neon(const QuantizeTask&);
void words_neon(const QuantizeTask&);

}  // namespace farthing::kernels::code_tiles
