#include "io/overlay_checkpoint.h"

#include "formats/format.h"

namespace farthing::io {

void OverlayCheckpoint::put(const std::string& base, int slice, QuantizedTensor tensor,
                            std::optional<ActivationScheme> activations) {
  replaced_.insert_or_assign({base, slice}, Replaced{std::move(tensor), activations});
}

void OverlayCheckpoint::drop(const std::string& base) {
  std::erase_if(replaced_, [&](const auto& entry) { return entry.first.first == base; });
}

const OverlayCheckpoint::Replaced* OverlayCheckpoint::replaced(std::string_view base,
                                                               int slice) const {
  const auto found = replaced_.find(std::pair(std::string(base), slice));
  return found == replaced_.end() ? nullptr : &found->second;
}

std::optional<QuantizedTensor> OverlayCheckpoint::matrix(std::string_view base, int slice,
                                                         int slices) const {
  if (const Replaced* ours = replaced(base, slice)) return borrow_tensor(ours->tensor);
  return below_.matrix(base, slice, slices);
}

std::optional<ActivationScheme> OverlayCheckpoint::activations(std::string_view base) const {
  const Replaced* ours = replaced(base, 0);
  return ours != nullptr && ours->activations ? ours->activations : below_.activations(base);
}

void OverlayCheckpoint::release(const QuantizedTensor& tensor) const {
  const auto is_part_of = [&](const Replaced& ours) {
    return !tensor.parts.empty() && !ours.tensor.parts.empty() &&
           ours.tensor.parts[0].view().data() == tensor.parts[0].view().data();
  };
  for (const auto& [place, ours] : replaced_)
    if (is_part_of(ours)) return;
  below_.release(tensor);
}

}  // namespace farthing::io
