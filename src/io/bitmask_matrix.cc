#include "io/bitmask_matrix.h"

#include <bit>
#include <cstring>

#include "core/text.h"
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
  if (mask->dtype != "U8" ||
      mask->bytes.size() != checked_multiply(static_cast<std::uint64_t>(shape.rows),
                                             static_cast<std::uint64_t>(row_bytes), what))
    bad_input("{}.bitmask must be U8 of shape [{}, {}]; found {} of {} bytes", what, shape.rows,
              row_bytes, mask->dtype, mask->bytes.size());
  const bool known = values->dtype == "BF16" || values->dtype == "F16" || values->dtype == "F32" ||
                     values->dtype == "I8" || values->dtype == "F8_E4M3";
  if (!known) unsupported("{}.compressed of type {} cannot be read", what, values->dtype);
  const auto width = static_cast<std::size_t>(*dtype_bits(values->dtype)) / 8;
  std::uint64_t kept = 0;
  for (std::int64_t i = 0; i < shape.rows * row_bytes; ++i)
    kept += static_cast<std::uint64_t>(std::popcount(
        bits_of(mask->bytes.data() + i / row_bytes * row_bytes, i % row_bytes, shape.cols)));
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

}  // namespace farthing::io
