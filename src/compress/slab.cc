#include "compress/slab.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::compress {
namespace {

constexpr std::int64_t kGrain = 8;  // rows that a thread takes at a time

// Offset of row `row` in a part: what the rows before it take. Exact at multiples of 32 rows.
std::vector<Part> parts_before(const QuantizedTensor& made, std::int64_t row) {
  return made.format->parts({row, made.shape.cols}, made.scheme);
}

}  // namespace

std::int64_t slab_rows(Shape shape, std::uint64_t slab_bytes) {
  const auto row_bytes = static_cast<std::uint64_t>(shape.cols) * sizeof(float);
  const auto fit = static_cast<std::int64_t>(slab_bytes / std::max<std::uint64_t>(row_bytes, 1));
  return std::min(shape.rows, std::max<std::int64_t>(fit / 32 * 32, 32));
}

std::uint64_t slab_need(const PlannedUnit& unit, std::uint64_t slab_bytes, int threads) {
  const Shape shape = unit.written_shape();
  const auto floats =
      static_cast<std::uint64_t>(slab_rows(shape, slab_bytes) * shape.cols) * sizeof(float);
  const auto scratch = static_cast<std::uint64_t>(threads * kGrain * shape.cols) * sizeof(float);
  const auto part_of = [&](double bits) {
    return static_cast<std::uint64_t>(bits / 32 * static_cast<double>(floats));
  };
  // The stored numbers that are read, and the codes; a matrix that has to be turned is copied
  // whole.
  const auto turned = unit.turned ? static_cast<std::uint64_t>(unit.shape.size()) * 4 : 0;
  return floats + part_of(unit.source.bits) + part_of(bits_per_weight(unit.scheme, shape.cols)) +
         2 * scratch + turned;
}

QuantizedTensor SlabWriter::load(const PlannedUnit& unit, int slice) const {
  if (unit.turned && !unit.is_compressed())
    return map_.checkpoint().matrix(unit.base, slice, unit.slices).value();
  model::TensorUnit source = unit.unit;
  source.slice = slice;
  return map_.load(source);
}

UnitResult SlabWriter::write(const PlannedUnit& unit, const Rounder& rounder, std::size_t first,
                             FunctionRef<void(std::int64_t)> worked) {
  UnitResult result{.base = unit.base};
  for (int slice = 0; slice < unit.slices; ++slice)
    write_slice({unit, first, slice}, rounder, result, worked);
  return result;
}

void SlabWriter::write_made(const PlannedUnit& unit, std::span<const QuantizedTensor> slices,
                            std::size_t first) {
  for (int slice = 0; slice < unit.slices; ++slice)
    write_parts({unit, first, slice}, slices[static_cast<std::size_t>(slice)], 0);
}

void SlabWriter::write_slice(const Place& place, const Rounder& rounder, UnitResult& result,
                             FunctionRef<void(std::int64_t)> worked) {
  const QuantizedTensor source = load(place.unit, place.slice);
  const Shape shape = source.shape;
  const std::int64_t step = slab_rows(shape, slab_bytes_);
  for (std::int64_t first = 0; first < shape.rows; first += step) {
    const std::int64_t count = std::min(step, shape.rows - first);
    const MatrixView<float> rows = floats_.resize(count, shape.cols);
    read_rows(runtime_, {map_.checkpoint().path(), place.unit, place.slice}, source, first, rows);
    if (place.unit.unit.layer < 0)
      for (const auto& change : steps_) change->transform_rows(place.unit, rows);
    QuantizedTensor made = allocate_tensor({count, shape.cols}, place.unit.scheme);
    try {
      runtime_.parallel(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
        rounder.round(first + begin, rows.rows_from(begin, end - begin), made, begin);
      });
    } catch (const Error& error) {
      throw Error(error.fault,
                  fmt::format("{}: {}{}", place.unit.base, error.what(),
                              first > 0 ? fmt::format(" (rows counted from {})", first) : ""));
    }
    add_rounding_error(runtime_, made, rows, result);
    write_parts(place, made, first);
    map_.checkpoint().release(source);  // pages that are not read yet come again
    worked(count * shape.cols);
  }
}

void read_rows(Runtime& runtime, const MatrixName& name, const QuantizedTensor& source,
               std::int64_t first, MatrixView<float> rows) {
  runtime.parallel(rows.rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    source.format->dequantize(source, first + begin, rows.rows_from(begin, end - begin));
    for (std::int64_t r = begin; r < end; ++r) {
      const auto row = rows.row(r);
      const auto bad =
          std::find_if(row.begin(), row.end(), [](float w) { return !std::isfinite(w); });
      if (bad != row.end())
        bad_input(
            "{}: {}{} has the weight {} in row {}, column {}; weights must be numbers: the file is "
            "damaged, or the training that made it went wrong",
            printable(name.path, 400), printable(name.unit.base),
            name.unit.slices > 1 ? fmt::format(" (expert {})", name.slice) : "", *bad, first + r,
            bad - row.begin());
    }
  });
}

// Summed row by row, then in the order of the rows: no thread count shows.
void add_rounding_error(Runtime& runtime, const QuantizedTensor& made, MatrixView<const float> rows,
                        UnitResult& result) {
  std::vector<std::array<double, 3>> sums(static_cast<std::size_t>(rows.rows));
  runtime.parallel(rows.rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    Matrix<float> back(end - begin, rows.cols);
    made.format->dequantize(made, begin, back.view());
    for (std::int64_t r = begin; r < end; ++r) {
      const float* was = rows.row_data(r);
      const float* is = back.view().row_data(r - begin);
      std::array<double, 3> sum{};
      for (std::int64_t j = 0; j < rows.cols; ++j) {
        const double w = was[j], wrong = w - static_cast<double>(is[j]);
        sum[0] += wrong * wrong;
        sum[1] += w * w;
        sum[2] += is[j] == 0 ? 1 : 0;
      }
      sums[static_cast<std::size_t>(r)] = sum;
    }
  });
  for (const auto& [error, magnitude, zeros] : sums) {
    result.error += error;
    result.magnitude += magnitude;
    result.zeros += zeros;
  }
}

void SlabWriter::write_parts(const Place& place, const QuantizedTensor& made,
                             std::int64_t first_row) {
  const Shape shape = place.unit.written_shape();
  const auto before = parts_before(made, first_row);
  const auto whole = made.format->parts(shape, made.scheme);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const std::size_t tensor = place.first + i;
    if (whole[i].suffix == ".weight_shape") {
      std::vector<std::int64_t> sizes = {shape.rows, shape.cols};
      if (place.unit.slices > 1) sizes.insert(sizes.begin(), place.unit.slices);
      if (first_row == 0 && place.slice == 0)
        file_.write(tensor, 0, std::as_bytes(std::span(sizes)));
      continue;
    }
    const std::uint64_t slice = static_cast<std::uint64_t>(place.slice) * whole[i].bytes;
    file_.write(tensor, slice + (first_row == 0 ? 0 : before[i].bytes), made.parts[i].view());
  }
}

}  // namespace farthing::compress
