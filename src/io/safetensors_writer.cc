#include "io/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/durable_file.h"
#include "io/safetensors.h"

namespace farthing::io {
namespace {

constexpr std::size_t kDataAlignment = 64;

std::uint64_t size_of(const TensorInfo& tensor) { return tensor.bytes.size(); }
std::uint64_t size_of(const PlannedTensor& tensor) { return tensor.bytes(); }

// Any kind of tensor with a name, dtype, shape and size.
template <class Tensor>
SafetensorsLayout lay_out(std::span<const Tensor> tensors) {
  SafetensorsLayout layout;
  layout.order.resize(tensors.size());
  std::iota(layout.order.begin(), layout.order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    return std::pair(-dtype_bits(tensors[i].dtype).value_or(0), std::string_view(tensors[i].name));
  };
  std::sort(layout.order.begin(), layout.order.end(),
            [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  auto& members = static_cast<Json::object_t::Container&>(header.get_ref<Json::object_t&>());
  std::uint64_t offset = 0;
  for (const std::size_t i : layout.order) {
    const Tensor& tensor = tensors[i];
    if (!is_utf8(tensor.name))
      bad_input("{}: a name in a safetensors file must be UTF-8", printable(tensor.name));
    const std::uint64_t end = checked_add(offset, size_of(tensor), "safetensors file");
    members.emplace_back(
        tensor.name,
        Json{{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}});
    offset = end;
  }
  std::string text = header.dump();
  const std::size_t unaligned = (text.size() + 8) % kDataAlignment;
  if (unaligned != 0) text.append(kDataAlignment - unaligned, ' ');
  if (text.size() > kMaxSafetensorsHeader)
    unsupported("{} tensors do not fit one safetensors file, whose header may have {} bytes",
                tensors.size(), kMaxSafetensorsHeader);
  for (std::size_t i = 0; i < 8; ++i)
    layout.head.push_back(static_cast<char>(text.size() >> (8 * i) & 0xFF));
  layout.head += text;
  return layout;
}

}  // namespace

SafetensorsLayout safetensors_layout(std::span<const TensorInfo> tensors) {
  return lay_out(tensors);
}
SafetensorsLayout safetensors_layout(std::span<const PlannedTensor> tensors) {
  return lay_out(tensors);
}

void write_safetensors(const std::string& path, std::span<const TensorInfo> tensors) {
  const SafetensorsLayout layout = safetensors_layout(tensors);
  std::vector<ByteSpan> pieces = {std::as_bytes(std::span(layout.head))};
  for (const std::size_t i : layout.order) pieces.push_back(tensors[i].bytes);
  write_durably(path, pieces);
}

std::vector<TensorInfo> tensors_of(std::string_view base, const QuantizedTensor& matrix) {
  std::vector<TensorInfo> tensors;
  const std::vector<Part> parts = matrix.format->parts(matrix.shape, matrix.scheme);
  for (std::size_t i = 0; i < parts.size(); ++i)
    tensors.push_back({.name = std::string(base) + std::string(parts[i].suffix),
                       .dtype = std::string(parts[i].dtype),
                       .shape = parts[i].shape,
                       .bytes = matrix.parts[i].view()});
  return tensors;
}

}  // namespace farthing::io
