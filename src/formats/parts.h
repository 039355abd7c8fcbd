// What the formats share: shapes of parts, and reading numbers from bytes that may lie unaligned in
// a mapped file.
#pragma once

#include <cstring>
#include <string_view>

#include "core/error.h"
#include "formats/format.h"
#include "tensor/float16.h"

namespace farthing {

inline std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

template <class T>
T load(const std::byte* bytes, std::int64_t i = 0) {
  T value;
  std::memcpy(&value, bytes + index(i) * sizeof(T), sizeof(T));
  return value;
}
template <class T>
void store(std::byte* bytes, std::int64_t i, T value) {
  std::memcpy(bytes + index(i) * sizeof(T), &value, sizeof(T));
}

inline std::int64_t scale_bytes(ScaleType type) { return type == ScaleType::kF32 ? 4 : 2; }
inline std::string_view scale_dtype(ScaleType type) {
  return type == ScaleType::kF32 ? "F32" : type == ScaleType::kF16 ? "F16" : "BF16";
}
inline float load_scale(const Bytes& part, std::int64_t i, ScaleType type) {
  const std::byte* bytes = part.view().data();
  if (type == ScaleType::kF32) return load<float>(bytes, i);
  if (type == ScaleType::kF16) return to_float(load<Fp16>(bytes, i));
  return to_float(load<Bf16>(bytes, i));
}
inline void store_scale(Bytes& part, std::int64_t i, ScaleType type, float scale) {
  std::byte* bytes = part.writable().data();
  if (type == ScaleType::kF32) return store(bytes, i, scale);
  if (type == ScaleType::kF16) return store(bytes, i, to_fp16(scale));
  return store(bytes, i, to_bf16(scale));
}

// Inputs a group and groups a row; one group when the strategy has no groups.
inline std::int64_t group_inputs(const WeightScheme& scheme, std::int64_t cols) {
  return scheme.strategy == Strategy::kGroup ? scheme.group_size : cols;
}
inline std::int64_t groups_of(const WeightScheme& scheme, std::int64_t cols) {
  return scheme.strategy == Strategy::kGroup ? cols / scheme.group_size : 1;
}
// Where row r's first scale lies, scales being (rows, groups), or one for the whole tensor.
inline std::int64_t scale_index(const QuantizedTensor& tensor, std::int64_t row) {
  return tensor.scheme.strategy == Strategy::kTensor
             ? 0
             : row * groups_of(tensor.scheme, tensor.shape.cols);
}

// Error: bad input, unless groups divide the row.
void check_groups(Shape shape, const WeightScheme& scheme);

// A part of rows * cols elements of `element_bytes` each. Error: bad input on overflow.
Part make_part(std::string_view suffix, std::string_view dtype, std::int64_t rows,
               std::int64_t cols, std::int64_t element_bytes);
// ".weight_scale": (rows, groups), or one number.
Part scale_part(Shape shape, const WeightScheme& scheme);

// Error: bad input, unless every weight is finite; `first_row` is the matrix's place in the tensor.
void check_finite(MatrixView<const float> rows, std::int64_t first_row);
// Error: bad input, when the scale for weights of `row` from `column` on came out infinite.
void check_scale(float scale, ScaleType type, std::int64_t row, std::int64_t column);

}  // namespace farthing
