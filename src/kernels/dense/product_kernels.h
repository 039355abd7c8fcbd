// Some rows of a product with packed operands: plain data only, as the files of every instruction
// set include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farthing::kernels {

inline constexpr std::int64_t kBlockInputs = 256;  // of both operands that are packed at once

// C (rows, cols) += A (rows, inputs) B (inputs, cols), rows at most those of the kernel's panel.
// A number of input k and row r is a[r * kBlockInputs + k] or, turned, a[k * panel + r]. Columns of
// B come in strips as wide as the kernel says: strip s at b + s * kBlockInputs * width, `width`
// numbers an input. Columns past `cols` are neither read nor written in C.
struct PanelProduct {
  const float* a = nullptr;
  bool turned = false;
  bool fresh = false;  // C is taken for zeros, whatever it holds
  const float* b = nullptr;
  float* c = nullptr;
  std::int64_t c_stride = 0;
  int rows = 0;
  std::int64_t inputs = 0, cols = 0;
};
// sign times columns of B, of `inputs` rows, as strips; the last one is filled up with zeros.
struct PackStrips {
  const float* b = nullptr;
  std::int64_t b_stride = 0, inputs = 0, cols = 0;
  float sign = 1;
  float* to = nullptr;
};

// An instruction set's way: rows of C in registers at once, columns of a strip.
struct ProductKernel {
  int panel = 0, strip = 0;
  void (*pack)(const PackStrips&) = nullptr;
  void (*run)(const PanelProduct&) = nullptr;
};
extern const ProductKernel product_scalar, product_avx2, product_avx512;

}  // namespace farthing::kernels
