// A safetensors file whose matrices are kept by bitmaps, compressed-tensors' and Farthing's own.
// Layer: io
#include "fuzz/fuzz.h"
#include "io/bitmask_matrix.h"
#include "io/safetensors.h"

namespace farthing {
namespace {

class Parsed final : public io::Checkpoint {
 public:
  explicit Parsed(io::Safetensors content) : content_(std::move(content)) {}
  std::string path() const override { return "fuzz"; }
  bool is_gguf() const override { return false; }
  const Json& config() const override { return config_; }
  std::optional<std::string> text_file(std::string_view) const override { return std::nullopt; }
  const Json* metadata() const override { return nullptr; }
  std::span<const io::TensorInfo> tensors() const override { return content_.tensors; }
  const io::TensorInfo* find(std::string_view name) const override {
    for (const io::TensorInfo& tensor : content_.tensors)
      if (tensor.name == name) return &tensor;
    return nullptr;
  }
  std::optional<QuantizedTensor> matrix(std::string_view, int, int) const override {
    return std::nullopt;
  }
  std::optional<ActivationScheme> activations(std::string_view) const override {
    return std::nullopt;
  }
  void release(const QuantizedTensor&) const override {}

 private:
  io::Safetensors content_;
  Json config_;
};

// Every base that a name may belong to, read both ways.
void read(const io::Checkpoint& checkpoint, const io::TensorInfo& tensor) {
  const std::string base = tensor.name.substr(0, tensor.name.find('.'));
  AlignedArray<std::byte> room;
  fuzz::expect_result_or_complaint(
      [&] { static_cast<void>(io::bitmask_tensor(checkpoint, base, "fuzz", room)); });
  fuzz::expect_result_or_complaint(
      [&] { static_cast<void>(io::stored_bitmask(checkpoint, base)); });
  if (!io::has_code_bitmask(checkpoint, base) || tensor.shape.size() != 2) return;
  for (const int bits : {2, 3, 4, 8})
    fuzz::expect_result_or_complaint([&] {
      const Shape shape{tensor.shape[0], 8 * tensor.shape[1] - bits};
      if (shape.rows < 1 || shape.cols < 1 || shape.rows > 4096 || shape.cols > 4096) return;
      static_cast<void>(io::code_bitmask_tensor(checkpoint, base, shape, bits, "fuzz", room));
    });
}

}  // namespace
}  // namespace farthing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const Parsed checkpoint(io::parse_safetensors(fuzz::bytes_of(data, size), "fuzz.safetensors"));
    for (const io::TensorInfo& tensor : checkpoint.tensors()) read(checkpoint, tensor);
  });
  return 0;
}
