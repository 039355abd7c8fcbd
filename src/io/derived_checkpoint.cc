#include "io/derived_checkpoint.h"

#include "core/error.h"
#include "core/text.h"
#include "io/plain_matrix.h"

namespace farthing::io {

void DerivedCheckpoint::add(TensorInfo tensor) {
  const auto [entry, is_new] = by_name_.emplace(tensor.name, tensors_.size());
  if (!is_new)
    bad_input("{}: two tensors would be called {}", printable(path(), 400), printable(tensor.name));
  tensors_.push_back(std::move(tensor));
}

void DerivedCheckpoint::take(const TensorInfo& tensor, std::string name) {
  TensorInfo taken = tensor;
  taken.name = std::move(name);
  add(std::move(taken));
}

void DerivedCheckpoint::put(TensorInfo tensor, AlignedArray<std::byte> bytes) {
  owned_.push_back(std::move(bytes));
  tensor.bytes = owned_.back().span();
  add(std::move(tensor));
}

const TensorInfo* DerivedCheckpoint::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

std::optional<QuantizedTensor> DerivedCheckpoint::matrix(std::string_view base, int slice,
                                                         int slices) const {
  const TensorInfo* tensor = find(std::string(base) + ".weight");
  if (tensor == nullptr) tensor = find(base);
  if (tensor == nullptr) return std::nullopt;
  return plain_matrix(*tensor, slice, slices, path());
}

void DerivedCheckpoint::release(const QuantizedTensor& tensor) const {
  if (tensor.parts.empty()) return;
  const std::byte* bytes = tensor.parts[0].view().data();
  for (const AlignedArray<std::byte>& ours : owned_)
    if (bytes >= ours.data() && bytes < ours.data() + ours.size()) return;
  below_.release(tensor);
}

}  // namespace farthing::io
