#include "io/plain_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "core/text.h"
#include "formats/format.h"

namespace farthing::io {
namespace {

struct DtypeScheme {
  std::string_view dtype, scheme;
};
constexpr std::array kFloats = {DtypeScheme{"F32", "fp32"}, DtypeScheme{"F16", "fp16"},
                                DtypeScheme{"BF16", "bf16"}};
// GGUF block types: the scheme has the type's own name.
constexpr std::array<std::string_view, 12> kBlocks = {"Q4_0", "Q4_1", "Q5_0",   "Q5_1",
                                                      "Q8_0", "Q2_K", "Q3_K",   "Q4_K",
                                                      "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"};

WeightScheme scheme_of(const TensorInfo& tensor, std::string_view where) {
  for (const DtypeScheme& row : kFloats)
    if (row.dtype == tensor.dtype) return parse_scheme(row.scheme).weights;
  if (std::find(kBlocks.begin(), kBlocks.end(), tensor.dtype) != kBlocks.end()) {
    std::string name = tensor.dtype;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return parse_scheme(name).weights;
  }
  unsupported("{}: {}: weights of type {} cannot be used; known are F32, F16, BF16 and {}", where,
              printable(tensor.name), printable(tensor.dtype), fmt::join(kBlocks, ", "));
}

}  // namespace

Shape matrix_shape(const TensorInfo& tensor, int slices, std::string_view where) {
  const auto& shape = tensor.shape;
  const std::string what = fmt::format("{}: {}", where, printable(tensor.name));
  if (shape.size() == 3 && shape[0] != slices)
    bad_input("{}: must hold {} matrices, has shape [{}]", what, slices, fmt::join(shape, ", "));
  if (shape.empty() || shape.size() > 3 || (shape.size() < 3 && slices != 1))
    bad_input("{}: must be {}, has shape [{}]", what,
              slices == 1 ? "a vector or a matrix" : fmt::format("{} matrices", slices),
              fmt::join(shape, ", "));
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    bad_input("{}: is empty, its shape is [{}]", what, fmt::join(shape, ", "));
  return {shape.size() == 1 ? 1 : shape[shape.size() - 2], shape.back()};
}

Bytes slice_bytes(const TensorInfo& tensor, int slice, int slices, std::size_t alignment) {
  const std::size_t size = tensor.bytes.size() / static_cast<std::size_t>(slices);
  const ByteSpan part = tensor.bytes.subspan(size * static_cast<std::size_t>(slice), size);
  if (reinterpret_cast<std::uintptr_t>(part.data()) % alignment == 0) return Bytes::borrow(part);
  AlignedArray<std::byte> copy(part.size());
  std::memcpy(copy.data(), part.data(), part.size());
  return Bytes::own(std::move(copy));
}

QuantizedTensor plain_matrix(const TensorInfo& tensor, int slice, int slices,
                             std::string_view where) {
  const Shape shape = matrix_shape(tensor, slices, where);
  const WeightScheme scheme = scheme_of(tensor, where);
  std::vector<Bytes> parts;
  parts.push_back(slice_bytes(tensor, slice, slices, sizeof(float)));
  return borrow_tensor(shape, scheme, std::move(parts),
                       fmt::format("{}: {}", where, printable(tensor.name)));
}

}  // namespace farthing::io
