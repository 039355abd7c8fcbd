#include "kernels/code_tiles/code_tiles.h"
#include "kernels/float_tiles/float_tiles.h"
#include "kernels/packed_matrix.h"

namespace farthing::kernels {
namespace {

using namespace float_tiles;
using namespace code_tiles;

constexpr LinearKernel floats(Isa isa, Packing packing, const Blocking& blocking, LinearRun run) {
  return {.family = is_codes(packing) ? "code_floats" : "float_tiles",
          .isa = isa,
          .packing = packing,
          .panel_tokens = blocking.thick_tokens,
          .run = run};
}

// For inputs of BF16 alone.
constexpr LinearKernel bf16_pairs(Isa isa, int panel_tokens, LinearRun run) {
  return {.family = "float_tiles",
          .isa = isa,
          .packing = Packing::kBf16,
          .form = InputForm::kPairs,
          .panel_tokens = panel_tokens,
          .run = run,
          .exact = false};
}

// An instruction set's way of taking inputs of `bits` bits.
struct Integers {
  Isa isa;
  int bits;
  InputForm form;
  int tokens;
  QuantizeRun quantize;
};
constexpr LinearKernel integers(Packing packing, const Integers& inputs, LinearRun run,
                                int code_shift = 0) {
  return {.family = "code_tiles",
          .isa = inputs.isa,
          .packing = packing,
          .input_bits = inputs.bits,
          .form = inputs.form,
          .panel_tokens = inputs.tokens,
          .run = run,
          .quantize = inputs.quantize,
          .code_shift = code_shift};
}

#if defined(__x86_64__)
constexpr Integers kAmx8 = {Isa::kAmxInt8, 8, InputForm::kBytes, 1, bytes_avx512vnni};
constexpr Integers kAmx16 = {Isa::kAmxInt8, 16, InputForm::kSplitPlanes, 1, split_planes_amxint8};
constexpr Integers kVnni8 = {Isa::kAvx512Vnni, 8, InputForm::kBytes, kAvx512VnniTokens8,
                             bytes_avx512vnni};
constexpr Integers kVnni16 = {Isa::kAvx512Vnni, 16, InputForm::kPlanes, kAvx512VnniTokens16,
                              planes_avx512vnni};
constexpr Integers kAvxVnni8 = {Isa::kAvxVnni, 8, InputForm::kBytes, kAvxVnniTokens8, bytes_avx2};
constexpr Integers kAvxVnni16 = {Isa::kAvxVnni, 16, InputForm::kPlanes, kAvxVnniTokens16,
                                 planes_avx2};
constexpr Integers kAvx2Bytes = {Isa::kAvx2, 8, InputForm::kBytes, kAvx2Tokens, bytes_avx2};
constexpr Integers kAvx2Words8 = {Isa::kAvx2, 8, InputForm::kWords, kAvx2Tokens, words_avx2};
constexpr Integers kAvx2Words16 = {Isa::kAvx2, 16, InputForm::kWords, kAvx2Tokens, words_avx2};
#elif defined(__aarch64__)
constexpr Integers kI8mm8 = {Isa::kNeonI8mm, 8, InputForm::kBytes, kNeonDotTokens8, bytes_neon};
constexpr Integers kI8mm16 = {Isa::kNeonI8mm, 16, InputForm::kPlanes, kNeonDotTokens16,
                              planes_neon};
constexpr Integers kDot8 = {Isa::kNeonDot, 8, InputForm::kBytes, kNeonDotTokens8, bytes_neon};
constexpr Integers kDot16 = {Isa::kNeonDot, 16, InputForm::kPlanes, kNeonDotTokens16, planes_neon};
constexpr Integers kNeon8 = {Isa::kNeon, 8, InputForm::kWords, kNeonTokens, words_neon};
constexpr Integers kNeon16 = {Isa::kNeon, 16, InputForm::kWords, kNeonTokens, words_neon};
#endif
constexpr Integers kScalar8 = {Isa::kScalar, 8, InputForm::kBytes, kScalarTokens, bytes_scalar};
constexpr Integers kScalar16 = {Isa::kScalar, 16, InputForm::kPlanes, kScalarTokens, planes_scalar};

constexpr LinearKernel kTable[] = {
#if defined(__x86_64__)
    bf16_pairs(Isa::kAmxBf16, 1, bf16_amxbf16),
    bf16_pairs(Isa::kAvx512Bf16, kAvx512Blocking.thick_tokens, bf16_avx512bf16),
    floats(Isa::kAvx512, Packing::kF32, kAvx512Blocking, f32_avx512),
    floats(Isa::kAvx512, Packing::kBf16, kAvx512Blocking, bf16_avx512),
    floats(Isa::kAvx512, Packing::kF16, kAvx512Blocking, f16_avx512),
    floats(Isa::kAvx512, Packing::kU4, kAvx512Blocking, u4_avx512),
    floats(Isa::kAvx512, Packing::kU8, kAvx512Blocking, u8_avx512),
    floats(Isa::kAvx512, Packing::kLevels, kAvx512Blocking, levels_avx512),
    floats(Isa::kAvx2, Packing::kF32, kAvx2Blocking, f32_avx2),
    floats(Isa::kAvx2, Packing::kBf16, kAvx2Blocking, bf16_avx2),
    floats(Isa::kAvx2, Packing::kF16, kAvx2Blocking, f16_avx2),
    floats(Isa::kAvx2, Packing::kU4, kAvx2Blocking, u4_avx2),
    floats(Isa::kAvx2, Packing::kU8, kAvx2Blocking, u8_avx2),
    floats(Isa::kAvx2, Packing::kLevels, kAvx2Blocking, levels_avx2),

    integers(Packing::kU4, kAmx8, u4_int8_amxint8),
    integers(Packing::kU4, kAmx16, u4_int16_amxint8),
    integers(Packing::kU8, kAmx8, u8_int8_amxint8),
    integers(Packing::kU8, kAmx16, u8_int16_amxint8),
    integers(Packing::kLevels, kAmx8, levels_int8_amxint8),
    integers(Packing::kLevels, kAmx16, levels_int16_amxint8),
    integers(Packing::kU4, kVnni8, u4_int8_avx512vnni),
    integers(Packing::kU4, kVnni16, u4_int16_avx512vnni),
    integers(Packing::kU8, kVnni8, u8_int8_avx512vnni),
    integers(Packing::kU8, kVnni16, u8_int16_avx512vnni),
    integers(Packing::kLevels, kVnni8, levels_int8_avx512vnni),
    integers(Packing::kLevels, kVnni16, levels_int16_avx512vnni),
    integers(Packing::kU4, kAvxVnni8, u4_int8_avxvnni),
    integers(Packing::kU4, kAvxVnni16, u4_int16_avxvnni),
    integers(Packing::kU8, kAvxVnni8, u8_int8_avxvnni),
    integers(Packing::kU8, kAvxVnni16, u8_int16_avxvnni),
    integers(Packing::kLevels, kAvxVnni8, levels_int8_avxvnni),
    integers(Packing::kLevels, kAvxVnni16, levels_int16_avxvnni),
    integers(Packing::kU4, kAvx2Bytes, u4_int8_avx2),
    integers(Packing::kU4, kAvx2Words16, u4_int16_avx2),
    integers(Packing::kU8, kAvx2Words8, u8_int8_avx2),
    integers(Packing::kU8, kAvx2Words16, u8_int16_avx2),
    integers(Packing::kLevels, kAvx2Words8, levels_int8_avx2),
    integers(Packing::kLevels, kAvx2Words16, levels_int16_avx2),
#elif defined(__aarch64__)
    bf16_pairs(Isa::kNeonBf16, kNeonBlocking.thick_tokens, bf16_neonbf16),
    floats(Isa::kNeon, Packing::kF32, kNeonBlocking, f32_neon),
    floats(Isa::kNeon, Packing::kBf16, kNeonBlocking, bf16_neon),
    floats(Isa::kNeon, Packing::kF16, kNeonBlocking, f16_neon),
    floats(Isa::kNeon, Packing::kU4, kNeonBlocking, u4_neon),
    floats(Isa::kNeon, Packing::kU8, kNeonBlocking, u8_neon),
    floats(Isa::kNeon, Packing::kLevels, kNeonBlocking, levels_neon),

    integers(Packing::kU4, kI8mm8, u4_int8_neoni8mm),
    integers(Packing::kU4, kI8mm16, u4_int16_neoni8mm),
    integers(Packing::kU8, kI8mm8, u8_int8_neoni8mm),
    integers(Packing::kU8, kI8mm16, u8_int16_neoni8mm),
    integers(Packing::kLevels, kI8mm8, levels_int8_neoni8mm),
    integers(Packing::kLevels, kI8mm16, levels_int16_neoni8mm),
    integers(Packing::kU4, kDot8, u4_int8_neondot),
    integers(Packing::kU4, kDot16, u4_int16_neondot),
    integers(Packing::kU8, kDot8, u8_int8_neondot, 128),
    integers(Packing::kU8, kDot16, u8_int16_neondot, 128),
    integers(Packing::kLevels, kDot8, levels_int8_neondot, 128),
    integers(Packing::kLevels, kDot16, levels_int16_neondot, 128),
    integers(Packing::kU4, kNeon8, u4_int8_neon),
    integers(Packing::kU4, kNeon16, u4_int16_neon),
    integers(Packing::kU8, kNeon8, u8_int8_neon),
    integers(Packing::kU8, kNeon16, u8_int16_neon),
    integers(Packing::kLevels, kNeon8, levels_int8_neon),
    integers(Packing::kLevels, kNeon16, levels_int16_neon),
#endif
    floats(Isa::kScalar, Packing::kF32, kScalarBlocking, f32_scalar),
    floats(Isa::kScalar, Packing::kBf16, kScalarBlocking, bf16_scalar),
    floats(Isa::kScalar, Packing::kF16, kScalarBlocking, f16_scalar),
    floats(Isa::kScalar, Packing::kU4, kScalarBlocking, u4_scalar),
    floats(Isa::kScalar, Packing::kU8, kScalarBlocking, u8_scalar),
    floats(Isa::kScalar, Packing::kLevels, kScalarBlocking, levels_scalar),
    integers(Packing::kU4, kScalar8, u4_int8_scalar),
    integers(Packing::kU4, kScalar16, u4_int16_scalar),
    integers(Packing::kU8, kScalar8, u8_int8_scalar),
    integers(Packing::kU8, kScalar16, u8_int16_scalar),
    integers(Packing::kLevels, kScalar8, levels_int8_scalar),
    integers(Packing::kLevels, kScalar16, levels_int16_scalar),
};

int input_bits(ActivationMode mode) {
  if (mode == ActivationMode::kInt8) return 8;
  return mode == ActivationMode::kInt16 ? 16 : 0;
}

}  // namespace

std::span<const LinearKernel> linear_kernels() { return kTable; }

const LinearKernel* choose_kernel(std::span<const LinearKernel> table, Packing packing,
                                  ActivationMode mode, IsaSet isas) {
  for (const LinearKernel& row : table) {
    const bool suits = row.packing == packing && row.input_bits == input_bits(mode) &&
                       (row.form != InputForm::kPairs || mode == ActivationMode::kBf16);
    if (suits && isas.has(row.isa)) return &row;
  }
  return nullptr;
}

}  // namespace farthing::kernels
