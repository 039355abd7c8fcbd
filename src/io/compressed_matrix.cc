#include "io/compressed_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "formats/format.h"
#include "io/bitmask_matrix.h"
#include "io/gptq_matrix.h"
#include "io/input_order.h"
#include "io/plain_matrix.h"
#include "io/safetensors.h"

namespace farthing::io {
namespace {

bool is_coded(const TensorInfo* weight) {
  return weight != nullptr &&
         (weight->dtype == "I8" || weight->dtype == "F8_E4M3" || weight->dtype == "U8");
}

ScaleType scale_type(const TensorInfo& scale, std::string_view what) {
  if (scale.dtype == "F16") return ScaleType::kF16;
  if (scale.dtype == "BF16") return ScaleType::kBf16;
  if (scale.dtype == "F32") return ScaleType::kF32;
  unsupported("{}: .weight_scale must be F16, BF16 or F32; found {}", what, scale.dtype);
}

// (rows, cols) as .weight_shape says, before them the number of slices when there are several.
Shape stored_shape(const TensorInfo& tensor, int slices, std::string_view what) {
  const int count = slices > 1 ? 3 : 2;
  if (tensor.dtype != "I64" || tensor.bytes.size() != static_cast<std::size_t>(count) * 8)
    bad_input("{}: .weight_shape must be {} numbers of type I64; found {} of shape [{}]", what,
              count, tensor.dtype, fmt::join(tensor.shape, ", "));
  Cursor cursor(tensor.bytes, what);
  if (slices > 1 && cursor.read<std::int64_t>("slices") != slices)
    bad_input("{}: .weight_shape must begin with the number of experts, {}", what, slices);
  const auto rows = cursor.read<std::int64_t>("rows");
  const auto cols = cursor.read<std::int64_t>("columns");
  // So large that no file holds it, so small that sizes in bits do not overflow.
  constexpr std::int64_t kLimit = std::int64_t{1} << 40;
  if (rows < 1 || cols < 1 || rows > kLimit || cols > kLimit)
    bad_input("{}: .weight_shape must be positive and below 2^40; found [{}, {}]", what, rows,
              cols);
  return {rows, cols};
}

// Shapes that differ only in dimensions of 1 hold the same numbers: (rows) and (rows, 1).
bool same_numbers(std::vector<std::int64_t> a, std::vector<std::int64_t> b) {
  std::erase(a, 1);
  std::erase(b, 1);
  return a == b;
}

Shape two_in_a_byte(const TensorInfo& packed, int slices, std::string_view where) {
  const Shape bytes = matrix_shape(packed, slices, where);
  return {bytes.rows, bytes.cols * 2};
}

// A tensor that owns what it was expanded into.
QuantizedTensor own_parts(QuantizedTensor made, AlignedArray<std::byte> bytes) {
  made.parts[0] = Bytes::own(std::move(bytes));
  return made;
}

// GGUF blocks, on the way to a GGUF file: U8 (rows, bytes of a row).
QuantizedTensor block_matrix(const TensorInfo& tensor, const WeightScheme& scheme, int slice,
                             int slices, std::string_view where) {
  constexpr std::int64_t kInputs = 256;  // whole blocks of every type
  const Shape stored = matrix_shape(tensor, slices, where);
  const auto bytes =
      static_cast<std::int64_t>(find_format(scheme).parts({1, kInputs}, scheme)[0].bytes);
  const Shape shape{stored.rows, stored.cols * kInputs / bytes};
  std::vector<Bytes> parts;
  parts.push_back(slice_bytes(tensor, slice, slices, 1));
  return borrow_tensor(shape, scheme, std::move(parts),
                       fmt::format("{}: {}", where, printable(tensor.name)));
}

// The columns group after group: the codes are the file's, in other places.
QuantizedTensor sorted(const QuantizedTensor& from, const std::vector<std::int32_t>& order,
                       std::string_view what) {
  if (from.format->grid == nullptr)
    unsupported("{}: only weights on a grid may have their groups out of order; these are {}", what,
                from.format->name);
  QuantizedTensor to = allocate_tensor(from.shape, from.scheme);
  const Grid grid = from.format->grid(from);
  const auto cols = static_cast<std::size_t>(from.shape.cols);
  const std::size_t groups = cols / static_cast<std::size_t>(grid.group_size);
  std::vector<std::uint8_t> codes(cols), moved(cols);
  std::vector<float> scales(groups), offsets(groups);
  for (std::int64_t r = 0; r < from.shape.rows; ++r) {
    from.format->read_grid(from, r, {codes, scales, offsets});
    for (std::size_t j = 0; j < cols; ++j) moved[j] = codes[static_cast<std::size_t>(order[j])];
    to.format->write_grid(to, r, {moved, scales, offsets});
  }
  return to;
}

class Joiner {
 public:
  Joiner(const Checkpoint& checkpoint, std::string_view base, std::string_view where)
      : checkpoint_(checkpoint),
        base_(base),
        what_(fmt::format("{}: {}", where, printable(base))) {}

  const TensorInfo* find(std::string_view suffix) const {
    return checkpoint_.find(base_ + std::string(suffix));
  }
  const TensorInfo& need(std::string_view suffix) const {
    const TensorInfo* tensor = find(suffix);
    if (tensor == nullptr)
      bad_input("{}: is compressed, but has no {}; is the checkpoint complete?", what_, suffix);
    return *tensor;
  }
  const std::string& what() const { return what_; }

  Bytes part(const Part& part, Shape shape, int slice, int slices) const {
    const TensorInfo& tensor = need(part.suffix);
    if (slices > 1 && part.suffix == ".weight_shape") return shape_part(shape);
    std::vector<std::int64_t> wanted = part.shape;
    if (slices > 1) wanted.insert(wanted.begin(), slices);
    if (tensor.dtype != part.dtype || !same_numbers(tensor.shape, wanted))
      bad_input("{}{} must be {} of shape [{}] by config.json; found {} of shape [{}]", what_,
                part.suffix, part.dtype, fmt::join(wanted, ", "), tensor.dtype,
                fmt::join(tensor.shape, ", "));
    return slice_bytes(tensor, slice, slices,
                       static_cast<std::size_t>(*dtype_bits(tensor.dtype)) / 8);
  }

 private:
  // What a slice's own .weight_shape would be.
  static Bytes shape_part(Shape shape) {
    AlignedArray<std::byte> bytes(16);
    std::memcpy(bytes.data(), &shape.rows, 8);
    std::memcpy(bytes.data() + 8, &shape.cols, 8);
    return Bytes::own(std::move(bytes));
  }

  const Checkpoint& checkpoint_;
  std::string base_, what_;
};

WeightScheme covering_scheme(const QuantizationConfig& config, std::string_view base,
                             std::string_view what) {
  const std::optional<LinearScheme> found = config.find(base);
  if (!found)
    bad_input("{}: is compressed in the files, but quantization_config does not cover it", what);
  return found->weights;
}

}  // namespace

std::optional<QuantizedTensor> compressed_matrix(const Checkpoint& checkpoint,
                                                 const QuantizationConfig& config,
                                                 std::string_view base, std::string_view where,
                                                 int slice, int slices) {
  if (config.method() == QuantMethod::kGptq || config.method() == QuantMethod::kAwq)
    return gptq_matrix(checkpoint, config, base, where);
  const Joiner joiner(checkpoint, base, where);
  const TensorInfo* packed = joiner.find(".weight_packed");
  const TensorInfo* plain = joiner.find(".weight");
  AlignedArray<std::byte> room;
  const std::optional<TensorInfo> expanded =
      slices > 1 ? std::nullopt : bitmask_tensor(checkpoint, base, where, room);
  if (expanded) {
    plain = &*expanded;
    if (!is_coded(plain)) return own_parts(plain_matrix(*plain, 0, 1, where), std::move(room));
  }
  const bool masked = slices == 1 && has_code_bitmask(checkpoint, base);
  const bool is_packed = packed != nullptr || masked;
  if (!is_packed && !is_coded(plain)) return std::nullopt;
  WeightScheme scheme = covering_scheme(config, base, joiner.what());
  if (!scheme.block.empty())
    return block_matrix(joiner.need(".weight"), scheme, slice, slices, where);
  const bool is_int = scheme.element == Element::kInt;
  if (!is_packed && (plain->dtype == "I8") != is_int)
    bad_input("{}: config.json says {} weights; the file has {}", joiner.what(),
              is_int ? "integer" : "float", plain->dtype);
  scheme.plain = is_int && !is_packed;
  const bool is_mxfp4 = scheme.element == Element::kE2m1;  // its scales are exponents
  if (!is_mxfp4) scheme.scale = scale_type(joiner.need(".weight_scale"), joiner.what());
  Shape shape;
  if (masked && (!is_int || !scheme.symmetric))
    bad_input("{}: is kept by a bitmap, which is for symmetric integers; config.json says {}",
              joiner.what(), scheme_name(scheme));
  if (!is_packed)
    shape = matrix_shape(*plain, slices, where);
  else if (!masked && (is_mxfp4 || scheme.element == Element::kNf4))
    shape = two_in_a_byte(*packed, slices, where);
  else
    shape = stored_shape(joiner.need(".weight_shape"), slices, joiner.what());
  if (masked) code_bitmask_tensor(checkpoint, base, shape, scheme.bits, joiner.what(), room);
  std::vector<Bytes> parts;
  try {
    for (const Part& part : find_format(scheme).parts(shape, scheme))
      if ((expanded && part.suffix == ".weight") || (masked && part.suffix == kPackedSuffix))
        parts.push_back(Bytes::own(std::move(room)));
      else
        parts.push_back(joiner.part(part, shape, slice, slices));
  } catch (const Error& error) {
    const std::string_view text = error.what();
    if (text.starts_with(joiner.what())) throw;
    throw Error(error.fault, fmt::format("{}: {}", joiner.what(), text));
  }
  QuantizedTensor made = borrow_tensor(shape, scheme, std::move(parts), joiner.what());
  if (slices > 1) return made;
  const std::int64_t group = scheme.strategy == Strategy::kGroup ? scheme.group_size : shape.cols;
  const auto order = input_order(checkpoint, base, shape.cols, group, where);
  return order.empty() ? std::move(made) : sorted(made, order, joiner.what());
}

}  // namespace farthing::io
