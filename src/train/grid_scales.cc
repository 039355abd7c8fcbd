#include "train/grid_scales.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/runtime.h"
#include "core/text.h"
#include "formats/format.h"
#include "formats/rounding.h"

namespace farthing::train {
namespace {

constexpr std::int64_t kGrain = 8;  // rows that a thread takes

void clear(MatrixView<float> m) { std::fill_n(m.data, m.rows * m.cols, 0.0f); }

bool has_scales(const QuantizedTensor& tensor) {
  const Format& format = *tensor.format;
  return tensor.scheme.element == Element::kInt && tensor.scheme.block.empty() &&
         tensor.scheme.zero_point != ZeroPoint::kFloat &&
         tensor.scheme.strategy != Strategy::kTensor && format.write_grid != nullptr;
}

std::int64_t stored_row(const Parameter& matrix, std::int64_t row) {
  return matrix.order.empty() ? row : matrix.order[static_cast<std::size_t>(row)];
}

// One row's codes with their scales and offsets.
struct Row {
  explicit Row(const QuantizedTensor& tensor, std::int64_t group)
      : codes(static_cast<std::size_t>(tensor.shape.cols)),
        scales(static_cast<std::size_t>(tensor.shape.cols / group)),
        offsets(scales.size()) {}
  void read(const QuantizedTensor& tensor, std::int64_t row) {
    tensor.format->read_grid(tensor, row, {.codes = codes, .scales = scales, .offsets = offsets});
  }
  std::vector<std::uint8_t> codes;
  std::vector<float> scales, offsets;
};

}  // namespace

GridScales::GridScales(const model::TensorMap& map, ParameterSet& set) {
  for (const model::TensorUnit& unit : map.linears()) {
    Parameter* matrix = set.find_matrix(unit.base);
    QuantizedTensor stored = map.load(unit);
    if (matrix == nullptr || !has_scales(stored)) continue;
    if (!map.input_order_of(unit, stored).empty())
      unsupported(
          "{}: {} groups its inputs by their weight; --train scales knows plain groups only",
          printable(map.checkpoint().path(), 400), printable(unit.base));
    auto grid = std::make_unique<Grid>();
    grid->matrix = matrix;
    grid->base = unit.base;
    grid->group = stored.format->grid(stored).group_size;
    const Shape shape = stored.shape;
    const auto units = grid->units.resize(shape.rows, shape.cols);
    grid->scales.name = unit.base + ":scales";
    grid->scales.layer = unit.layer;
    const auto scales = grid->scales.value.resize(shape.rows, shape.cols / grid->group);
    clear(grid->scales.gradient.resize(scales.rows, scales.cols));
    Row row(stored, grid->group);
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      row.read(stored, stored_row(*matrix, r));
      std::ranges::copy(row.scales, scales.row_data(r));
      for (std::int64_t j = 0; j < shape.cols; ++j) {
        const float scale = scales.row_data(r)[j / grid->group];
        const float weight = matrix->value.view().row_data(r)[j];
        units.row_data(r)[j] = scale == 0 ? 0 : std::nearbyintf(weight / scale);
      }
    }
    grid->stored = std::move(stored);
    all_.push_back(std::move(grid));
  }
  if (all_.empty())
    bad_input("{}: has no matrix on an integer grid, so --train scales has nothing to train",
              printable(map.checkpoint().path(), 400));
}

std::vector<Parameter*> GridScales::parameters() const {
  std::vector<Parameter*> parameters;
  for (const auto& grid : all_) parameters.push_back(&grid->scales);
  return parameters;
}

void GridScales::clear_gradients(Runtime&) {
  for (const auto& grid : all_) clear(grid->scales.gradient.view());
}

void GridScales::take_gradients(Runtime& runtime) {
  for (const auto& grid : all_) {
    const auto to = grid->scales.gradient.view();
    runtime.parallel(to.rows, kGrain, [&](std::int64_t r, std::int64_t end) {
      for (; r < end; ++r) {
        const float* d = grid->matrix->gradient.view().row_data(r);
        const float* unit = grid->units.view().row_data(r);
        for (std::int64_t g = 0; g < to.cols; ++g) {
          double sum = 0;
          for (std::int64_t j = g * grid->group; j < (g + 1) * grid->group; ++j)
            sum += static_cast<double>(d[j]) * static_cast<double>(unit[j]);
          to.row_data(r)[g] = static_cast<float>(sum);
        }
      }
    });
  }
}

void GridScales::apply(Runtime& runtime) {
  for (const auto& grid : all_) {
    const auto w = grid->matrix->value.view();
    runtime.parallel(w.rows, kGrain, [&](std::int64_t r, std::int64_t end) {
      for (; r < end; ++r)
        for (std::int64_t j = 0; j < w.cols; ++j)
          w.row_data(r)[j] = grid->scales.value.view().row_data(r)[j / grid->group] *
                             grid->units.view().row_data(r)[j];
    });
  }
}

std::vector<GridScales::Rounded> GridScales::rounded() const {
  std::vector<Rounded> all;
  for (const auto& grid : all_) {
    const QuantizedTensor& from = grid->stored;
    QuantizedTensor made = allocate_tensor(from.shape, from.scheme);
    Row row(from, grid->group);
    for (std::int64_t r = 0; r < from.shape.rows; ++r) {
      const std::int64_t at = stored_row(*grid->matrix, r);
      row.read(from, at);
      for (std::size_t g = 0; g < row.scales.size(); ++g) {
        const float old = row.scales[g];
        const float moved = round_scale(
            grid->scales.value.view().row_data(r)[static_cast<std::int64_t>(g)], from.scheme.scale);
        if (old == 0 || !std::isfinite(moved)) continue;
        row.offsets[g] *= moved / old;  // the zero point stays where it is
        row.scales[g] = moved;
      }
      made.format->write_grid(made, at,
                              {.codes = row.codes, .scales = row.scales, .offsets = row.offsets});
    }
    all.push_back({grid->base, std::move(made)});
  }
  return all;
}

}  // namespace farthing::train
