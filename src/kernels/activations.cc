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

// Numbers of 32 bits that hold the codes of a token.
std::int64_t code_dwords(const InputLayout& layout) {
  return layout.units * layout.unit_padded / 4 * (layout.form == InputForm::kBytes ? 1 : 2);
}

// Into how many parts a panel is worth cutting, at the boundaries of scales.
std::int64_t part_count(Runtime& runtime, MatrixView<const float> x, const InputLayout& layout) {
  constexpr std::int64_t kWorthwhile = 4096;  // numbers of a part
  const std::int64_t scales = (x.cols + layout.scale_inputs - 1) / layout.scale_inputs;
  const std::int64_t most = std::min<std::int64_t>(scales, runtime.pool.size());
  return std::min(most, std::max<std::int64_t>(1, x.rows * x.cols / kWorthwhile));
}

void fill_codes(Runtime& runtime, MatrixView<const float> x, Activations::Prepared& prepared) {
  const InputLayout& layout = prepared.layout;
  const std::int64_t width = panel_width(x.rows, layout.width), units = layout.units;
  const std::int64_t dwords = code_dwords(layout);
  prepared.codes.reserve_scratch(
      static_cast<std::size_t>((x.rows + InputLayout::kSpareTokens) * dwords));
  prepared.scales.reserve_scratch(static_cast<std::size_t>(x.rows * units));
  prepared.folds.reserve_scratch(static_cast<std::size_t>(x.rows * units));
  prepared.sums.reserve_scratch(static_cast<std::size_t>(x.rows * units));
  const std::int64_t panels = (x.rows + width - 1) / width;
  const std::int64_t parts = panels < runtime.pool.size() ? part_count(runtime, x, layout) : 1;
  const std::int64_t step = layout.scale_inputs / layout.unit_inputs;  // units that share a scale
  const auto first_unit = [&](std::int64_t part) {
    return part == parts ? units : units * part / parts / step * step;
  };
  runtime.parallel(panels * parts, 1, [&](std::int64_t at, std::int64_t end) {
    for (; at < end; ++at) {
      const std::int64_t first = at / parts * width, tokens = std::min(width, x.rows - first);
      const std::int64_t unit = first_unit(at % parts), input = unit * layout.unit_inputs;
      const std::int64_t place = first * units + unit * tokens;
      layout.quantize({.x = x.row_data(first) + input,
                       .x_stride = x.stride,
                       .in = x.cols - input,
                       .tokens = static_cast<int>(tokens),
                       .bits = layout.bits,
                       .scale_inputs = layout.scale_inputs,
                       .fixed_scale = layout.fixed_scale,
                       .units = first_unit(at % parts + 1) - unit,
                       .unit_inputs = layout.unit_inputs,
                       .unit_padded = layout.unit_padded,
                       .codes = prepared.codes.data() + dwords / units * place,
                       .scales = prepared.scales.data() + place,
                       .bias = layout.bias,
                       .folds = prepared.folds.data() + place,
                       .sums = prepared.sums.data() + place});
    }
  });
}

// Panels out of rows that lie one after another, `length` numbers each.
template <class T>
void gather_panels(Runtime& runtime, const AlignedArray<T>& from, std::int64_t length,
                   std::span<const std::int64_t> rows, std::int64_t width, AlignedArray<T>& to) {
  const std::int64_t count = std::ssize(rows);
  to.reserve_scratch(static_cast<std::size_t>((count + InputLayout::kSpareTokens) * length));
  runtime.parallel((count + width - 1) / width, 1, [&](std::int64_t panel, std::int64_t end) {
    for (; panel < end; ++panel) {
      const auto tokens =
          rows.subspan(static_cast<std::size_t>(panel * width))
              .first(static_cast<std::size_t>(std::min(width, count - panel * width)));
      T* out = to.data() + panel * width * length;
      for (std::int64_t i = 0; i < length; ++i)
        for (const std::int64_t row : tokens) *out++ = from.data()[row * length + i];
    }
  });
}

void gather_codes(Runtime& runtime, const Activations::Prepared& whole,
                  std::span<const std::int64_t> rows, Activations::Prepared& prepared) {
  const InputLayout& layout = prepared.layout;
  const std::int64_t width = panel_width(std::ssize(rows), layout.width);
  gather_panels(runtime, whole.codes, code_dwords(layout), rows, width, prepared.codes);
  gather_panels(runtime, whole.scales, layout.units, rows, width, prepared.scales);
  gather_panels(runtime, whole.folds, layout.units, rows, width, prepared.folds);
  gather_panels(runtime, whole.sums, layout.units, rows, width, prepared.sums);
}

}  // namespace

Activations::Activations() = default;
Activations::~Activations() = default;

void Activations::assign(MatrixView<const float> x) {
  shape_ = {x.rows, x.cols};
  x_ = x;
  whole_ = nullptr;
  for (auto& prepared : prepared_) prepared->valid = false;
}

void Activations::assign_rows(Activations& whole, std::span<const std::int64_t> rows) {
  assign({});
  shape_ = {std::ssize(rows), whole.shape_.cols};
  whole_ = &whole;
  rows_ = rows;
}

MatrixView<const float> Activations::floats(Runtime& runtime) {
  if (whole_ == nullptr || x_.rows == shape_.rows) return x_;
  const MatrixView<const float> from = whole_->floats(runtime);
  const MatrixView<float> to = gathered_.resize(shape_.rows, shape_.cols);
  runtime.parallel(to.rows, 8, [&](std::int64_t row, std::int64_t end) {
    for (; row < end; ++row)
      std::ranges::copy(from.row(rows_[static_cast<std::size_t>(row)]), to.row_data(row));
  });
  return x_ = to;
}

// What was prepared for earlier inputs makes room, or layouts that differ from layer to layer, as
// those of fixed scales do, would pile up.
Activations::Prepared& Activations::find(const InputLayout& layout) {
  Prepared* room = nullptr;
  for (auto& prepared : prepared_) {
    if (prepared->layout == layout) return *prepared;
    if (!prepared->valid) room = prepared.get();
  }
  if (room == nullptr) room = prepared_.emplace_back(std::make_unique<Prepared>()).get();
  room->layout = layout;
  return *room;
}

const Activations::Prepared& Activations::prepare(Runtime& runtime, const InputLayout& layout) {
  const bool codes = layout.quantize != nullptr;
  if (codes && whole_ != nullptr && shape_.rows == 1 && whole_->shape_.rows == 1)
    return whole_->prepare(runtime, layout);
  Prepared& found = find(layout);
  if (found.valid) return found;
  if (codes && whole_ != nullptr) {
    InputLayout by_row = layout;
    by_row.width = 1;
    gather_codes(runtime, whole_->prepare(runtime, by_row), rows_, found);
  } else if (codes) {
    fill_codes(runtime, x_, found);
  } else if (layout.form == InputForm::kPairs) {
    fill_pairs(runtime, floats(runtime), found);
  } else {
    fill_floats(runtime, floats(runtime), found);
  }
  found.valid = true;
  return found;
}

}  // namespace farthing::kernels
