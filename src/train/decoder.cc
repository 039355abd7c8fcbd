#include "train/decoder.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "kernels/dense/dense.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gradients/gradients.h"

namespace farthing::train {
namespace {

bool all_finite(MatrixView<const float> m) {
  for (std::int64_t r = 0; r < m.rows; ++r)
    for (std::int64_t c = 0; c < m.cols; ++c)
      if (!std::isfinite(m.row_data(r)[c])) return false;
  return true;
}

// table[token] += rows of dy, in their order; each thread takes some columns.
void scatter(Runtime& runtime, std::span<const std::int64_t> into, MatrixView<const float> dy,
             MatrixView<float> table) {
  constexpr std::int64_t kColumns = 64;
  runtime.parallel(
      (dy.cols + kColumns - 1) / kColumns, 1, [&](std::int64_t piece, std::int64_t end) {
        for (; piece < end; ++piece) {
          const std::int64_t first = piece * kColumns, n = std::min(kColumns, dy.cols - first);
          for (std::int64_t r = 0; r < dy.rows; ++r) {
            float* to = table.row_data(into[static_cast<std::size_t>(r)]) + first;
            const float* from = dy.row_data(r) + first;
            for (std::int64_t j = 0; j < n; ++j) to[j] += from[j];
          }
        }
      });
}

std::vector<std::int64_t> position_rows(const TrainingBatch& batch, std::int64_t offset) {
  std::vector<std::int64_t> rows;
  for (const std::int64_t length : batch.lengths)
    for (std::int64_t p = 0; p < length; ++p) rows.push_back(p + offset);
  return rows;
}

}  // namespace

std::int64_t logit_rows(std::int64_t vocabulary) {
  constexpr std::int64_t kLogits = std::int64_t{2} << 20;
  return std::clamp<std::int64_t>(kLogits / vocabulary, 128, 1024);
}

Decoder::Decoder(Runtime& runtime, const model::TensorMap& map, ParameterSet::Use use)
    : runtime_(runtime),
      config_(map.config()),
      parameters_(use),
      ends_(load_end_weights(map, parameters_)),
      positions_(map),
      norms_(config_),
      block_(runtime, config_) {
  for (int layer = 0; layer < config_.layers; ++layer)
    blocks_.push_back(load_block_weights(map, layer, parameters_));
  states_.resize(static_cast<std::size_t>(config_.layers + 1));
}

void Decoder::embed(const TrainingBatch& batch, MatrixView<float> hidden) {
  const auto table = ends_.embedding->value.view();
  const bool projects = !ends_.project_in.parts.empty();
  const auto embedded = projects ? embedded_.resize(hidden.rows, config_.embedding_dim) : hidden;
  for (std::int64_t r = 0; r < hidden.rows; ++r) {
    const Token token = batch.tokens[static_cast<std::size_t>(r)];
    if (token < 0 || token >= config_.vocab)
      bad_input("token {} is outside of the vocabulary; it must be from 0 to {}", token,
                config_.vocab - 1);
    std::copy_n(table.row_data(token), table.cols, embedded.row_data(r));
  }
  if (projects) linear(runtime_, work_, ends_.project_in, embedded, hidden);
  if (config_.embedding_scale != 1)
    kernels::scale_by(runtime_, static_cast<float>(config_.embedding_scale), hidden);
  if (ends_.positions != nullptr) {
    const auto rows = position_rows(batch, config_.position_offset);
    const auto places = ends_.positions->value.view();
    for (std::int64_t r = 0; r < hidden.rows; ++r) {
      const std::int64_t row = rows[static_cast<std::size_t>(r)];
      if (row >= places.rows)
        bad_input("sequences of {} tokens are longer than the {} learned positions of this model",
                  row - config_.position_offset + 1, config_.max_positions);
      for (std::int64_t j = 0; j < hidden.cols; ++j)
        hidden.row_data(r)[j] += places.row_data(row)[j];
    }
  }
  if (!ends_.embedding_norm.present) return;
  std::copy_n(hidden.data, hidden.rows * hidden.cols, raw_.resize(hidden.rows, hidden.cols).data);
  norms_.forward(runtime_, work_, ends_.embedding_norm, std::as_const(raw_).view(), hidden);
}

void Decoder::embed_gradient(const TrainingBatch& batch, MatrixView<float> dhidden) {
  if (ends_.embedding_norm.present)
    norms_.backward(runtime_, work_, ends_.embedding_norm, std::as_const(raw_).view(), dhidden);
  if (ends_.positions != nullptr && ends_.positions->trains())
    scatter(runtime_, position_rows(batch, config_.position_offset), dhidden,
            ends_.positions->gradient.view());
  if (config_.embedding_scale != 1)
    kernels::scale_by(runtime_, static_cast<float>(config_.embedding_scale), dhidden);
  MatrixView<float> dembedded = dhidden;
  if (!ends_.project_in.parts.empty()) {
    dembedded = scratch_.resize(dhidden.rows, config_.embedding_dim);
    linear_gradient(runtime_, ends_.project_in, std::as_const(embedded_).view(), dhidden,
                    dembedded);
  }
  if (!ends_.embedding->trains()) return;
  const std::vector<std::int64_t> into(batch.tokens.begin(), batch.tokens.end());
  scatter(runtime_, into, dembedded, ends_.embedding->gradient.view());
}

void Decoder::run_blocks(const TrainingBatch& batch) {
  const auto rows = std::ssize(batch.tokens);
  rows_ = positions_.batch(batch.lengths);
  embed(batch, states_[0].resize(rows, config_.hidden));
  for (int layer = 0; layer < config_.layers; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    if (!kept_.empty()) block_.use(kept_[l]);
    block_.forward(blocks_[l], layer, rows_, std::as_const(states_[l]).view(),
                   states_[l + 1].resize(rows, config_.hidden));
  }
}

BatchLoss Decoder::head(const TrainingBatch& batch, Objective& objective, bool train) {
  const auto x = std::as_const(states_.back()).view();
  const auto normed = normed_.resize(x.rows, x.cols);
  if (ends_.final_norm.present)
    norms_.forward(runtime_, work_, ends_.final_norm, x, normed);
  else
    std::copy_n(x.data, x.rows * x.cols, normed.data);
  MatrixView<const float> in = normed;
  const bool projects = !ends_.project_out.parts.empty();
  if (projects) {
    const auto projected = projected_.resize(x.rows, config_.embedding_dim);
    linear(runtime_, work_, ends_.project_out, normed, projected);
    in = projected;
  }
  const auto w = std::as_const(ends_.head->value).view();
  const auto turned = head_turned_.resize(w.cols, w.rows);
  kernels::transpose(runtime_, w, turned);
  const auto dnormed = gradient_.resize(x.rows, x.cols);
  const auto din = projects ? projected_gradient_.resize(in.rows, in.cols) : dnormed;
  const auto scale = static_cast<float>(config_.logit_scale);
  const auto cap = static_cast<float>(config_.final_soft_cap);

  BatchLoss sum;
  const std::int64_t slab = logit_rows(config_.vocab);
  for (std::int64_t first = 0; first < x.rows; first += slab) {
    const std::int64_t count = std::min(slab, x.rows - first);
    const auto rows = in.rows_from(first, count);
    const auto logits = logits_.resize(count, w.rows);
    kernels::set_product(runtime_, rows, turned, logits);
    if (scale != 1) kernels::scale_by(runtime_, scale, logits);
    Matrix<float> capped;
    if (cap > 0) {
      kernels::soft_cap(runtime_, cap, logits);
      if (train) std::copy_n(logits.data, count * w.rows, capped.resize(count, w.rows).data);
    }
    const RowLoss loss = objective.apply(batch, first, logits);
    sum.total += loss.total, sum.divergence += loss.divergence, sum.labels += loss.labels;
    if (!train) continue;
    if (cap > 0)
      for (std::int64_t i = 0; i < count * w.rows; ++i) {
        const float share = capped.view().data[i] / cap;
        logits.data[i] *= 1 - share * share;
      }
    if (scale != 1) kernels::scale_by(runtime_, scale, logits);
    kernels::set_product(runtime_, logits, w, din.rows_from(first, count));
    weight_gradient(runtime_, *ends_.head, rows, logits);
  }
  for (double* part : {&sum.total, &sum.divergence, &sum.labels}) *part *= batch.row_weight;
  if (!train) return sum;
  if (projects) linear_gradient(runtime_, ends_.project_out, normed, std::as_const(din), dnormed);
  if (ends_.final_norm.present) norms_.backward(runtime_, work_, ends_.final_norm, x, dnormed);
  return sum;
}

BatchLoss Decoder::evaluate(const TrainingBatch& batch, Objective& objective) {
  objective.start(batch);
  run_blocks(batch);
  return head(batch, objective, false);
}

BatchLoss Decoder::accumulate(const TrainingBatch& batch, Objective& objective) {
  objective.start(batch);
  run_blocks(batch);
  BatchLoss loss = head(batch, objective, true);
  if (!std::isfinite(loss.total)) refuse_loss(loss.total);
  const auto dy = gradient_.view();
  const auto rows = std::ssize(batch.tokens);
  for (int layer = static_cast<int>(config_.layers) - 1; layer >= 0; --layer) {
    const auto l = static_cast<std::size_t>(layer);
    loss.hidden += objective.hidden(batch, layer, std::as_const(states_[l + 1]).view(), dy);
    if (!kept_.empty())
      block_.use(kept_[l]);
    else if (layer + 1 < config_.layers)  // of the last one everything is still there
      block_.forward(blocks_[l], layer, rows_, std::as_const(states_[l]).view(),
                     scratch_.resize(rows, config_.hidden));
    block_.backward(blocks_[l], layer, rows_, dy);
  }
  embed_gradient(batch, dy);
  loss.total += loss.hidden;
  return loss;
}

void Decoder::refuse_loss(double loss) const {
  std::string where = "the head";
  if (!all_finite(states_[0].view())) {
    where = "the embedding";
  } else {
    for (std::size_t l = 1; l < states_.size(); ++l)
      if (!all_finite(states_[l].view())) {
        where = fmt::format("layer {}", l - 1);
        break;
      }
  }
  bad_input("the loss became {}; the first numbers that are none are in {}; lower --lr or --clip",
            std::isnan(loss) ? "not a number" : "infinite", where);
}

}  // namespace farthing::train
