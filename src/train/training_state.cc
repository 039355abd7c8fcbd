#include "train/training_state.h"

#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"

namespace farthing::train {
namespace {

constexpr std::string_view kStep = "step";

}  // namespace

void save_state(const std::string& path, Optimizer& optimizer) {
  std::vector<io::TensorInfo> tensors;
  const std::int64_t step = optimizer.steps();
  tensors.push_back({std::string(kStep), "I64", {1}, std::as_bytes(std::span(&step, 1))});
  for (const Optimizer::Numbers& numbers : optimizer.state())
    tensors.push_back({numbers.name,
                       "F32",
                       {numbers.values.rows, numbers.values.cols},
                       std::as_bytes(std::span(
                           numbers.values.data,
                           static_cast<std::size_t>(numbers.values.rows * numbers.values.cols)))});
  io::write_safetensors(path, tensors);
}

void load_state(const std::string& path, Optimizer& optimizer) {
  const io::SafetensorsFile file(path);
  const auto bytes_of = [&](std::string_view name, std::size_t size) {
    for (const io::TensorInfo& tensor : file.content().tensors)
      if (tensor.name == name && tensor.bytes.size() == size) return tensor.bytes;
    bad_input("{}: is not the state of this training ({} is missing); remove it to start anew",
              printable(path, 400), printable(name));
  };
  std::int64_t step = 0;
  std::memcpy(&step, bytes_of(kStep, sizeof step).data(), sizeof step);
  for (const Optimizer::Numbers& numbers : optimizer.state()) {
    const auto size = static_cast<std::size_t>(numbers.values.rows * numbers.values.cols);
    std::memcpy(numbers.values.data, bytes_of(numbers.name, size * sizeof(float)).data(),
                size * sizeof(float));
  }
  optimizer.set_steps(step);
  optimizer.refresh();
}

}  // namespace farthing::train
