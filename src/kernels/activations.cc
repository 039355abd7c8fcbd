#include "kernels/activations.h"

#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

void fill_panels(Runtime& runtime, MatrixView<const float> x, Activations::Prepared& prepared) {
  const std::int64_t width = prepared.layout.width;
  const bool round = prepared.layout.round_to_bf16;
  prepared.floats.reserve_scratch(static_cast<std::size_t>(x.rows * x.cols));
  runtime.parallel((x.rows + width - 1) / width, 1, [&](std::int64_t panel, std::int64_t end) {
    for (; panel < end; ++panel) {
      const std::int64_t first = panel * width;
      const std::int64_t tokens = std::min(width, x.rows - first);
      float* out = prepared.floats.data() + first * x.cols;
      for (std::int64_t t = 0; t < tokens; ++t) {
        const float* in = x.row_data(first + t);
        for (std::int64_t k = 0; k < x.cols; ++k)
          out[k * tokens + t] = round ? to_float(to_bf16(in[k])) : in[k];
      }
    }
  });
}

}  // namespace

Activations::Activations() = default;
Activations::~Activations() = default;

void Activations::assign(MatrixView<const float> x) {
  x_ = x;
  for (auto& prepared : prepared_) prepared->valid = false;
}

const Activations::Prepared& Activations::prepare(Runtime& runtime, const InputLayout& layout) {
  Prepared* found = nullptr;
  for (auto& prepared : prepared_)
    if (prepared->layout == layout) found = prepared.get();
  if (found == nullptr) {
    prepared_.push_back(std::make_unique<Prepared>());
    found = prepared_.back().get();
    found->layout = layout;
  }
  if (!found->valid) fill_panels(runtime, x_, *found);
  found->valid = true;
  return *found;
}

}  // namespace farthing::kernels
