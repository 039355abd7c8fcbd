// A checkpoint made of another one: some of its tensors under other names, some new ones, another
// configuration. What is taken over is borrowed; what is new is held in memory in its own type.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/memory.h"
#include "io/checkpoint.h"

namespace farthing::io {

class DerivedCheckpoint final : public Checkpoint {
 public:
  // `below` holds plain floats and must outlive this one.
  DerivedCheckpoint(const Checkpoint& below, Json config)
      : below_(below), config_(std::move(config)) {}

  // Error: bad input, for a name that is there already.
  void take(const TensorInfo& tensor, std::string name);
  void put(TensorInfo tensor, AlignedArray<std::byte> bytes);

  std::string path() const override { return below_.path(); }
  bool is_gguf() const override { return false; }
  const Json& config() const override { return config_; }
  std::optional<std::string> text_file(std::string_view name) const override {
    return below_.text_file(name);
  }
  const Json* metadata() const override { return nullptr; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const TensorInfo* find(std::string_view name) const override;
  std::optional<QuantizedTensor> matrix(std::string_view base, int slice,
                                        int slices) const override;
  std::optional<ActivationScheme> activations(std::string_view) const override {
    return std::nullopt;
  }
  void release(const QuantizedTensor& tensor) const override;

 private:
  void add(TensorInfo tensor);

  const Checkpoint& below_;
  Json config_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::vector<AlignedArray<std::byte>> owned_;
};

}  // namespace farthing::io
