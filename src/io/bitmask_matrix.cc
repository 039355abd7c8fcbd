#include "io/bitmask_matrix.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "core/text.h"
#include "formats/packing.h"
#include "io/safetensors.h"

namespace farthing::io {
namespace {

Shape read_shape(const TensorInfo& tensor, std::string_view what) {
  if (tensor.dtype != "I64" || tensor.bytes.size() != 16)
    bad_input("{}.shape must be 2 numbers of type I64; found {} of {} bytes", what, tensor.dtype,
              tensor.bytes.size());
  Cursor cursor(tensor.bytes, what);
  const auto rows = cursor.read<std::int64_t>("rows");
  const auto cols = cursor.read<std::int64_t>("columns");
  constexpr std::int64_t kLimit = std::int64_t{1} << 32;
  if (rows < 1 || cols < 1 || rows > kLimit || cols > kLimit)
    bad_input("{}.shape must be positive and at most 2^32; found [{}, {}]", what, rows, cols);
  return {rows, cols};
}

// The mask's bits of a byte that belong to the row.
unsigned bits_of(const std::byte* mask, std::int64_t byte, std::int64_t cols) {
  const auto bits = static_cast<unsigned>(mask[byte]);
  return cols - 8 * byte < 8 ? bits & ((1u << (cols - 8 * byte)) - 1) : bits;
}

std::uint64_t count_row(const std::byte* mask, std::int64_t cols) {
  std::uint64_t kept = 0;
  for (std::int64_t b = 0; 8 * b < cols; ++b)
    kept += static_cast<std::uint64_t>(std::popcount(bits_of(mask, b, cols)));
  return kept;
}

void check_mask(const TensorInfo& mask, Shape shape, std::string_view what) {
  const std::int64_t row_bytes = (shape.cols + 7) / 8;
  if (mask.dtype != "U8" ||
      mask.bytes.size() != checked_multiply(static_cast<std::uint64_t>(shape.rows),
                                            static_cast<std::uint64_t>(row_bytes), what))
    bad_input("{} must be U8 of shape [{}, {}]; found {} of {} bytes", what, shape.rows, row_bytes,
              mask.dtype, mask.bytes.size());
}

}  // namespace

std::optional<TensorInfo> bitmask_tensor(const Checkpoint& checkpoint, std::string_view base,
                                         std::string_view where, AlignedArray<std::byte>& room) {
  const std::string name(base), what = fmt::format("{}: {}", where, printable(base));
  const TensorInfo* values = checkpoint.find(name + ".compressed");
  const TensorInfo* mask = checkpoint.find(name + ".bitmask");
  if (values == nullptr && mask == nullptr) return std::nullopt;
  const TensorInfo* sizes = checkpoint.find(name + ".shape");
  if (values == nullptr || mask == nullptr || sizes == nullptr)
    bad_input("{}: is kept by a bitmask, but has no .{}; is the checkpoint complete?", what,
              values == nullptr ? "compressed"
              : mask == nullptr ? "bitmask"
                                : "shape");
  const Shape shape = read_shape(*sizes, what);
  const std::int64_t row_bytes = (shape.cols + 7) / 8;
  check_mask(*mask, shape, what + ".bitmask");
  const bool known = values->dtype == "BF16" || values->dtype == "F16" || values->dtype == "F32" ||
                     values->dtype == "I8" || values->dtype == "F8_E4M3";
  if (!known) unsupported("{}.compressed of type {} cannot be read", what, values->dtype);
  const auto width = static_cast<std::size_t>(*dtype_bits(values->dtype)) / 8;
  std::uint64_t kept = 0;
  for (std::int64_t r = 0; r < shape.rows; ++r)
    kept += count_row(mask->bytes.data() + r * row_bytes, shape.cols);
  if (values->bytes.size() != kept * width)
    bad_input("{}.compressed must have one element for each of the {} bits of the mask; found {}",
              what, kept, values->bytes.size() / width);
  room = AlignedArray<std::byte>(
      checked_multiply(static_cast<std::uint64_t>(shape.size()), width, what));
  std::memset(room.data(), 0, room.size());
  const std::byte* from = values->bytes.data();
  for (std::int64_t r = 0; r < shape.rows; ++r)
    for (std::int64_t b = 0; b < row_bytes; ++b)
      for (unsigned bits = bits_of(mask->bytes.data() + r * row_bytes, b, shape.cols); bits != 0;
           bits &= bits - 1, from += width)
        std::memcpy(
            room.data() +
                static_cast<std::size_t>(r * shape.cols + 8 * b + std::countr_zero(bits)) * width,
            from, width);
  return TensorInfo{name + ".weight", values->dtype, {shape.rows, shape.cols}, room.span()};
}

bool has_code_bitmask(const Checkpoint& checkpoint, std::string_view base) {
  const std::string name(base);
  return checkpoint.find(name + std::string(kCodeMaskSuffix)) != nullptr ||
         checkpoint.find(name + std::string(kCodeValuesSuffix)) != nullptr;
}

TensorInfo code_bitmask_tensor(const Checkpoint& checkpoint, std::string_view base, Shape shape,
                               int bits, std::string_view what, AlignedArray<std::byte>& room) {
  const std::string name(base);
  const TensorInfo* mask = checkpoint.find(name + std::string(kCodeMaskSuffix));
  const TensorInfo* values = checkpoint.find(name + std::string(kCodeValuesSuffix));
  if (mask == nullptr || values == nullptr)
    bad_input("{}: is kept by a bitmap, but has no {}; is the checkpoint complete?", what,
              mask == nullptr ? kCodeMaskSuffix : kCodeValuesSuffix);
  check_mask(*mask, shape, fmt::format("{}{}", what, kCodeMaskSuffix));
  const std::int64_t row_bytes = (shape.cols + 7) / 8;
  const auto width = static_cast<std::uint64_t>(bits);
  std::uint64_t bytes = 0;
  for (std::int64_t r = 0; r < shape.rows; ++r)
    bytes += (count_row(mask->bytes.data() + r * row_bytes, shape.cols) * width + 7) / 8;
  if (values->dtype != "U8" || values->bytes.size() != bytes)
    bad_input("{}{} must be U8 of {} bytes by its bitmap; found {} of {} bytes", what,
              kCodeValuesSuffix, bytes, values->dtype, values->bytes.size());
  const std::int64_t words = (shape.cols * bits + 31) / 32;
  room = AlignedArray<std::byte>(checked_multiply(static_cast<std::uint64_t>(shape.rows),
                                                  static_cast<std::uint64_t>(4 * words), what));
  std::memset(room.data(), 0, room.size());  // what fills up the last word of a row
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(shape.cols)), kept(codes.size());
  const std::byte* from = values->bytes.data();
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    const std::byte* row = mask->bytes.data() + r * row_bytes;
    const std::uint64_t count = count_row(row, shape.cols);
    unpack_bits(from, bits, std::span(kept).first(count));
    from += (count * width + 7) / 8;
    std::fill(codes.begin(), codes.end(), static_cast<std::uint8_t>(1 << (bits - 1)));
    const std::uint8_t* next = kept.data();
    for (std::int64_t b = 0; b < row_bytes; ++b)
      for (unsigned set = bits_of(row, b, shape.cols); set != 0; set &= set - 1)
        codes[static_cast<std::size_t>(8 * b + std::countr_zero(set))] = *next++;
    pack_bits(codes, bits, room.data() + r * 4 * words);
  }
  return TensorInfo{name + std::string(kPackedSuffix), "I32", {shape.rows, words}, room.span()};
}

bool is_bitmask(const Checkpoint& checkpoint, std::string_view base) {
  return checkpoint.find(std::string(base) + ".bitmask") != nullptr ||
         has_code_bitmask(checkpoint, base);
}

std::optional<StoredBitmask> stored_bitmask(const Checkpoint& checkpoint, std::string_view base) {
  const std::string name(base);
  const TensorInfo* mask = checkpoint.find(name + ".bitmask");
  const TensorInfo* values = checkpoint.find(name + ".compressed");
  if (mask == nullptr) {
    mask = checkpoint.find(name + std::string(kCodeMaskSuffix));
    values = checkpoint.find(name + std::string(kCodeValuesSuffix));
  }
  if (mask == nullptr || values == nullptr) return std::nullopt;
  StoredBitmask stored{.kept = 0, .bytes = mask->bytes.size() + values->bytes.size()};
  for (const std::byte byte : mask->bytes)
    stored.kept += static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>(byte)));
  return stored;
}

}  // namespace farthing::io
