// One strip of a product: plain data only, as the files of every instruction set include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farthing::kernels {

inline constexpr int kStripCols = 16;  // columns of C that one strip has

// C (rows, 16) += A (rows, inputs) B (inputs, 16); the strip of B lies packed, 16 numbers an input,
// and columns past `cols` are neither read nor written in C.
struct StripProduct {
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  const float* b = nullptr;
  float* c = nullptr;
  std::int64_t c_stride = 0;
  std::int64_t rows = 0, inputs = 0;
  int cols = kStripCols;
};

void strip_product_scalar(const StripProduct&);
void strip_product_avx2(const StripProduct&);
void strip_product_avx512(const StripProduct&);

}  // namespace farthing::kernels
