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

// Codes of few bits may meet inputs in another form than those of 8.
struct Forms {
  Integers small8, small16, wide8, wide16;
  int wide_shift = 0;
};

#if defined(__x86_64__)
constexpr Integers kAmx8 = {Isa::kAmxInt8, 8, InputForm::kBytes, 1, bytes_avx512vnni};
constexpr Integers kAmx16 = {Isa::kAmxInt8, 16, InputForm::kSplitPlanes, 1, split_planes_amxint8};
constexpr Forms amxint8_forms = {kAmx8, kAmx16, kAmx8, kAmx16};
constexpr Integers kVnni8 = {Isa::kAvx512Vnni, 8, InputForm::kBytes, kAvx512VnniTokens8,
                             bytes_avx512vnni};
constexpr Integers kVnni16 = {Isa::kAvx512Vnni, 16, InputForm::kPlanes, kAvx512VnniTokens16,
                              planes_avx512vnni};
constexpr Forms avx512vnni_forms = {kVnni8, kVnni16, kVnni8, kVnni16};
constexpr Integers kAvxVnni8 = {Isa::kAvxVnni, 8, InputForm::kBytes, kAvxVnniTokens8, bytes_avx2};
constexpr Integers kAvxVnni16 = {Isa::kAvxVnni, 16, InputForm::kPlanes, kAvxVnniTokens16,
                                 planes_avx2};
constexpr Forms avxvnni_forms = {kAvxVnni8, kAvxVnni16, kAvxVnni8, kAvxVnni16};
constexpr Integers kAvx2Bytes = {Isa::kAvx2, 8, InputForm::kBytes, kAvx2Tokens, bytes_avx2};
constexpr Integers kAvx2Words8 = {Isa::kAvx2, 8, InputForm::kWords, kAvx2Tokens, words_avx2};
constexpr Integers kAvx2Words16 = {Isa::kAvx2, 16, InputForm::kWords, kAvx2Tokens, words_avx2};
constexpr Forms avx2_forms = {kAvx2Bytes, kAvx2Words16, kAvx2Words8, kAvx2Words16};
#elif defined(__aarch64__)
constexpr Integers kI8mm8 = {Isa::kNeonI8mm, 8, InputForm::kBytes, kNeonDotTokens8, bytes_neon};
constexpr Integers kI8mm16 = {Isa::kNeonI8mm, 16, InputForm::kPlanes, kNeonDotTokens16,
                              planes_neon};
constexpr Forms neoni8mm_forms = {kI8mm8, kI8mm16, kI8mm8, kI8mm16};
constexpr Integers kDot8 = {Isa::kNeonDot, 8, InputForm::kBytes, kNeonDotTokens8, bytes_neon};
constexpr Integers kDot16 = {Isa::kNeonDot, 16, InputForm::kPlanes, kNeonDotTokens16, planes_neon};
constexpr Forms neondot_forms = {kDot8, kDot16, kDot8, kDot16, 128};
constexpr Integers kNeon8 = {Isa::kNeon, 8, InputForm::kWords, kNeonTokens, words_neon};
constexpr Integers kNeon16 = {Isa::kNeon, 16, InputForm::kWords, kNeonTokens, words_neon};
constexpr Forms neon_forms = {kNeon8, kNeon16, kNeon8, kNeon16};
#endif
constexpr Integers kScalar8 = {Isa::kScalar, 8, InputForm::kBytes, kScalarTokens, bytes_scalar};
constexpr Integers kScalar16 = {Isa::kScalar, 16, InputForm::kPlanes, kScalarTokens, planes_scalar};
constexpr Forms scalar_forms = {kScalar8, kScalar16, kScalar8, kScalar16};

#define FARTHING_FLOAT_ROWS(isa, Level)                                \
  floats(Isa::Level, Packing::kF32, Level##Blocking, f32_##isa),       \
      floats(Isa::Level, Packing::kBf16, Level##Blocking, bf16_##isa), \
      floats(Isa::Level, Packing::kF16, Level##Blocking, f16_##isa),   \
      floats(Isa::Level, Packing::kU2, Level##Blocking, u2_##isa),     \
      floats(Isa::Level, Packing::kU3, Level##Blocking, u3_##isa),     \
      floats(Isa::Level, Packing::kU4, Level##Blocking, u4_##isa),     \
      floats(Isa::Level, Packing::kU5, Level##Blocking, u5_##isa),     \
      floats(Isa::Level, Packing::kU6, Level##Blocking, u6_##isa),     \
      floats(Isa::Level, Packing::kU8, Level##Blocking, u8_##isa),     \
      floats(Isa::Level, Packing::kLevels, Level##Blocking, levels_##isa)
#define FARTHING_SMALL_ROWS(name, Unpack, isa)                         \
  integers(Packing::k##Unpack, isa##_forms.small8, name##_int8_##isa), \
      integers(Packing::k##Unpack, isa##_forms.small16, name##_int16_##isa),
#define FARTHING_WIDE_ROWS(name, Unpack, isa)                                                 \
  integers(Packing::k##Unpack, isa##_forms.wide8, name##_int8_##isa, isa##_forms.wide_shift), \
      integers(Packing::k##Unpack, isa##_forms.wide16, name##_int16_##isa,                    \
               isa##_forms.wide_shift),
#define FARTHING_CODE_ROWS(isa)                     \
  FARTHING_SMALL_PACKINGS(FARTHING_SMALL_ROWS, isa) \
  FARTHING_WIDE_PACKINGS(FARTHING_WIDE_ROWS, isa)

// clang-format off
constexpr LinearKernel kTable[] = {
#if defined(__x86_64__)
    bf16_pairs(Isa::kAmxBf16, 1, bf16_amxbf16),
    bf16_pairs(Isa::kAvx512Bf16, kAvx512Blocking.thick_tokens, bf16_avx512bf16),
    FARTHING_FLOAT_ROWS(avx512, kAvx512),
    FARTHING_FLOAT_ROWS(avx2, kAvx2),
    FARTHING_CODE_ROWS(amxint8)
    FARTHING_CODE_ROWS(avx512vnni)
    FARTHING_CODE_ROWS(avxvnni)
    FARTHING_CODE_ROWS(avx2)
#elif defined(__aarch64__)
    bf16_pairs(Isa::kNeonBf16, kNeonBlocking.thick_tokens, bf16_neonbf16),
    FARTHING_FLOAT_ROWS(neon, kNeon),
    FARTHING_CODE_ROWS(neoni8mm)
    FARTHING_CODE_ROWS(neondot)
    FARTHING_CODE_ROWS(neon)
#endif
    FARTHING_FLOAT_ROWS(scalar, kScalar),
    FARTHING_CODE_ROWS(scalar)
};
// clang-format on

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
