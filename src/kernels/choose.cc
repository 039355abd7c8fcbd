#include "kernels/float_tiles/float_tiles.h"
#include "kernels/packed_matrix.h"

namespace farthing::kernels {
namespace {

using namespace float_tiles;

constexpr LinearKernel float_row(Isa isa, Packing packing, const Blocking& blocking,
                                 LinearRun run) {
  return {.family = "float_tiles",
          .isa = isa,
          .packing = packing,
          .form = InputForm::kFloatPanels,
          .panel_tokens = blocking.thick_tokens,
          .run = run};
}

const LinearKernel kTable[] = {
#if defined(__x86_64__)
    float_row(Isa::kAvx512, Packing::kF32, kAvx512Blocking, f32_avx512),
    float_row(Isa::kAvx512, Packing::kBf16, kAvx512Blocking, bf16_avx512),
    float_row(Isa::kAvx512, Packing::kF16, kAvx512Blocking, f16_avx512),
    float_row(Isa::kAvx2, Packing::kF32, kAvx2Blocking, f32_avx2),
    float_row(Isa::kAvx2, Packing::kBf16, kAvx2Blocking, bf16_avx2),
    float_row(Isa::kAvx2, Packing::kF16, kAvx2Blocking, f16_avx2),
#endif
    float_row(Isa::kScalar, Packing::kF32, kScalarBlocking, f32_scalar),
    float_row(Isa::kScalar, Packing::kBf16, kScalarBlocking, bf16_scalar),
    float_row(Isa::kScalar, Packing::kF16, kScalarBlocking, f16_scalar),
};

bool suits(InputForm form, ActivationMode mode) {
  return form == InputForm::kFloatPanels &&
         (mode == ActivationMode::kF32 || mode == ActivationMode::kBf16);
}

}  // namespace

std::span<const LinearKernel> linear_kernels() { return kTable; }

const LinearKernel* choose_kernel(std::span<const LinearKernel> table, Packing packing,
                                  ActivationMode mode, IsaSet isas) {
  for (const LinearKernel& row : table)
    if (row.packing == packing && suits(row.form, mode) && isas.has(row.isa)) return &row;
  return nullptr;
}

}  // namespace farthing::kernels
