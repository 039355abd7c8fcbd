// compressed-tensors' pack-quantized (its version 0.20: compressors/pack_quantized):
//   .weight_packed      I32 (rows, ceil(cols * bits / 32)), codes dense across words
//   .weight_scale       (rows, groups)
//   .weight_zero_point  I32 (ceil(rows * bits / 32), groups), packed down the rows; asymmetric only
//   .weight_shape       I64 (2)
#include "formats/int_packed.h"

#include <atomic>

#include "formats/packing.h"

namespace farthing {
namespace {

std::int64_t words(std::int64_t count, int bits) { return (count * bits + 31) / 32; }

std::size_t row_bytes(const QuantizedTensor& tensor) {
  return index(4 * words(tensor.shape.cols, tensor.scheme.bits));
}

// Zero points of 32 rows share `bits` words, so threads that own neighbouring rows meet in a word.
struct PackedZero {
  std::int64_t at;  // index of the word that holds the lowest bit
  int shift;        // of that bit in the word
  int in_first;     // bits that the first word holds; the rest lie `groups` words on
};
PackedZero locate(const QuantizedTensor& tensor, std::int64_t row, std::int64_t group) {
  const int bits = tensor.scheme.bits;
  const std::int64_t groups = groups_of(tensor.scheme, tensor.shape.cols);
  const int shift = static_cast<int>(row * bits % 32);
  return {row * bits / 32 * groups + group, shift, 32 - shift < bits ? 32 - shift : bits};
}

void replace_bits(std::uint32_t& word, std::uint32_t mask, std::uint32_t value) {
  const std::atomic_ref<std::uint32_t> shared(word);
  shared.fetch_and(~mask, std::memory_order_relaxed);
  shared.fetch_or(value, std::memory_order_relaxed);
}

struct Packed {
  static constexpr std::string_view kName = "int_packed";
  static constexpr bool kFloatZero = false;

  static bool holds(const WeightScheme& scheme) {
    return scheme.element == Element::kInt && scheme.block.empty() && !scheme.plain &&
           scheme.bits >= 2 && scheme.bits <= 8 &&
           scheme.zero_point == (scheme.symmetric ? ZeroPoint::kNone : ZeroPoint::kInteger);
  }

  static std::vector<Part> parts(Shape shape, const WeightScheme& scheme) {
    std::vector<Part> parts = packed_parts(shape, scheme);
    if (scheme.symmetric) return parts;
    const std::int64_t groups = groups_of(scheme, shape.cols);
    const Part zeros =
        scheme.strategy == Strategy::kTensor
            ? Part{".weight_zero_point", "I8", {1}, 1}
            : make_part(".weight_zero_point", "I32", words(shape.rows, scheme.bits), groups, 4);
    parts.insert(parts.begin() + 2, zeros);
    return parts;
  }

  static void load_codes(const QuantizedTensor& tensor, std::int64_t row,
                         std::span<std::uint8_t> codes) {
    load_packed_codes(tensor, row, codes);
  }
  static void store_codes(QuantizedTensor& tensor, std::int64_t row,
                          std::span<const std::uint8_t> codes) {
    store_packed_codes(tensor, row, codes);
  }

  static float load_zero(const QuantizedTensor& tensor, std::int64_t row, std::int64_t group) {
    const std::byte* bytes = tensor.parts[2].view().data();
    if (tensor.scheme.strategy == Strategy::kTensor)
      return static_cast<float>(load<std::int8_t>(bytes) + grid_bias(tensor.scheme));
    const PackedZero zero = locate(tensor, row, group);
    const int bits = tensor.scheme.bits;
    std::uint32_t value = load<std::uint32_t>(bytes, zero.at) >> zero.shift;
    if (zero.in_first < bits) {
      const std::int64_t next = zero.at + groups_of(tensor.scheme, tensor.shape.cols);
      value |= load<std::uint32_t>(bytes, next) << zero.in_first;
    }
    return static_cast<float>(value & ((1u << bits) - 1));
  }

  static void store_zero(QuantizedTensor& tensor, std::int64_t row, std::int64_t group,
                         float number) {
    auto* packed = reinterpret_cast<std::uint32_t*>(tensor.parts[2].writable().data());
    const PackedZero zero = locate(tensor, row, group);
    const int bits = tensor.scheme.bits;
    const auto value = static_cast<std::uint32_t>(number);
    const std::uint32_t mask = (1u << bits) - 1;
    replace_bits(packed[zero.at], mask << zero.shift, value << zero.shift);
    if (zero.in_first < bits)
      replace_bits(packed[zero.at + groups_of(tensor.scheme, tensor.shape.cols)],
                   mask >> zero.in_first, value >> zero.in_first);
  }
};

}  // namespace

std::vector<Part> packed_parts(Shape shape, const WeightScheme& scheme) {
  check_groups(shape, scheme);
  return {make_part(".weight_packed", "I32", shape.rows, words(shape.cols, scheme.bits), 4),
          scale_part(shape, scheme),
          {".weight_shape", "I64", {2}, 16}};
}

void load_packed_codes(const QuantizedTensor& tensor, std::int64_t row,
                       std::span<std::uint8_t> codes) {
  unpack_bits(tensor.parts[0].view().data() + index(row) * row_bytes(tensor), tensor.scheme.bits,
              codes);
}

void store_packed_codes(QuantizedTensor& tensor, std::int64_t row,
                        std::span<const std::uint8_t> codes) {
  pack_bits(codes, tensor.scheme.bits,
            tensor.parts[0].writable().data() + index(row) * row_bytes(tensor));
}

Format int_packed_format() { return IntFormat<Packed>::row(); }

}  // namespace farthing
