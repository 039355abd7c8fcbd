// The two branches of a block: attention and MLP.
#include <cmath>

#include "kernels/gradients/gradients.h"
#include "train/block.h"

namespace farthing::train {

using model::HeadNorm;
using model::PositionKind;

bool BlockOperator::rotates(int layer) const {
  const bool window = config_.windows[static_cast<std::size_t>(layer)] > 0;
  return config_.block.position == PositionKind::kRope &&
         (window || !config_.block.rope_only_with_window);
}

// Queries and keys, or their gradients back.
void BlockOperator::rotate(int layer, const SequenceBatch& batch, MatrixView<float> qkv,
                           bool back) const {
  if (!rotates(layer)) return;
  const bool window = config_.windows[static_cast<std::size_t>(layer)] > 0;
  const auto table = back ? (window ? batch.local_back : batch.back).view()
                          : (window ? batch.local_table : batch.table).view();
  kernels::rotate(runtime_, qkv.cols_from(0, config_.q_width() + config_.kv_width()),
                  config_.head_dim, config_.rotary_dim, config_.block.rope_interleaved, table);
}

kernels::CausalAttention BlockOperator::rules(int layer) const {
  const model::ModelConfig& c = config_;
  double scale =
      c.attention_scale > 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_dim));
  if (c.scale_by_layer) scale /= layer + 1;
  return {.heads = c.heads,
          .kv_heads = c.kv_heads,
          .head_dim = c.head_dim,
          .scale = static_cast<float>(scale),
          .soft_cap = static_cast<float>(c.attention_soft_cap),
          .window = c.windows[static_cast<std::size_t>(layer)],
          .slopes = slopes_,
          .rounded_slope_scale = static_cast<float>(c.rounded_alibi_scale)};
}

void BlockOperator::attention(const BlockWeights& w, int layer, const SequenceBatch& batch,
                              MatrixView<const float> in, MatrixView<float> out) {
  const model::ModelConfig& c = config_;
  const auto qkv = kept_->qkv.resize(in.rows, c.q_width() + 2 * c.kv_width());
  linear(runtime_, work_, w.qkv, in, qkv);
  if (c.block.head_norm != HeadNorm::kNone) {
    const auto raw = kept_->raw_qkv.resize(qkv.rows, qkv.cols);
    std::copy_n(qkv.data, qkv.rows * qkv.cols, raw.data);
    const bool whole = c.block.head_norm == HeadNorm::kWholeProjection;
    norms_.forward_heads(runtime_, work_, w.q_norm, whole ? c.q_width() : c.head_dim,
                         qkv.cols_from(0, c.q_width()));
    norms_.forward_heads(runtime_, work_, w.k_norm, whole ? c.kv_width() : c.head_dim,
                         qkv.cols_from(c.q_width(), c.kv_width()));
  }
  rotate(layer, batch, qkv, false);
  const auto attended = kept_->attended.resize(in.rows, c.q_width());
  kernels::attend_causally(runtime_, rules(layer), batch.sequences, qkv, attended);
  linear(runtime_, work_, w.o, attended, out);
}

void BlockOperator::attention_gradient(const BlockWeights& w, int layer, const SequenceBatch& batch,
                                       MatrixView<const float> in, MatrixView<const float> dout,
                                       MatrixView<float> din) {
  const model::ModelConfig& c = config_;
  const auto qkv = std::as_const(kept_->qkv).view();
  const auto dattended = attended_gradient_.resize(in.rows, c.q_width());
  linear_gradient(runtime_, w.o, std::as_const(kept_->attended).view(), dout, dattended);
  const auto dqkv = qkv_gradient_.resize(qkv.rows, qkv.cols);
  kernels::attend_causally_gradient(runtime_, rules(layer), batch.sequences, qkv, dattended, dqkv);
  rotate(layer, batch, dqkv, true);
  if (c.block.head_norm != HeadNorm::kNone) {
    const auto raw = std::as_const(kept_->raw_qkv).view();
    const bool whole = c.block.head_norm == HeadNorm::kWholeProjection;
    norms_.backward_heads(runtime_, work_, w.q_norm, whole ? c.q_width() : c.head_dim,
                          raw.cols_from(0, c.q_width()), dqkv.cols_from(0, c.q_width()));
    norms_.backward_heads(runtime_, work_, w.k_norm, whole ? c.kv_width() : c.head_dim,
                          raw.cols_from(c.q_width(), c.kv_width()),
                          dqkv.cols_from(c.q_width(), c.kv_width()));
  }
  linear_gradient(runtime_, w.qkv, in, dqkv, din);
}

void BlockOperator::mlp(const BlockWeights& w, MatrixView<const float> in, MatrixView<float> out) {
  const auto wide = kept_->wide.resize(in.rows, w.gate_up.out());
  linear(runtime_, work_, w.gate_up, in, wide);
  const auto inner = kept_->inner.resize(in.rows, config_.block.gated ? wide.cols / 2 : wide.cols);
  if (config_.block.gated)
    kernels::activate_gated(runtime_, config_.activation, wide, inner);
  else
    kernels::activate(runtime_, config_.activation, wide, inner);
  linear(runtime_, work_, w.down, inner, out);
}

void BlockOperator::mlp_gradient(const BlockWeights& w, MatrixView<const float> in,
                                 MatrixView<const float> dout, MatrixView<float> din) {
  const auto wide = std::as_const(kept_->wide).view(), inner = std::as_const(kept_->inner).view();
  const auto dinner = inner_gradient_.resize(inner.rows, inner.cols);
  linear_gradient(runtime_, w.down, inner, dout, dinner);
  const auto dwide = wide_gradient_.resize(wide.rows, wide.cols);
  if (config_.block.gated)
    kernels::activate_gated_gradient(runtime_, config_.activation, wide, dinner, dwide);
  else
    kernels::activate_gradient(runtime_, config_.activation, wide, dinner, dwide);
  linear_gradient(runtime_, w.gate_up, in, dwide, din);
}

}  // namespace farthing::train
