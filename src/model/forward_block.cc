// One block of a decoder: norm, attention, add, norm, MLP, add.
#include <cmath>

#include "model/scratch.h"

namespace farthing::model {
namespace {

bool ends_at(const Tap* tap, Slot slot) { return tap != nullptr && tap->last() == slot; }

}  // namespace

void Model::normalize(Runtime& runtime, const Norm& norm, MatrixView<const float> x,
                      MatrixView<float> y) const {
  const auto epsilon = static_cast<float>(config_.norm_epsilon);
  if (config_.block.norm == NormKind::kRms)
    kernels::rms_norm(runtime, x, norm.weight, epsilon, y);
  else
    kernels::layer_norm(runtime, x, norm.weight, norm.bias, epsilon, y);
}

void Model::forward_block(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv,
                          int layer, MatrixView<float> x, Tap* tap) {
  const BlockWeights& w = blocks_->block(layer);
  const BlockRules& rules = config_.block;
  const auto residual = static_cast<float>(config_.residual_scale);
  Scratch& s = *scratch_;
  const auto normed = s.normed.resize(x.rows, x.cols);
  const auto branch = s.branch.resize(x.rows, x.cols);

  // attention
  MatrixView<const float> in = x;
  if (w.attention_norm && !rules.norm_after_add)
    normalize(runtime, w.attention_norm, x, normed), in = normed;
  attention(runtime, batch, kv, layer, w, in, branch, tap);
  if (ends_at(tap, Slot::kQ) || ends_at(tap, Slot::kO)) return;
  if (w.post_attention_norm) normalize(runtime, w.post_attention_norm, branch, branch);

  if (rules.parallel) {  // x + attention(norm(x)) + mlp(norm'(x))
    const auto second = s.second_branch.resize(x.rows, x.cols);
    if (w.mlp_norm) normalize(runtime, w.mlp_norm, x, normed);
    s.x.assign(w.mlp_norm || w.attention_norm ? normed : x);
    mlp(runtime, w.mlp, s.x, second, {.layer = layer}, batch, tap);
    kernels::add_to(runtime, branch, residual, x);
    kernels::add_to(runtime, second, residual, x);
    return;
  }
  if (rules.residual_from_norm && w.attention_norm)
    kernels::scale_by(runtime, 0, x), kernels::add_to(runtime, normed, 1, x);
  kernels::add_to(runtime, branch, residual, x);
  if (rules.norm_after_add) normalize(runtime, w.attention_norm, x, x);

  // MLP
  in = x;
  if (w.mlp_norm && !rules.norm_after_add) normalize(runtime, w.mlp_norm, x, normed), in = normed;
  s.x.assign(in);
  if (config_.sparse(layer))
    experts(runtime, w, layer, s.x, branch, batch, tap);
  else
    mlp(runtime, w.mlp, s.x, branch, {.layer = layer}, batch, tap);
  if (w.post_mlp_norm) normalize(runtime, w.post_mlp_norm, branch, branch);
  if (rules.residual_from_norm && w.mlp_norm)
    kernels::scale_by(runtime, 0, x), kernels::add_to(runtime, normed, 1, x);
  kernels::add_to(runtime, branch, residual, x);
  if (rules.norm_after_add) normalize(runtime, w.mlp_norm, x, x);
}

void Model::attention(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, int layer,
                      const BlockWeights& w, MatrixView<const float> in, MatrixView<float> out,
                      Tap* tap) {
  const ModelConfig& c = config_;
  Scratch& s = *scratch_;
  const Site input{.layer = layer, .slot = Slot::kQ};
  if (tap != nullptr && tap->wants(input)) tap->observe(input, batch, in);
  if (ends_at(tap, Slot::kQ)) return;
  const auto qkv = s.qkv.resize(in.rows, c.q_width() + 2 * c.kv_width());
  s.x.assign(in);
  w.qkv.apply(runtime, s.x, qkv);
  const auto q = qkv.cols_from(0, c.q_width());
  const auto k = qkv.cols_from(c.q_width(), c.kv_width());
  const auto v = qkv.cols_from(c.q_width() + c.kv_width(), c.kv_width());

  if (c.block.head_norm != HeadNorm::kNone) {
    const auto epsilon = static_cast<float>(c.norm_epsilon);
    const bool whole = c.block.head_norm == HeadNorm::kWholeProjection;
    kernels::norm_heads(runtime, q, whole ? c.q_width() : c.head_dim, w.q_norm.weight, epsilon,
                        c.block.head_norm_centred);
    kernels::norm_heads(runtime, k, whole ? c.kv_width() : c.head_dim, w.k_norm.weight, epsilon,
                        c.block.head_norm_centred);
  }
  const std::int64_t window = c.windows[static_cast<std::size_t>(layer)];
  if (c.block.position == PositionKind::kRope && (window > 0 || !c.block.rope_only_with_window)) {
    const auto table = window > 0 ? s.local_table.view() : s.table.view();
    kernels::rotate(runtime, q, c.head_dim, c.rotary_dim, c.block.rope_interleaved, table);
    kernels::rotate(runtime, k, c.head_dim, c.rotary_dim, c.block.rope_interleaved, table);
  }
  const Site keys{.layer = layer, .slot = Slot::kK, .kind = Site::Kind::kKeys},
      values{.layer = layer, .slot = Slot::kV, .kind = Site::Kind::kValues};
  if (tap != nullptr && tap->wants(keys)) tap->observe(keys, batch, k);
  if (tap != nullptr && tap->wants(values)) tap->observe(values, batch, v);

  std::vector<kernels::AttentionSequence> sequences;
  for (const cache::SequenceSlice& slice : batch.sequences) {
    for (std::int64_t r = 0; r < slice.count; ++r) {
      const cache::Position at = slice.first_position + r;
      kernels::store_kv(kv.layout(), kv.page(layer, slice.sequence, at),
                        static_cast<int>(at % kernels::kPageTokens),
                        k.row_data(slice.first_row + r), v.row_data(slice.first_row + r));
    }
    sequences.push_back(
        {slice.first_row, slice.count, slice.first_position, kv.pages(layer, slice.sequence)});
  }
  double scale =
      c.attention_scale > 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_dim));
  if (c.scale_by_layer) scale /= layer + 1;
  const kernels::AttentionRules rules{
      .heads = static_cast<int>(c.heads),
      .scale = static_cast<float>(scale),
      .soft_cap = static_cast<float>(c.attention_soft_cap),
      .window = window,
      .slopes = slopes_,
      .rounded_slope_scale = static_cast<float>(c.rounded_alibi_scale),
      .sinks = {}};
  const auto attended = s.attended.resize(in.rows, c.q_width());
  kernels::attend(runtime, kv.layout(), rules, sequences, q, attended);

  const Site output{.layer = layer, .slot = Slot::kO};
  if (tap != nullptr && tap->wants(output)) tap->observe(output, batch, attended);
  if (ends_at(tap, Slot::kO)) return;
  s.x.assign(attended);
  w.o.apply(runtime, s.x, out);
}

void Model::mlp(Runtime& runtime, const MlpWeights& w, kernels::Activations& in,
                MatrixView<float> out, Site site, const cache::Batch& batch, Tap* tap) {
  Scratch& s = *scratch_;
  site.slot = Slot::kGate;
  if (tap != nullptr && tap->wants(site)) tap->observe(site, batch, in.floats(runtime));
  if (ends_at(tap, Slot::kGate)) return;
  const auto wide = s.wide.resize(out.rows, w.gate_up.out());
  w.gate_up.apply(runtime, in, wide);
  const auto inner = s.inner.resize(out.rows, config_.block.gated ? wide.cols / 2 : wide.cols);
  if (config_.block.gated)
    kernels::activate_gated(runtime, config_.activation, wide, inner);
  else
    kernels::activate(runtime, config_.activation, wide, inner);
  site.slot = Slot::kDown;
  if (tap != nullptr && tap->wants(site)) tap->observe(site, batch, inner);
  if (ends_at(tap, Slot::kDown)) return;
  s.inner_x.assign(inner);
  w.down.apply(runtime, s.inner_x, out);
}

}  // namespace farthing::model
