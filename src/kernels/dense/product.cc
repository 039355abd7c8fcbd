// Products of dense matrices: cut into pieces of C, whose operands are packed block by block.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <iterator>

#include "core/memory.h"
#include "kernels/dense/dense.h"
#include "kernels/dense/product_kernels.h"

namespace farthing::kernels {
namespace {

constexpr std::int64_t kRows = 384, kCols = 256;  // of C that a thread takes at a time, at most
constexpr std::int64_t kLeastCols = 64;           // fewer do not pay for packing rows of A
constexpr int kMostPanel = 12;

struct Row {
  Isa isa;
  const ProductKernel* product;
  void (*round)(const RoundRows&);
};
// Best first.
constexpr Row kTable[] = {
#if defined(__x86_64__)
    {Isa::kAvx512, &product_avx512, round_rows_avx512},
    {Isa::kAvx2, &product_avx2, round_rows_avx2},
#endif
    {Isa::kScalar, &product_scalar, round_rows_scalar},
};
const Row& choose(IsaSet isas) {
  for (const Row& row : kTable)
    if (isas.has(row.isa)) return row;
  return *std::rbegin(kTable);
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Product {
  const ProductKernel& kernel;
  MatrixView<const float> a;
  bool turned;  // a is (inputs, rows)
  MatrixView<const float> b;
  MatrixView<float> c;
  float sign = 1;
  Triangle part = Triangle::kAll;
  bool fresh = false;
  std::int64_t rows = 0, cols = 0;  // of a piece of C

  // Equal pieces, at least two a thread where there is enough of C.
  void cut(std::int64_t threads) {
    const std::int64_t down = divide_up(c.rows, kRows);
    std::int64_t across = divide_up(c.cols, kCols);
    while (down * across < 2 * threads && divide_up(c.cols, across + 1) >= kLeastCols) ++across;
    rows = divide_up(divide_up(c.rows, down), kernel.panel) * kernel.panel;
    cols = divide_up(divide_up(c.cols, across), kernel.strip) * kernel.strip;
  }
  std::int64_t down() const { return divide_up(c.rows, rows); }
  std::int64_t pieces() const { return down() * divide_up(c.cols, cols); }

  void add(std::int64_t piece) const {
    const std::int64_t row = piece % down() * rows, col = piece / down() * cols;
    const std::int64_t width = std::min(cols, c.cols - col);
    std::int64_t end = std::min(row + rows, c.rows);
    if (part == Triangle::kUpper) end = std::min(end, col + width);
    if (row >= end) return;
    thread_local AlignedArray<float> strips;
    strips.reserve_scratch(static_cast<std::size_t>(kBlockInputs * kCols));
    for (std::int64_t k = 0; k < b.rows; k += kBlockInputs) {
      const std::int64_t inputs = std::min(kBlockInputs, b.rows - k);
      kernel.pack({.b = b.row_data(k) + col,
                   .b_stride = b.stride,
                   .inputs = inputs,
                   .cols = width,
                   .sign = sign,
                   .to = strips.data()});
      for (std::int64_t r = row; r < end; r += kernel.panel)
        add_panel(k, inputs, r, std::min<std::int64_t>(kernel.panel, end - r), col, width,
                  strips.data());
    }
  }

  // Rows of A lie far apart, often by a power of two: together they stay in the nearest cache.
  void add_panel(std::int64_t k, std::int64_t inputs, std::int64_t row, std::int64_t count,
                 std::int64_t col, std::int64_t width, const float* strips) const {
    alignas(kAlignment) float panel[kMostPanel * kBlockInputs];
    if (turned)
      for (std::int64_t i = 0; i < inputs; ++i)
        std::copy_n(a.row_data(k + i) + row, count, panel + i * kernel.panel);
    else
      for (std::int64_t r = 0; r < count; ++r)
        std::copy_n(a.row_data(row + r) + k, inputs, panel + r * kBlockInputs);
    const std::int64_t skip =  // strips wholly below the diagonal
        part == Triangle::kUpper ? std::max<std::int64_t>(0, row - col) / kernel.strip : 0;
    kernel.run({.a = panel,
                .turned = turned,
                .fresh = fresh && k == 0,
                .b = strips + skip * kBlockInputs * kernel.strip,
                .c = c.row_data(row) + col + skip * kernel.strip,
                .c_stride = c.stride,
                .rows = static_cast<int>(count),
                .inputs = inputs,
                .cols = width - skip * kernel.strip});
  }
};

bool fits(const Product& p) {
  const auto a_rows = p.turned ? p.a.cols : p.a.rows, a_cols = p.turned ? p.a.rows : p.a.cols;
  return a_cols == p.b.rows && a_rows == p.c.rows && p.b.cols == p.c.cols;
}

void run(Runtime& runtime, Product product) {
  assert(fits(product));
  if (product.c.rows == 0 || product.c.cols == 0) return;
  product.cut(runtime.pool.size());
  runtime.parallel(product.pieces(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) product.add(begin);
  });
}
void run_here(Product product) {
  assert(fits(product));
  if (product.c.rows == 0 || product.c.cols == 0) return;
  product.cut(0);
  for (std::int64_t piece = 0; piece < product.pieces(); ++piece) product.add(piece);
}

}  // namespace

void add_product(Runtime& runtime, MatrixView<const float> a, MatrixView<const float> b,
                 MatrixView<float> c, float sign, Triangle part) {
  run(runtime, {*choose(runtime.isas).product, a, false, b, c, sign, part});
}
void add_turned_product(Runtime& runtime, MatrixView<const float> a, MatrixView<const float> b,
                        MatrixView<float> c, float sign, Triangle part) {
  run(runtime, {*choose(runtime.isas).product, a, true, b, c, sign, part});
}
void set_product(Runtime& runtime, MatrixView<const float> a, MatrixView<const float> b,
                 MatrixView<float> c) {
  run(runtime, {.kernel = *choose(runtime.isas).product,
                .a = a,
                .turned = false,
                .b = b,
                .c = c,
                .fresh = true});
}
void set_product_here(IsaSet isas, MatrixView<const float> a, MatrixView<const float> b,
                      MatrixView<float> c) {
  run_here(
      {.kernel = *choose(isas).product, .a = a, .turned = false, .b = b, .c = c, .fresh = true});
}
void add_product_here(IsaSet isas, MatrixView<const float> a, MatrixView<const float> b,
                      MatrixView<float> c, float sign) {
  run_here({*choose(isas).product, a, false, b, c, sign});
}
void add_turned_product_here(IsaSet isas, MatrixView<const float> a, MatrixView<const float> b,
                             MatrixView<float> c) {
  run_here({*choose(isas).product, a, true, b, c});
}

void round_rows_here(IsaSet isas, const RoundRows& rows) { choose(isas).round(rows); }

}  // namespace farthing::kernels
