#include "kernels/activations.h"

#include <bit>

#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

void fill_floats(Runtime& runtime, MatrixView<const float> x, Activations::Prepared& prepared) {
  const std::int64_t width = panel_width(x.rows, prepared.layout.width);
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

void fill_pairs(Runtime& runtime, MatrixView<const float> x, Activations::Prepared& prepared) {
  const std::int64_t width = panel_width(x.rows, prepared.layout.width);
  const std::int64_t pairs = (x.cols + 1) / 2;
  prepared.floats.reserve_scratch(
      static_cast<std::size_t>((x.rows + InputLayout::kSpareTokens) * pairs));
  const auto pair = [](const float* in, bool whole) {
    const std::uint32_t low = to_bf16(in[0]).bits, high = whole ? to_bf16(in[1]).bits : 0;
    return std::bit_cast<float>(high << 16 | low);
  };
  runtime.parallel((x.rows + width - 1) / width, 1, [&](std::int64_t panel, std::int64_t end) {
    for (; panel < end; ++panel) {
      const std::int64_t first = panel * width;
      const std::int64_t tokens = std::min(width, x.rows - first);
      float* out = prepared.floats.data() + first * pairs;
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t k = 0; k < pairs; ++k)
          out[k * tokens + t] = pair(x.row_data(first + t) + 2 * k, 2 * k + 1 < x.cols);
    }
  });
}

void fill_codes(Runtime& runtime, MatrixView<const float> x, Activations::Prepared& prepared) {
  const InputLayout& layout = prepared.layout;
  const std::int64_t width = panel_width(x.rows, layout.width), units = layout.units;
  const std::int64_t dwords =
      units * layout.unit_padded / 4 * (layout.form == InputForm::kBytes ? 1 : 2);
  prepared.codes.reserve_scratch(
      static_cast<std::size_t>((x.rows + InputLayout::kSpareTokens) * dwords));
  prepared.scales.reserve_scratch(static_cast<std::size_t>(x.rows * units));
  prepared.folds.reserve_scratch(static_cast<std::size_t>(x.rows * units));
  prepared.sums.reserve_scratch(static_cast<std::size_t>(x.rows * units));
  runtime.parallel((x.rows + width - 1) / width, 1, [&](std::int64_t panel, std::int64_t end) {
    for (; panel < end; ++panel) {
      const std::int64_t first = panel * width;
      layout.quantize({.x = x.row_data(first),
                       .x_stride = x.stride,
                       .in = x.cols,
                       .tokens = static_cast<int>(std::min(width, x.rows - first)),
                       .bits = layout.bits,
                       .scale_inputs = layout.scale_inputs,
                       .fixed_scale = layout.fixed_scale,
                       .units = units,
                       .unit_inputs = layout.unit_inputs,
                       .unit_padded = layout.unit_padded,
                       .codes = prepared.codes.data() + first * dwords,
                       .scales = prepared.scales.data() + first * units,
                       .bias = layout.bias,
                       .folds = prepared.folds.data() + first * units,
                       .sums = prepared.sums.data() + first * units});
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
  if (found->valid) return *found;
  if (layout.form == InputForm::kFloats)
    fill_floats(runtime, x_, *found);
  else if (layout.form == InputForm::kPairs)
    fill_pairs(runtime, x_, *found);
  else
    fill_codes(runtime, x_, *found);
  found->valid = true;
  return *found;
}

}  // namespace farthing::kernels
