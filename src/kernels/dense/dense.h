// Dense float matrices: the products and factors that calibration solves with (Hessians, GPTQ).
#pragma once

#include "core/runtime.h"
#include "kernels/dense/round_rows.h"
#include "tensor/matrix_view.h"

namespace farthing::kernels {

// Which elements (r, c) of a product are computed; the others stay as they are.
enum class Triangle : std::uint8_t { kAll, kUpper };  // kUpper: at least those with r <= c

// C += sign * A B, with A (m, k), B (k, n), C (m, n). Each element is one chain of fused
// multiply-adds in ascending k that starts from C, so threads, cuts and instruction sets do not
// change a bit. B must not overlap C. sign is 1 or -1.
void add_product(Runtime& runtime, MatrixView<const float> a, MatrixView<const float> b,
                 MatrixView<float> c, float sign = 1.0f, Triangle part = Triangle::kAll);
// C = A B, as if C had been zeros.
void set_product(Runtime& runtime, MatrixView<const float> a, MatrixView<const float> b,
                 MatrixView<float> c);
// C += sign * A^T B, with A (k, m), in the same way: the bits of a product with A turned before.
void add_turned_product(Runtime& runtime, MatrixView<const float> a, MatrixView<const float> b,
                        MatrixView<float> c, float sign = 1.0f, Triangle part = Triangle::kAll);
// The same by the calling thread alone, for callers that share out the work themselves.
void add_product_here(IsaSet isas, MatrixView<const float> a, MatrixView<const float> b,
                      MatrixView<float> c, float sign = 1.0f);
void set_product_here(IsaSet isas, MatrixView<const float> a, MatrixView<const float> b,
                      MatrixView<float> c);
void add_turned_product_here(IsaSet isas, MatrixView<const float> a, MatrixView<const float> b,
                             MatrixView<float> c);

// Rounds rows input by input (round_rows.h), by the calling thread.
void round_rows_here(IsaSet isas, const RoundRows& rows);

// to (cols, rows) = from (rows, cols) turned.
void transpose(Runtime& runtime, MatrixView<const float> from, MatrixView<float> to);

// Upper triangular U with A = U^T U (Cholesky), in place: the upper triangle of a is read and
// written, what lies below the diagonal becomes 0. False when a pivot is not positive (a is then
// spoilt): add to the diagonal and try again.
bool cholesky(Runtime& runtime, MatrixView<float> a);
// U := U^-1 for an upper triangle with zeros below it, in place.
void invert_triangle(Runtime& runtime, MatrixView<float> u);

}  // namespace farthing::kernels
