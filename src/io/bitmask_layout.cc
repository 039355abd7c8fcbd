#include "io/bitmask_layout.h"

#include <cstring>
#include <numeric>

#include "formats/int_grid.h"
#include "formats/packing.h"
#include "io/bitmask_matrix.h"
#include "io/safetensors.h"

namespace farthing::io {
namespace {

constexpr std::int64_t kGrain = 16;  // rows that a thread takes at a time

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

std::int64_t mask_bytes(Shape shape) { return (shape.cols + 7) / 8; }

// Bytes of the elements that a row keeps.
std::int64_t value_bytes(const BitmaskMatrix& matrix, std::int64_t kept) {
  return (kept * matrix.element_bits + 7) / 8;
}

// One row's elements, and which of them are zero.
class Row {
 public:
  explicit Row(const BitmaskMatrix& matrix)
      : matrix_(matrix), codes_(matrix.code_bits > 0 ? index(matrix.shape.cols) : 0) {}

  void read(std::int64_t r) {
    const auto stride = matrix_.dense_bytes() / index(matrix_.shape.rows);
    bytes_ = matrix_.dense->bytes.data() + index(r) * stride;
    if (matrix_.code_bits > 0) unpack_bits(bytes_, matrix_.code_bits, codes_);
  }
  bool keeps(std::int64_t j) const {
    if (matrix_.code_bits > 0) return codes_[index(j)] != 1 << (matrix_.code_bits - 1);
    for (std::int64_t b = j * width(); b < (j + 1) * width(); ++b)
      if (bytes_[b] != std::byte{0}) return true;
    return false;
  }
  // The kept elements, one after the other; returns how many.
  std::int64_t write(std::byte* mask, std::byte* values) {
    std::int64_t count = 0;
    for (std::int64_t j = 0; j < matrix_.shape.cols; ++j) {
      if (!keeps(j)) continue;
      mask[j / 8] |= std::byte{1} << (j % 8);
      if (matrix_.code_bits > 0)
        codes_[index(count)] = codes_[index(j)];  // never ahead of what is still to be read
      else
        std::memcpy(values + count * width(), bytes_ + j * width(), index(width()));
      ++count;
    }
    if (matrix_.code_bits > 0)
      pack_bits(std::span(codes_).first(index(count)), matrix_.code_bits, values);
    return count;
  }

 private:
  std::int64_t width() const { return matrix_.element_bits / 8; }
  const BitmaskMatrix& matrix_;
  const std::byte* bytes_ = nullptr;
  std::vector<std::uint8_t> codes_;
};

// What the tensor is made of, without its counts.
std::optional<BitmaskMatrix> describe(const Checkpoint& checkpoint, const TensorInfo& tensor,
                                      const QuantizationConfig* config) {
  std::string_view base = tensor.name;
  const bool packed = base.ends_with(kPackedSuffix);
  if (tensor.shape.size() != 2 || (!packed && !base.ends_with(".weight"))) return std::nullopt;
  base.remove_suffix(packed ? kPackedSuffix.size() : std::string_view(".weight").size());
  BitmaskMatrix matrix{.base = std::string(base),
                       .dense = &tensor,
                       .code_bits = 0,
                       .element_bits = 0,
                       .shape = {tensor.shape[0], tensor.shape[1]},
                       .kept = {}};
  if (tensor.dtype == "BF16" || tensor.dtype == "F16" || tensor.dtype == "F32") {
    matrix.element_bits = *dtype_bits(tensor.dtype);
    return matrix;
  }
  const auto scheme = config == nullptr ? std::nullopt : config->find(base);
  if (!scheme || scheme->weights.element != Element::kInt || !scheme->weights.symmetric ||
      !scheme->weights.block.empty() || checkpoint.find(matrix.base + ".weight_g_idx") != nullptr)
    return std::nullopt;
  if (!packed) {
    matrix.element_bits = 8;
    return tensor.dtype == "I8" ? std::optional(std::move(matrix)) : std::nullopt;
  }
  const auto stored = checkpoint.matrix(base);
  if (tensor.dtype != "I32" || !stored) return std::nullopt;
  matrix.shape = stored->shape;
  matrix.code_bits = stored->scheme.bits;
  matrix.element_bits = matrix.code_bits;
  return matrix;
}

}  // namespace

std::int64_t BitmaskMatrix::all_kept() const {
  return std::accumulate(kept.begin(), kept.end(), std::int64_t{0});
}

std::uint64_t BitmaskMatrix::stored_bytes() const {
  std::uint64_t bytes = 0;
  for (const PlannedTensor& tensor : bitmask_tensors(*this)) bytes += tensor.bytes();
  return bytes;
}

std::optional<BitmaskMatrix> count_bitmask(Runtime& runtime, const Checkpoint& checkpoint,
                                           const TensorInfo& tensor,
                                           const QuantizationConfig* config) {
  std::optional<BitmaskMatrix> matrix = describe(checkpoint, tensor, config);
  if (!matrix || matrix->shape.size() == 0) return std::nullopt;
  matrix->kept.resize(index(matrix->shape.rows));
  runtime.parallel(matrix->shape.rows, kGrain, [&](std::int64_t r, std::int64_t end) {
    Row row(*matrix);
    for (; r < end; ++r) {
      row.read(r);
      for (std::int64_t j = 0; j < matrix->shape.cols; ++j)
        matrix->kept[index(r)] += row.keeps(j) ? 1 : 0;
    }
  });
  return matrix;
}

std::vector<PlannedTensor> bitmask_tensors(const BitmaskMatrix& matrix) {
  const Shape shape = matrix.shape;
  const std::vector<std::int64_t> mask{shape.rows, mask_bytes(shape)};
  if (matrix.code_bits == 0)
    return {{matrix.base + ".bitmask", "U8", mask},
            {matrix.base + ".compressed", matrix.dense->dtype, {matrix.all_kept()}},
            {matrix.base + ".shape", "I64", {2}},
            {matrix.base + ".row_offsets", "I64", {shape.rows}}};
  std::int64_t bytes = 0;
  for (const std::int64_t kept : matrix.kept) bytes += value_bytes(matrix, kept);
  return {{matrix.base + std::string(kCodeMaskSuffix), "U8", mask},
          {matrix.base + std::string(kCodeValuesSuffix), "U8", {bytes}}};
}

void write_bitmask(Runtime& runtime, const BitmaskMatrix& matrix, PlannedSafetensors& file,
                   std::size_t first) {
  const std::int64_t rows = matrix.shape.rows, row_bytes = mask_bytes(matrix.shape);
  std::vector<std::int64_t> starts(index(rows)), offsets(index(rows));  // in bytes, in elements
  std::int64_t bytes = 0, count = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    starts[index(r)] = bytes;
    offsets[index(r)] = count;
    bytes += value_bytes(matrix, matrix.kept[index(r)]);
    count += matrix.kept[index(r)];
  }
  std::vector<std::byte> mask(index(rows * row_bytes)), values(index(bytes));
  runtime.parallel(rows, kGrain, [&](std::int64_t r, std::int64_t end) {
    Row row(matrix);
    for (; r < end; ++r) {
      row.read(r);
      row.write(mask.data() + r * row_bytes, values.data() + starts[index(r)]);
    }
  });
  file.write(first, 0, mask);
  file.write(first + 1, 0, values);
  if (matrix.code_bits > 0) return;
  const std::int64_t shape[] = {rows, matrix.shape.cols};
  file.write(first + 2, 0, std::as_bytes(std::span(shape)));
  file.write(first + 3, 0, std::as_bytes(std::span(offsets)));
}

}  // namespace farthing::io
