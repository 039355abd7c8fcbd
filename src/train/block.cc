#include "train/block.h"

#include <algorithm>
#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "kernels/gradients/gradients.h"
#include "model/alibi.h"

namespace farthing::train {
namespace {

using model::HeadNorm;
using model::PositionKind;
using model::Slot;

void copy(Runtime& runtime, MatrixView<const float> from, MatrixView<float> to) {
  runtime.parallel(from.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) std::copy_n(from.row_data(begin), from.cols, to.row_data(begin));
  });
}

void negate_sines(MatrixView<const float> table, MatrixView<float> back) {
  std::copy_n(table.data, table.rows * table.cols, back.data);
  const std::int64_t half = table.cols / 2;
  for (std::int64_t r = 0; r < back.rows; ++r)
    for (std::int64_t j = half; j < back.cols; ++j) back.row_data(r)[j] = -back.row_data(r)[j];
}

}  // namespace

Positions::Positions(const model::TensorMap& map) {
  const model::ModelConfig& c = map.config();
  rope_ = c.block.position == PositionKind::kRope;
  if (!rope_) return;
  rotary_dim_ = c.rotary_dim;
  const auto unit = map.find(Slot::kRopeFactors);
  const std::vector<float> factors = unit ? map.load_vector(unit->base) : std::vector<float>{};
  usual_ = model::Rope(c.rope, c.rotary_dim, factors);
  local_ = model::Rope(c.local_rope, c.rotary_dim, factors);
}

SequenceBatch Positions::batch(std::span<const std::int64_t> lengths) const {
  SequenceBatch batch;
  std::vector<cache::SequenceSlice> slices;
  std::int64_t rows = 0;
  for (const std::int64_t length : lengths) {
    batch.sequences.push_back({rows, length});
    slices.push_back({.sequence = static_cast<int>(slices.size()),
                      .first_row = rows,
                      .count = length,
                      .first_position = 0});
    rows += length;
  }
  if (!rope_) return batch;
  const cache::Batch positions{.tokens = {}, .sequences = slices, .rows_wanting_logits = {}};
  usual_.fill(positions, batch.table.resize(rows, rotary_dim_));
  local_.fill(positions, batch.local_table.resize(rows, rotary_dim_));
  negate_sines(batch.table.view(), batch.back.resize(rows, rotary_dim_));
  negate_sines(batch.local_table.view(), batch.local_back.resize(rows, rotary_dim_));
  return batch;
}

BlockOperator::BlockOperator(Runtime& runtime, const model::ModelConfig& config)
    : runtime_(runtime), config_(config), norms_(config) {
  if (config.block.position == PositionKind::kAlibi) slopes_ = model::alibi_slopes(config.heads);
}

void BlockOperator::forward(const BlockWeights& w, int layer, const SequenceBatch& batch,
                            MatrixView<const float> x, MatrixView<float> y) {
  if (y.data != x.data) copy(runtime_, x, y);
  if (config_.block.parallel) return run_parallel(w, layer, batch, y);
  run_branch(w.attention_norm, w.post_attention_norm, kept_->first, y,
             [&](auto in, auto out) { attention(w, layer, batch, in, out); });
  run_branch(w.mlp_norm, w.post_mlp_norm, kept_->second, y,
             [&](auto in, auto out) { mlp(w, in, out); });
}

void BlockOperator::backward(const BlockWeights& w, int layer, const SequenceBatch& batch,
                             MatrixView<float> dy) {
  if (config_.block.parallel) return run_parallel_gradient(w, layer, batch, dy);
  run_branch_gradient(w.mlp_norm, w.post_mlp_norm, kept_->second, dy,
                      [&](auto in, auto dout, auto din) { mlp_gradient(w, in, dout, din); });
  run_branch_gradient(
      w.attention_norm, w.post_attention_norm, kept_->first, dy,
      [&](auto in, auto dout, auto din) { attention_gradient(w, layer, batch, in, dout, din); });
}

MatrixView<const float> BlockOperator::read(const NormWeights& norm, Branch& branch) {
  const bool before = norm.present && !config_.block.norm_after_add;
  return before ? std::as_const(branch.normed).view() : std::as_const(branch.x).view();
}

// x := x + scale * post(f(norm(x))), with the norm in front or behind.
void BlockOperator::run_branch(const NormWeights& norm, const NormWeights& post, Branch& branch,
                               MatrixView<float> x, Function f) {
  const model::BlockRules& rules = config_.block;
  copy(runtime_, x, branch.x.resize(x.rows, x.cols));
  if (norm.present && !rules.norm_after_add)
    norms_.forward(runtime_, work_, norm, x, branch.normed.resize(x.rows, x.cols));
  MatrixView<float> added = branch.out.resize(x.rows, x.cols);
  f(read(norm, branch), added);
  if (post.present) {
    const auto behind = added_.resize(x.rows, x.cols);
    norms_.forward(runtime_, work_, post, added, behind);
    added = behind;
  }
  if (rules.residual_from_norm && norm.present) copy(runtime_, read(norm, branch), x);
  kernels::add_to(runtime_, added, static_cast<float>(config_.residual_scale), x);
  if (!rules.norm_after_add) return;
  copy(runtime_, x, branch.sum.resize(x.rows, x.cols));
  norms_.forward(runtime_, work_, norm, x, x);
}

MatrixView<const float> BlockOperator::out_gradient(const NormWeights& post, Branch& branch,
                                                    MatrixView<const float> dy) {
  const auto dout = out_gradient_.resize(dy.rows, dy.cols);
  copy(runtime_, dy, dout);
  if (config_.residual_scale != 1)
    kernels::scale_by(runtime_, static_cast<float>(config_.residual_scale), dout);
  if (post.present) norms_.backward(runtime_, work_, post, std::as_const(branch.out).view(), dout);
  return dout;
}

void BlockOperator::run_branch_gradient(const NormWeights& norm, const NormWeights& post,
                                        Branch& branch, MatrixView<float> dy, Gradient f) {
  const model::BlockRules& rules = config_.block;
  const auto x = std::as_const(branch.x).view();
  if (rules.norm_after_add)
    norms_.backward(runtime_, work_, norm, std::as_const(branch.sum).view(), dy);
  const auto din = in_gradient_.resize(dy.rows, dy.cols);
  f(read(norm, branch), out_gradient(post, branch, dy), din);
  const bool before = norm.present && !rules.norm_after_add;
  if (before && rules.residual_from_norm) {  // dy comes through the norm too
    kernels::add_to(runtime_, din, 1, dy);
    norms_.backward(runtime_, work_, norm, x, dy);
    return;
  }
  if (before) norms_.backward(runtime_, work_, norm, x, din);
  kernels::add_to(runtime_, din, 1, dy);
}

// x := x + scale * attention(norm(x)) + scale * mlp(norm'(x)).
void BlockOperator::run_parallel(const BlockWeights& w, int layer, const SequenceBatch& batch,
                                 MatrixView<float> x) {
  const auto residual = static_cast<float>(config_.residual_scale);
  copy(runtime_, x, kept_->first.x.resize(x.rows, x.cols));
  copy(runtime_, x, kept_->second.x.resize(x.rows, x.cols));
  if (w.attention_norm.present)
    norms_.forward(runtime_, work_, w.attention_norm, x,
                   kept_->first.normed.resize(x.rows, x.cols));
  if (w.mlp_norm.present)
    norms_.forward(runtime_, work_, w.mlp_norm, x, kept_->second.normed.resize(x.rows, x.cols));
  const auto read_first = read(w.attention_norm, kept_->first);
  MatrixView<float> added = kept_->first.out.resize(x.rows, x.cols);
  attention(w, layer, batch, read_first, added);
  if (w.post_attention_norm.present) {
    const auto behind = added_.resize(x.rows, x.cols);
    norms_.forward(runtime_, work_, w.post_attention_norm, added, behind);
    added = behind;
  }
  const auto other = kept_->second.out.resize(x.rows, x.cols);
  mlp(w, w.mlp_norm.present ? read(w.mlp_norm, kept_->second) : read_first, other);
  kernels::add_to(runtime_, added, residual, x);
  kernels::add_to(runtime_, other, residual, x);
}

void BlockOperator::run_parallel_gradient(const BlockWeights& w, int layer,
                                          const SequenceBatch& batch, MatrixView<float> dy) {
  const auto x = std::as_const(kept_->first.x).view();
  const auto read_first = read(w.attention_norm, kept_->first);
  const auto first = in_gradient_.resize(dy.rows, dy.cols);
  const auto second = second_in_gradient_.resize(dy.rows, dy.cols);
  attention_gradient(w, layer, batch, read_first,
                     out_gradient(w.post_attention_norm, kept_->first, dy), first);
  mlp_gradient(w, w.mlp_norm.present ? read(w.mlp_norm, kept_->second) : read_first,
               out_gradient({}, kept_->second, dy), second);
  if (w.mlp_norm.present)
    norms_.backward(runtime_, work_, w.mlp_norm, x, second);
  else
    kernels::add_to(runtime_, second, 1, first);  // they read the same
  if (w.attention_norm.present) norms_.backward(runtime_, work_, w.attention_norm, x, first);
  kernels::add_to(runtime_, first, 1, dy);
  if (w.mlp_norm.present) kernels::add_to(runtime_, second, 1, dy);
}

}  // namespace farthing::train
