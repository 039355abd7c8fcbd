#include "compress/sweep.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "formats/rounding.h"
#include "kernels/dense/dense.h"

namespace farthing::compress {
namespace {

constexpr std::int64_t kRowGrain = 24;  // rows that a thread takes at a time

class Sweep {
 public:
  Sweep(const Solver& solver, const SweepOptions& options, IsaSet isas, Runtime* runtime,
        const QuantizedTensor& out, MatrixView<const float> rows)
      : solver_(solver),
        options_(options),
        isas_(isas),
        runtime_(runtime),
        scheme_(out.scheme),
        codes_are_chosen_(out.scheme.element == Element::kInt && out.scheme.block.empty()),
        rows_(rows.rows),
        inputs_(rows.cols),
        group_inputs_(scheme_.strategy == Strategy::kGroup ? scheme_.group_size : rows.cols),
        groups_(rows.cols / group_inputs_) {}

  void run(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
           std::int64_t out_first) {
    take_in(first, rows);
    // A block ends with its group where the grid is found on updated weights.
    const bool fixed = !codes_are_chosen_ || options_.fixed_grids || groups_ == 1;
    if (fixed && codes_are_chosen_)
      share([&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t g = 0; g < groups_; ++g) fix_group(g, begin, end);
      });
    const bool cuts = options_.block < group_inputs_ && group_inputs_ % options_.block == 0;
    const std::int64_t step = fixed || cuts ? options_.block : group_inputs_;
    const std::int64_t mask = std::max(options_.block / step, std::int64_t{1}) * step;
    errors_.resize(rows_, step);
    before_.resize(rows_, step);
    for (std::int64_t begin = 0; begin < inputs_; begin += step) {
      const std::int64_t end = std::min(begin + step, inputs_);
      if (options_.prunes && !options_.sparsity.is_pattern() && begin % mask == 0)
        choose_block(begin, std::min(begin + mask, inputs_));
      share([&](std::int64_t from, std::int64_t to) {
        if (!fixed && begin % group_inputs_ == 0) renew_group(begin, from, to);
        round_inputs(begin, end, from, to);
        pass_on(begin, end, from, to);
      });
    }
    share([&](std::int64_t from, std::int64_t to) { put_out(out, out_first, from, to); });
  }

 private:
  template <class Body>
  void share(const Body& body) {
    if (runtime_ == nullptr) return body(std::int64_t{0}, rows_);
    runtime_->parallel(rows_, kRowGrain, body);
  }
  std::int64_t input_at(std::int64_t position) const {
    return solver_.order[static_cast<std::size_t>(position)];
  }
  std::span<std::uint8_t> pruned(std::int64_t row, std::int64_t begin, std::int64_t end) {
    return std::span(pruned_).subspan(static_cast<std::size_t>(row * inputs_ + begin),
                                      static_cast<std::size_t>(end - begin));
  }

  void take_in(std::int64_t first, MatrixView<const float> rows);
  void fix_group(std::int64_t group, std::int64_t from, std::int64_t to);
  void renew_group(std::int64_t begin, std::int64_t from, std::int64_t to);
  void choose_block(std::int64_t begin, std::int64_t end);
  void score(std::int64_t row, std::int64_t begin, std::int64_t end, std::span<float> to) const;
  void round_inputs(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to);
  void pass_on(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to);
  void put_out(QuantizedTensor& out, std::int64_t out_first, std::int64_t from, std::int64_t to);

  const Solver& solver_;
  const SweepOptions& options_;
  IsaSet isas_;
  Runtime* runtime_;
  WeightScheme scheme_;
  bool codes_are_chosen_;
  std::int64_t rows_, inputs_, group_inputs_, groups_;

  Matrix<float> weights_, errors_, before_;  // (rows, in), (rows, block) twice; solver's order
  Matrix<float> natural_;             // (rows, in) in the order of the file: for grids, and floats
  Matrix<float> scales_, zeros_;      // (rows, groups)
  std::vector<std::uint8_t> codes_;   // (rows, in) in the order of the file
  std::vector<std::uint8_t> pruned_;  // (rows, in) in the solver's order; empty: nothing is
};

void Sweep::take_in(std::int64_t first, MatrixView<const float> rows) {
  if (codes_are_chosen_) {
    codes_.resize(static_cast<std::size_t>(rows_ * inputs_));
    scales_.resize(rows_, groups_);
    zeros_.resize(rows_, groups_);
  }
  const bool has_mask = options_.keep_zeros || options_.prunes;
  pruned_.assign(has_mask ? static_cast<std::size_t>(rows_ * inputs_) : 0, 0);
  const auto natural = natural_.resize(rows_, inputs_), weights = weights_.resize(rows_, inputs_);
  for (std::int64_t r = 0; r < rows_; ++r) {
    for (std::int64_t j = 0; j < inputs_; ++j) {
      if (!std::isfinite(rows.row_data(r)[j]))
        bad_input("row {}, column {}: the weight is {}; weights must be numbers", first + r, j,
                  rows.row_data(r)[j]);
      natural.row_data(r)[j] = rows.row_data(r)[j];
    }
    for (std::int64_t i = 0; i < inputs_; ++i) {
      const float weight = rows.row_data(r)[input_at(i)];
      weights.row_data(r)[i] = weight;
      if (options_.keep_zeros && weight == 0)
        pruned_[static_cast<std::size_t>(r * inputs_ + i)] = 1;
    }
  }
}

// The grid of one group of rows from .. to, from the weights as they are in the file's order.
void Sweep::fix_group(std::int64_t group, std::int64_t from, std::int64_t to) {
  const std::int64_t first = group * group_inputs_;
  const auto count = static_cast<std::size_t>(group_inputs_);
  const auto importance =
      std::span(solver_.importance).subspan(static_cast<std::size_t>(first), count);
  GroupRounder grids(scheme_, options_.range, group_inputs_);
  std::vector<std::uint8_t> scratch(count);
  for (std::int64_t r = from; r < to; ++r) {
    const auto weights =
        std::as_const(natural_).view().row(r).subspan(static_cast<std::size_t>(first), count);
    const GroupGrid grid = grids.round(weights, importance, scratch);
    if (!std::isfinite(grid.scale))
      bad_input("row {}, columns from {}: the weights are beyond what a scale can hold", r, first);
    scales_.view().row_data(r)[group] = grid.scale;
    zeros_.view().row_data(r)[group] =
        scheme_.symmetric ? static_cast<float>(1 << (scheme_.bits - 1)) : grid.zero;
  }
}

// The grid of the group that begins at a position, from the weights as they are now; what will be
// taken out counts as zero.
void Sweep::renew_group(std::int64_t begin, std::int64_t from, std::int64_t to) {
  const std::int64_t end = begin + group_inputs_;
  std::vector<float> scores(static_cast<std::size_t>(group_inputs_));
  for (std::int64_t r = from; r < to; ++r) {
    if (options_.prunes && options_.sparsity.is_pattern() &&
        group_inputs_ % options_.sparsity.of == 0) {
      score(r, begin, end, scores);
      choose_pruned(options_.sparsity, scores, pruned(r, begin, end));
    }
    for (std::int64_t i = begin; i < end; ++i) {
      const bool gone = !pruned_.empty() && pruned_[static_cast<std::size_t>(r * inputs_ + i)] != 0;
      natural_.view().row_data(r)[input_at(i)] = gone ? 0.0f : weights_.view().row_data(r)[i];
    }
  }
  fix_group(input_at(begin) / group_inputs_, from, to);
}

// What taking a weight out costs: w^2 / U_jj^2.
void Sweep::score(std::int64_t row, std::int64_t begin, std::int64_t end,
                  std::span<float> to) const {
  const auto u = solver_.factor.view();
  const float* w = weights_.view().row_data(row);
  for (std::int64_t i = begin; i < end; ++i) {
    const float root = w[i] / u.row_data(i)[i];
    to[static_cast<std::size_t>(i - begin)] = root * root;
  }
}

// The mask of a block of inputs, from the weights as they are now.
void Sweep::choose_block(std::int64_t begin, std::int64_t end) {
  const auto count = static_cast<std::size_t>(end - begin);
  if (options_.compare == Compare::kRow)
    return share([&](std::int64_t from, std::int64_t to) {
      std::vector<float> scores(count);
      for (std::int64_t r = from; r < to; ++r) {
        score(r, begin, end, scores);
        choose_pruned(options_.sparsity, scores, pruned(r, begin, end));
      }
    });
  std::vector<float> scores(count * static_cast<std::size_t>(rows_));
  std::vector<std::uint8_t> chosen(scores.size());
  const auto of_row = [&](auto& all, std::int64_t r) {
    return std::span(all).subspan(static_cast<std::size_t>(r) * count, count);
  };
  share([&](std::int64_t from, std::int64_t to) {
    for (std::int64_t r = from; r < to; ++r) score(r, begin, end, of_row(scores, r));
  });
  choose_pruned(options_.sparsity, scores, chosen);
  for (std::int64_t r = 0; r < rows_; ++r)
    std::ranges::copy(of_row(chosen, r), pruned(r, begin, end).begin());
}

// Positions begin .. end of the order, errors passed on within them at once and kept for the rest.
void Sweep::round_inputs(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) {
  const auto u = solver_.factor.view(), p = solver_.correction.view();
  const bool corrects = p.rows > 0;
  const bool patterned = options_.prunes && options_.sparsity.is_pattern();
  const auto top = static_cast<float>((1 << scheme_.bits) - 1);
  // 8 bits within +-127, as the scheme says: the lowest code is not used.
  const float bottom = scheme_.symmetric && scheme_.bits == 8 ? 1.0f : 0.0f;
  std::vector<float> scores(static_cast<std::size_t>(options_.sparsity.of));
  for (std::int64_t r = from; r < to; ++r) {
    float* w = weights_.view().row_data(r);
    float* errors = errors_.view().row_data(r);
    float* before = before_.view().row_data(r);
    for (std::int64_t i = begin; i < end; ++i) {
      if (patterned && i % options_.sparsity.of == 0) {
        score(r, i, i + options_.sparsity.of, scores);
        choose_pruned(options_.sparsity, scores, pruned(r, i, i + options_.sparsity.of));
      }
      const bool gone = !pruned_.empty() && pruned_[static_cast<std::size_t>(r * inputs_ + i)] != 0;
      const std::int64_t input = input_at(i);
      float rounded = gone ? 0.0f : w[i];
      if (codes_are_chosen_) {
        const std::int64_t group = input / group_inputs_;
        const float scale = scales_.view().row_data(r)[group];
        const float zero = zeros_.view().row_data(r)[group];
        const float code = scale == 0 || gone
                               ? zero
                               : std::clamp(std::nearbyintf(w[i] / scale + zero), bottom, top);
        codes_[static_cast<std::size_t>(r * inputs_ + input)] = static_cast<std::uint8_t>(code);
        rounded = scale * (code - zero);
      } else {
        natural_.view().row_data(r)[input] = rounded;
      }
      const float error = (w[i] - rounded) / u.row_data(i)[i];
      errors[i - begin] = error;
      before[i - begin] = w[i];
      const float* row = u.row_data(i);
      if (!corrects) {
        for (std::int64_t j = i + 1; j < end; ++j) w[j] -= error * row[j];
      } else {
        const float* pull = p.row_data(i);
        const float was = w[i];
        for (std::int64_t j = i + 1; j < end; ++j) w[j] += was * pull[j] - error * row[j];
      }
    }
  }
}

// The errors of a block, passed on to all inputs after it.
void Sweep::pass_on(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) {
  const std::int64_t rest = inputs_ - end, count = to - from;
  if (rest == 0) return;
  const auto target = weights_.view().rows_from(from, count).cols_from(end, rest);
  const auto take = [&](MatrixView<const float> factor, MatrixView<const float> values,
                        float sign) {
    kernels::add_product_here(isas_, values.rows_from(from, count).cols_from(0, end - begin),
                              factor.rows_from(begin, end - begin).cols_from(end, rest), target,
                              sign);
  };
  take(solver_.factor.view(), errors_.view(), -1.0f);
  if (solver_.correction.view().rows > 0) take(solver_.correction.view(), before_.view(), 1.0f);
}

void Sweep::put_out(QuantizedTensor& out, std::int64_t out_first, std::int64_t from,
                    std::int64_t to) {
  if (!codes_are_chosen_)
    return out.format->quantize(out, out_first + from, natural_.view().rows_from(from, to - from),
                                {.method = options_.range, .importance = solver_.importance});
  std::vector<float> offsets(static_cast<std::size_t>(groups_));
  const auto bias = static_cast<float>(1 << (scheme_.bits - 1));
  for (std::int64_t r = from; r < to; ++r) {
    const auto scales = scales_.view().row(r), zeros = zeros_.view().row(r);
    for (std::size_t g = 0; g < offsets.size(); ++g) offsets[g] = scales[g] * (bias - zeros[g]);
    out.format->write_grid(
        out, out_first + r,
        {.codes = std::span(codes_).subspan(static_cast<std::size_t>(r * inputs_),
                                            static_cast<std::size_t>(inputs_)),
         .scales = scales,
         .offsets = offsets});
  }
}

}  // namespace

void sweep(const Solver& solver, const SweepOptions& options, IsaSet isas, Runtime* runtime,
           std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
           std::int64_t out_first) {
  Sweep(solver, options, isas, runtime, out, rows).run(first, rows, out, out_first);
}

}  // namespace farthing::compress
