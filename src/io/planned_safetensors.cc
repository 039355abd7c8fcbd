#include "io/planned_safetensors.h"

#include "core/error.h"
#include "core/text.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"

namespace farthing::io {

std::uint64_t PlannedTensor::bytes() const {
  const auto bits = dtype_bits(dtype);
  if (!bits || *bits % 8 != 0)
    bad_input("{}: has the unknown dtype {}", printable(name), printable(dtype));
  std::uint64_t bytes = static_cast<std::uint64_t>(*bits / 8);
  for (const std::int64_t size : shape)
    bytes = checked_multiply(bytes, static_cast<std::uint64_t>(size), name);
  return bytes;
}

PlannedSafetensors::Layout PlannedSafetensors::lay_out(const std::vector<PlannedTensor>& tensors) {
  SafetensorsLayout layout = safetensors_layout(tensors);
  Layout planned;
  planned.offsets.resize(tensors.size());
  planned.end = layout.head.size();
  for (const std::size_t i : layout.order) {
    planned.offsets[i] = planned.end;
    planned.end += tensors[i].bytes();
  }
  planned.head = std::move(layout.head);
  return planned;
}

PlannedSafetensors::PlannedSafetensors(std::string path, std::vector<PlannedTensor> tensors)
    : PlannedSafetensors(std::move(path), tensors, lay_out(tensors)) {}

PlannedSafetensors::PlannedSafetensors(std::string path, std::vector<PlannedTensor> tensors,
                                       Layout layout)
    : tensors_(std::move(tensors)),
      offsets_(std::move(layout.offsets)),
      file_(std::move(path), layout.end) {
  file_.write(0, std::as_bytes(std::span(layout.head)));
}

void PlannedSafetensors::write(std::size_t tensor, std::uint64_t offset, ByteSpan bytes) {
  const std::uint64_t size = tensors_[tensor].bytes();
  if (offset > size || bytes.size() > size - offset)
    throw Error(Fault::kInternal, fmt::format("{}: writing past its end", tensors_[tensor].name));
  file_.write(offsets_[tensor] + offset, bytes);
}

}  // namespace farthing::io
