#include "compress/sweep.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "formats/block_codes.h"
#include "formats/rounding.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

constexpr std::int64_t kVector = kernels::kRoundedRows;
constexpr std::int64_t kRowGrain = 3 * kVector;  // rows that a thread takes at a time
// Inputs that are rounded before their errors are passed on to all that follow; it changes no bit.
constexpr std::int64_t kAtOnce = 32;

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Sweep {
 public:
  Sweep(const Solver& solver, const SweepOptions& options, IsaSet isas, Runtime* runtime,
        const QuantizedTensor& out, MatrixView<const float> rows, SweepTimes& times)
      : solver_(solver),
        options_(options),
        isas_(isas),
        runtime_(runtime),
        times_(times),
        scheme_(out.scheme),
        is_block_(!out.scheme.block.empty()),
        codes_are_chosen_(chooses_codes(out, options)),
        rows_(rows.rows),
        width_((rows.rows + kVector - 1) / kVector * kVector),
        inputs_(rows.cols),
        group_inputs_(scheme_.strategy == Strategy::kGroup ? scheme_.group_size : rows.cols),
        groups_(rows.cols / group_inputs_) {
    if (codes_are_chosen_) bias_ = static_cast<float>(out.format->grid(out).bias);
    for (const std::int32_t input : solver.order)
      group_of_.push_back(static_cast<std::int32_t>(input / group_inputs_));
  }

  void run(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
           std::int64_t out_first) {
    take_in(first, rows);
    // A block ends with its group where the grid is found on updated weights.
    const bool fixed = !codes_are_chosen_ || options_.fixed_grids || groups_ == 1 || is_block_;
    if (fixed && codes_are_chosen_)
      share([&](std::int64_t begin, std::int64_t end) {
        if (is_block_) return fix_blocks(rows, out, out_first, begin, end);
        for (std::int64_t r = begin; r < end; ++r)
          for (std::int64_t g = 0; g < groups_; ++g)
            fix_group(r, g, rows.row(r).subspan(index(g * group_inputs_), index(group_inputs_)));
      });
    const bool cuts = options_.block < group_inputs_ && group_inputs_ % options_.block == 0;
    const std::int64_t step = fixed || cuts ? options_.block : group_inputs_;
    const std::int64_t mask = std::max(options_.block / step, std::int64_t{1}) * step;
    for (std::int64_t begin = 0; begin < inputs_; begin += step) {
      const std::int64_t end = std::min(begin + step, inputs_);
      if (options_.prunes && !options_.sparsity.is_pattern() && begin % mask == 0)
        choose_block(begin, std::min(begin + mask, inputs_));
      share([&](std::int64_t from, std::int64_t to) {
        if (!fixed && begin % group_inputs_ == 0) renew_group(begin, from, to);
        round_inputs(begin, end, from, to);
      });
    }
    share([&](std::int64_t from, std::int64_t to) { put_out(out, out_first, from, to); });
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  // Where a weight that is taken out must be zero, a block with minima cannot hold it: such formats
  // round what is left at the end.
  static bool chooses_codes(const QuantizedTensor& out, const SweepOptions& options) {
    if (out.scheme.element != Element::kInt) return false;
    if (out.scheme.block.empty()) return true;
    return find_write_codes(out.scheme) != nullptr && !options.prunes && !options.keep_zeros;
  }

  template <class Body>
  void share(const Body& body) {
    if (runtime_ == nullptr) return body(std::int64_t{0}, rows_);
    runtime_->parallel((rows_ + kRowGrain - 1) / kRowGrain, 1,
                       [&](std::int64_t begin, std::int64_t end) {
                         body(begin * kRowGrain, std::min(end * kRowGrain, rows_));
                       });
  }
  std::int64_t input_at(std::int64_t position) const { return solver_.order[index(position)]; }
  bool has_mask() const { return options_.keep_zeros || options_.prunes; }

  void take_in(std::int64_t first, MatrixView<const float> rows);
  void fix_group(std::int64_t row, std::int64_t group, std::span<const float> weights);
  void fix_blocks(MatrixView<const float> rows, QuantizedTensor& out, std::int64_t out_first,
                  std::int64_t from, std::int64_t to);
  void renew_group(std::int64_t begin, std::int64_t from, std::int64_t to);
  void choose_block(std::int64_t begin, std::int64_t end);
  void score(std::int64_t row, std::int64_t begin, std::span<float> to) const;
  void prune(std::int64_t row, std::int64_t begin, std::span<const float> scores);
  void round_inputs(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to);
  void round_some(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to);
  void put_out(QuantizedTensor& out, std::int64_t out_first, std::int64_t from, std::int64_t to);

  const Solver& solver_;
  const SweepOptions& options_;
  IsaSet isas_;
  Runtime* runtime_;
  SweepTimes& times_;
  WeightScheme scheme_;
  bool is_block_, codes_are_chosen_;
  std::int64_t rows_, width_;  // width_: rows in whole vectors
  std::int64_t inputs_, group_inputs_, groups_;
  float bias_ = 0;
  std::vector<std::int32_t> group_of_;  // (in) in the solver's order

  // All turned, in the solver's order.
  Matrix<float> weights_;          // (in, width): weights, then their codes, or what is kept
  Matrix<float> kept_;             // (in, width): 0 where a weight is taken out; empty without mask
  Matrix<float> errors_, before_;  // (inputs at once, width)
  Matrix<float> scales_, offsets_;  // (groups, width)
};

void Sweep::take_in(std::int64_t first, MatrixView<const float> rows) {
  const auto weights = weights_.resize(inputs_, width_);
  std::fill_n(weights.data, inputs_ * width_, 0.0f);
  for (std::int64_t r = 0; r < rows_; ++r)
    for (std::int64_t j = 0; j < inputs_; ++j)
      if (!std::isfinite(rows.row_data(r)[j]))
        bad_input("row {}, column {}: the weight is {}; weights must be numbers", first + r, j,
                  rows.row_data(r)[j]);
  for (std::int64_t i = 0; i < inputs_; ++i)
    for (std::int64_t r = 0; r < rows_; ++r) weights.row_data(i)[r] = rows.row_data(r)[input_at(i)];
  errors_.resize(kAtOnce, width_);
  if (solver_.correction.shape().rows > 0) before_.resize(kAtOnce, width_);
  if (codes_are_chosen_) {
    std::fill_n(scales_.resize(groups_, width_).data, groups_ * width_, 1.0f);
    std::fill_n(offsets_.resize(groups_, width_).data, groups_ * width_, 0.0f);
  }
  if (!has_mask()) return;
  const auto kept = kept_.resize(inputs_, width_);
  for (std::int64_t i = 0; i < inputs_ * width_; ++i)
    kept.data[i] = options_.keep_zeros && weights.data[i] == 0 ? 0.0f : 1.0f;
}

// The grid of one group of a row, from weights in the file's order.
void Sweep::fix_group(std::int64_t row, std::int64_t group, std::span<const float> weights) {
  const std::int64_t first = group * group_inputs_;
  GroupRounder grids(scheme_, options_.range, group_inputs_);
  std::vector<std::uint8_t> scratch(weights.size());
  const GroupGrid grid = grids.round(
      weights, std::span(solver_.importance).subspan(index(first), weights.size()), scratch);
  if (!std::isfinite(grid.scale))
    bad_input("row {}, columns from {}: the weights are beyond what a scale can hold", row, first);
  scales_.view().row_data(group)[row] = grid.scale;
  offsets_.view().row_data(group)[row] = scheme_.symmetric ? 0 : grid.scale * (bias_ - grid.zero);
}

// Block formats round the scales of a block together: the format's own search finds them.
void Sweep::fix_blocks(MatrixView<const float> rows, QuantizedTensor& out, std::int64_t out_first,
                       std::int64_t from, std::int64_t to) {
  out.format->quantize(out, out_first + from, rows.rows_from(from, to - from),
                       {.method = options_.range, .importance = solver_.importance});
  std::vector<std::uint8_t> codes(index(inputs_));
  std::vector<float> scales(index(groups_)), offsets(index(groups_), 0.0f);
  for (std::int64_t r = from; r < to; ++r) {
    out.format->read_grid(out, out_first + r,
                          {.codes = codes, .scales = scales, .offsets = offsets});
    for (std::int64_t g = 0; g < groups_; ++g) {
      scales_.view().row_data(g)[r] = scales[index(g)];
      offsets_.view().row_data(g)[r] = offsets[index(g)];
    }
  }
}

// The grid of the group that begins at a position, from the weights as they are now; what will be
// taken out counts as zero.
void Sweep::renew_group(std::int64_t begin, std::int64_t from, std::int64_t to) {
  const std::int64_t group = group_of_[index(begin)];
  std::vector<float> scores(index(group_inputs_)), natural(scores.size());
  for (std::int64_t r = from; r < to; ++r) {
    if (options_.prunes && options_.sparsity.is_pattern() &&
        group_inputs_ % options_.sparsity.of == 0) {
      score(r, begin, scores);
      prune(r, begin, scores);
    }
    for (std::int64_t i = begin; i < begin + group_inputs_; ++i) {
      const bool gone = has_mask() && kept_.view().row_data(i)[r] == 0;
      natural[index(input_at(i) - group * group_inputs_)] =
          gone ? 0.0f : weights_.view().row_data(i)[r];
    }
    fix_group(r, group, natural);
  }
}

// What taking a weight out costs: w^2 / L_jj^2.
void Sweep::score(std::int64_t row, std::int64_t begin, std::span<float> to) const {
  const auto factor = solver_.factor.view();
  for (std::size_t j = 0; j < to.size(); ++j) {
    const std::int64_t i = begin + static_cast<std::int64_t>(j);
    const float root = weights_.view().row_data(i)[row] / factor.row_data(i)[i];
    to[j] = root * root;
  }
}

void Sweep::prune(std::int64_t row, std::int64_t begin, std::span<const float> scores) {
  std::vector<std::uint8_t> pruned(scores.size());
  choose_pruned(options_.sparsity, scores, pruned);
  for (std::size_t j = 0; j < pruned.size(); ++j)
    kept_.view().row_data(begin + static_cast<std::int64_t>(j))[row] = pruned[j] != 0 ? 0 : 1;
}

// The mask of a block of inputs, from the weights as they are now.
void Sweep::choose_block(std::int64_t begin, std::int64_t end) {
  const std::size_t count = index(end - begin);
  if (options_.compare == Compare::kRow)
    return share([&](std::int64_t from, std::int64_t to) {
      std::vector<float> scores(count);
      for (std::int64_t r = from; r < to; ++r) {
        score(r, begin, scores);
        prune(r, begin, scores);
      }
    });
  std::vector<float> scores(count * index(rows_));
  std::vector<std::uint8_t> chosen(scores.size());
  share([&](std::int64_t from, std::int64_t to) {
    for (std::int64_t r = from; r < to; ++r)
      score(r, begin, std::span(scores).subspan(index(r) * count, count));
  });
  choose_pruned(options_.sparsity, scores, chosen);
  for (std::int64_t r = 0; r < rows_; ++r)
    for (std::size_t j = 0; j < count; ++j)
      kept_.view().row_data(begin + static_cast<std::int64_t>(j))[r] =
          chosen[index(r) * count + j] != 0 ? 0 : 1;
}

// Positions begin .. end of the order, a few at once; those of a pattern are chosen on the way.
void Sweep::round_inputs(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) {
  const bool patterned = options_.prunes && options_.sparsity.is_pattern();
  const std::int64_t most = patterned ? options_.sparsity.of : kAtOnce;
  std::vector<float> scores(index(options_.sparsity.of));
  for (std::int64_t i = begin; i < end;) {
    const std::int64_t next = std::min({end, i + kAtOnce, (i / most + 1) * most});
    if (patterned && i % most == 0)
      for (std::int64_t r = from; r < to; ++r) {
        score(r, i, scores);
        prune(r, i, scores);
      }
    round_some(i, next, from, to);
    i = next;
  }
}

// Rounds positions begin .. end of rows from .. to and passes their errors on to all that follow.
void Sweep::round_some(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) {
  const float top = codes_are_chosen_ ? static_cast<float>((1 << scheme_.bits) - 1) : 0.0f;
  const std::int64_t count = end - begin, rest = inputs_ - end;
  const std::int64_t width = (to - from + kVector - 1) / kVector * kVector;
  const auto part = [&](auto& matrix, std::int64_t row) {
    return matrix.shape().rows == 0 ? nullptr : matrix.view().row_data(row) + from;
  };
  const auto factor = solver_.factor.view(), pull = solver_.correction.view();
  const bool corrects = pull.rows > 0;
  kernels::round_rows_here(
      isas_, {.weights = part(weights_, begin),
              .stride = width_,
              .inputs = count,
              .rows = width,
              .factor = factor.row_data(begin) + begin,
              .pull = corrects ? pull.row_data(begin) + begin : nullptr,
              .factor_stride = inputs_,
              .scales = part(scales_, 0),
              .offsets = part(offsets_, 0),
              .groups = group_of_.data() + begin,
              .bias = bias_,
              // 8 bits within +-127, as the scheme says: the lowest code is not used.
              .bottom = !is_block_ && scheme_.symmetric && scheme_.bits == 8 ? 1.0f : 0.0f,
              .top = top,
              .kept = part(kept_, begin),
              .errors = part(errors_, 0),
              .before = part(before_, 0)});
  if (rest == 0) return;
  const auto target = weights_.view().rows_from(end, rest).cols_from(from, width);
  const auto take = [&](MatrixView<const float> by, MatrixView<const float> values, float sign) {
    kernels::add_product_here(isas_, by.rows_from(end, rest).cols_from(begin, count),
                              values.rows_from(0, count).cols_from(from, width), target, sign);
  };
  const std::int64_t start = now_ns();
  take(factor, errors_.view(), -1.0f);
  if (corrects) take(pull, before_.view(), 1.0f);
  times_.product_ns += now_ns() - start;
}

void Sweep::put_out(QuantizedTensor& out, std::int64_t out_first, std::int64_t from,
                    std::int64_t to) {
  Matrix<float> natural(1, inputs_);
  std::vector<std::uint8_t> codes(index(inputs_));
  std::vector<float> scales(index(groups_)), offsets(index(groups_));
  for (std::int64_t r = from; r < to; ++r) {
    float* row = natural.view().data;
    for (std::int64_t i = 0; i < inputs_; ++i) row[input_at(i)] = weights_.view().row_data(i)[r];
    if (!codes_are_chosen_) {
      out.format->quantize(out, out_first + r, natural.view(),
                           {.method = options_.range, .importance = solver_.importance});
      continue;
    }
    for (std::size_t j = 0; j < codes.size(); ++j) codes[j] = static_cast<std::uint8_t>(row[j]);
    if (is_block_) {
      find_write_codes(scheme_)(out, out_first + r, codes);
      continue;
    }
    for (std::int64_t g = 0; g < groups_; ++g) {
      scales[index(g)] = scales_.view().row_data(g)[r];
      offsets[index(g)] = offsets_.view().row_data(g)[r];
    }
    out.format->write_grid(out, out_first + r,
                           {.codes = codes, .scales = scales, .offsets = offsets});
  }
}

}  // namespace

void sweep(const Solver& solver, const SweepOptions& options, IsaSet isas, Runtime* runtime,
           std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
           std::int64_t out_first, SweepTimes& times) {
  const std::int64_t start = now_ns();
  if (runtime != nullptr) {
    Sweep(solver, options, isas, runtime, out, rows, times).run(first, rows, out, out_first);
    times.all_ns += (now_ns() - start) * runtime->pool.size();
    return;
  }
  for (std::int64_t r = 0; r < rows.rows; r += kRowGrain) {  // as many as fit the cache
    const auto some = rows.rows_from(r, std::min(kRowGrain, rows.rows - r));
    Sweep(solver, options, isas, nullptr, out, some, times)
        .run(first + r, some, out, out_first + r);
  }
  times.all_ns += now_ns() - start;
}

}  // namespace farthing::compress
