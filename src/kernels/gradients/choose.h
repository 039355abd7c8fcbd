// Which row gradients run here.
#pragma once

#include "core/cpu.h"
#include "kernels/gradients/row_gradients.h"

namespace farthing::kernels {

inline const RowGradients& row_gradients(IsaSet isas) {
#if defined(__x86_64__)
  if (isas.has(Isa::kAvx512)) return kRowGradientsAvx512;
  if (isas.has(Isa::kAvx2)) return kRowGradientsAvx2;
#else
  static_cast<void>(isas);
#endif
  return kRowGradientsScalar;
}

}  // namespace farthing::kernels
