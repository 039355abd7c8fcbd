// Rounding the rows of a matrix input by input, each making up for the errors before it (Frantar et
// al., 2022, GPTQ). Plain data only, as the files of every instruction set include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farthing::kernels {

inline constexpr int kRoundedRows = 16;  // rows that one vector holds

// Some consecutive inputs of `rows` rows. Matrices of weights lie turned, an input a row of
// `stride` numbers; rows counts in whole vectors, and those past the end may hold any numbers.
struct RoundRows {
  float* weights = nullptr;  // (inputs, rows); in: the weights; out: their codes, or what is kept
  std::int64_t stride = 0;   // of all (.., rows) matrices
  std::int64_t inputs = 0, rows = 0;
  const float* factor = nullptr;   // L (inputs, inputs), lower, with H^-1 = L L^T
  const float* pull = nullptr;     // (inputs, inputs), lower, of GPTAQ's correction; or null
  std::int64_t factor_stride = 0;  // of both
  // A weight is scale * (code - bias) + offset with the code from bottom to top, the scale and the
  // offset of the group of its input. No scales: nothing is rounded.
  const float* scales = nullptr;         // (groups, rows)
  const float* offsets = nullptr;        // (groups, rows)
  const std::int32_t* groups = nullptr;  // (inputs)
  float bias = 0, bottom = 0, top = 0;
  const float* kept = nullptr;  // (inputs, rows), 0 where the weight is taken out, else 1; or null
  float* errors = nullptr;      // (inputs, rows) out: error / L_ii
  float* before = nullptr;      // (inputs, rows) out, with pull: the weight before it was rounded
};

// Weight i becomes w_i - sum over k < i of errors_k L_ik (+ before_k pull_ik), a chain of fused
// multiply-adds in ascending k, and is then rounded: the same bits on every instruction set.
void round_rows_scalar(const RoundRows&);
void round_rows_avx2(const RoundRows&);
void round_rows_avx512(const RoundRows&);

}  // namespace farthing::kernels
