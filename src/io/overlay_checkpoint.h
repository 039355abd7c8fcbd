// A checkpoint with some of its matrices and vectors replaced in memory: what a model sees while
// its blocks are being compressed.
#pragma once

#include <map>
#include <string>

#include "io/checkpoint.h"

namespace farthing::io {

class OverlayCheckpoint final : public Checkpoint {
 public:
  explicit OverlayCheckpoint(const Checkpoint& below) : below_(below) {}

  // Puts a tensor in the place of the one called `base` (a matrix without ".weight", a norm without
  // it, a bias with ".bias"), or of one slice of it. A float matrix lies as the files have it.
  // activations: of the linear that it is; nullopt: as below.
  void put(const std::string& base, int slice, QuantizedTensor tensor,
           std::optional<ActivationScheme> activations = std::nullopt);
  // A tensor is as below again, all its slices.
  void drop(const std::string& base);
  // Everything is as below again.
  void clear() { replaced_.clear(); }

  std::string path() const override { return below_.path(); }
  bool is_gguf() const override { return below_.is_gguf(); }
  const Json& config() const override { return below_.config(); }
  std::optional<std::string> text_file(std::string_view name) const override {
    return below_.text_file(name);
  }
  const Json* metadata() const override { return below_.metadata(); }
  std::span<const TensorInfo> tensors() const override { return below_.tensors(); }
  const TensorInfo* find(std::string_view name) const override { return below_.find(name); }
  std::optional<QuantizedTensor> matrix(std::string_view base, int slice,
                                        int slices) const override;
  std::optional<ActivationScheme> activations(std::string_view base) const override;
  void release(const QuantizedTensor& tensor) const override;

 private:
  struct Replaced {
    QuantizedTensor tensor;
    std::optional<ActivationScheme> activations;
  };
  const Replaced* replaced(std::string_view base, int slice) const;

  const Checkpoint& below_;
  std::map<std::pair<std::string, int>, Replaced, std::less<>> replaced_;
};

}  // namespace farthing::io
