#include "convert/gguf_weights.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "formats/regrid.h"

namespace farthing::convert {
namespace {

constexpr std::int64_t kGrain = 8;             // rows that a thread takes at a time
constexpr std::int64_t kSlabBytes = 16 << 20;  // of a slab as floats

void copy_row(const QuantizedTensor& from, std::int64_t row, QuantizedTensor& to,
              std::int64_t to_row) {
  const std::size_t bytes = to.parts[0].size() / static_cast<std::size_t>(to.shape.rows);
  std::memcpy(to.parts[0].writable().data() + static_cast<std::size_t>(to_row) * bytes,
              from.parts[0].view().data() + static_cast<std::size_t>(row) * bytes, bytes);
}

}  // namespace

WeightWriter::WeightWriter(Runtime& runtime, const model::TensorMap& map,
                           const std::vector<GgufItem>& items,
                           const std::vector<GgufTarget>& targets, const ConvertOptions& options)
    : runtime_(runtime), map_(map), items_(items), targets_(targets), options_(options) {
  if (!options.importance.empty())
    importance_ = std::make_unique<io::ImportanceMatrix>(options.importance);
}

std::vector<TensorReport> WeightWriter::write(io::PlannedGguf& file, Progress& progress) {
  std::vector<TensorReport> reports;
  std::int64_t done = 0, total = 0;
  for (const GgufItem& item : items_) total += std::ssize(item.slices);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const GgufItem& item = items_[i];
    if (!item.is_matrix()) {
      file.write(i, 0, std::as_bytes(std::span(item.numbers)));
      continue;
    }
    sums_ = {};
    for (std::size_t slice = 0; slice < item.slices.size(); ++slice) {
      write_slice(file, i, slice);
      progress.update("matrices", ++done, total);
      if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    }
    reports.push_back({.base = item.slices.front().unit.base,
                       .name = item.name,
                       .from = targets_[i].from,
                       .to = scheme_name(targets_[i].scheme),
                       .exact = sums_.unequal == 0,
                       .error = sums_.magnitude > 0 ? sums_.error / sums_.magnitude : 0});
  }
  return reports;
}

void WeightWriter::add_notes(std::vector<std::string>& notes) const {
  if (without_importance_.empty()) return;
  const std::size_t more = without_importance_.size() - 1;
  notes.push_back(fmt::format("{}: has nothing for {}{}, where each input counts alike",
                              printable(options_.importance, 400), without_importance_.front(),
                              more > 0 ? fmt::format(" and {} more", more) : ""));
}

std::vector<float> WeightWriter::importance_of(std::size_t number, std::size_t slice) {
  const GgufItem& item = items_[number];
  if (!importance_ || targets_[number].move != Move::kRound) return {};
  std::vector<float> importance = importance_->find(
      item.name, static_cast<int>(slice), static_cast<int>(item.slices.size()), item.shape.cols);
  if (importance.empty()) without_importance_.push_back(item.name);
  return importance;
}

void WeightWriter::write_slice(io::PlannedGguf& file, std::size_t number, std::size_t slice) {
  const GgufItem& item = items_[number];
  const QuantizedTensor source = map_.load(item.slices[slice].unit);
  const std::vector<float> importance = importance_of(number, slice);
  const Source from{source, item.slices[slice].order, targets_[number], importance};
  const std::int64_t row_floats = item.shape.cols * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t step = std::max<std::int64_t>(kSlabBytes / row_floats, 1);
  for (std::int64_t first = 0; first < item.shape.rows; first += step) {
    const std::int64_t count = std::min(step, item.shape.rows - first);
    QuantizedTensor made = allocate_tensor({count, item.shape.cols}, targets_[number].scheme);
    std::vector<Sums> sums(static_cast<std::size_t>(count));
    try {
      runtime_.parallel(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
        move_rows(from, first, begin, end, made, sums);
      });
    } catch (const Error& error) {
      throw Error(error.fault, fmt::format("{}: {}", item.slices[slice].unit.base, error.what()));
    }
    for (const Sums& row : sums) {  // in the order of the rows: no thread count shows
      sums_.error += row.error;
      sums_.magnitude += row.magnitude;
      sums_.unequal += row.unequal;
    }
    const std::uint64_t row_bytes = made.parts[0].size() / static_cast<std::uint64_t>(count);
    const std::int64_t before = static_cast<std::int64_t>(slice) * item.shape.rows + first;
    file.write(number, static_cast<std::uint64_t>(before) * row_bytes, made.parts[0].view());
  }
  map_.checkpoint().release(source);
}

void WeightWriter::move_rows(const Source& from, std::int64_t first, std::int64_t begin,
                             std::int64_t end, QuantizedTensor& made,
                             std::vector<Sums>& sums) const {
  const std::int64_t cols = from.tensor.shape.cols;
  Regridder regridder(from.tensor, from.target.scheme);
  Matrix<float> was(1, cols), is(1, cols);
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t row =
        from.order.empty() ? first + r : from.order[static_cast<std::size_t>(first + r)];
    if (from.target.move == Move::kCopy) {
      copy_row(from.tensor, row, made, r);
      continue;
    }
    from.tensor.format->dequantize(from.tensor, row, was.view());
    if (from.target.move == Move::kRegrid) {
      regridder.read(row);
      made.format->write_grid(made, r, regridder.row());
    } else {
      made.format->quantize(made, r, was.view(), {options_.method, from.importance});
    }
    made.format->dequantize(made, r, is.view());
    sums[static_cast<std::size_t>(r)] = compare(was.view().row(0), is.view().row(0));
  }
}

WeightWriter::Sums WeightWriter::compare(std::span<const float> was, std::span<const float> is) {
  Sums sums;
  for (std::size_t j = 0; j < was.size(); ++j) {
    const double w = was[j], wrong = w - static_cast<double>(is[j]);
    sums.error += wrong * wrong;
    sums.magnitude += w * w;
    sums.unequal += was[j] == is[j] ? 0 : 1;
  }
  return sums;
}

}  // namespace farthing::convert
