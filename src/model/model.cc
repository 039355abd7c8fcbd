#include "model/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "model/alibi.h"
#include "model/scratch.h"

namespace farthing::model {
namespace {

constexpr std::int64_t kLogitSlab =
    64;  // rows: enough for the matrix kernels, small beside the weights

std::int64_t rows_of(const kernels::Linear& part) { return part.out(); }
std::int64_t rows_of(const QuantizedTensor& part) { return part.shape.rows; }

std::int64_t rows_of(const std::vector<QuantizedTensor>& parts) {
  std::int64_t sum = 0;
  for (const QuantizedTensor& part : parts) sum += part.shape.rows;
  return sum;
}

std::size_t bytes_of(const std::vector<QuantizedTensor>& parts) {
  std::size_t sum = 0;
  for (const QuantizedTensor& part : parts) sum += part.bytes();
  return sum;
}

// A row of a matrix whose rows lie in several parts: the part that has it, and which of its rows it
// is. The row is there.
template <class Part>
std::pair<const Part&, std::int64_t> part_of(const std::vector<Part>& parts, std::int64_t row) {
  std::size_t part = 0;
  while (row >= rows_of(parts[part])) row -= rows_of(parts[part++]);
  return {parts[part], row};
}

void check_rows(std::int64_t rows, const ModelConfig& config, const io::Checkpoint& checkpoint) {
  if (rows != config.vocab)
    bad_input(
        "{}: the parts of the embedding and of the head must have a row for each of the {} tokens "
        "of the vocabulary; found {} rows; is a part missing?",
        printable(checkpoint.path(), 400), config.vocab, rows);
}

}  // namespace

std::unique_ptr<Model> Model::load(Runtime& runtime, const io::Checkpoint& checkpoint,
                                   const LoadOptions& options, bool streamed) {
  std::unique_ptr<Model> model(new Model);
  const Architecture& architecture = architecture_of(checkpoint);
  model->config_ = config_of(architecture, checkpoint);
  const ModelConfig& c = model->config_;
  model->map_ = std::make_unique<TensorMap>(architecture, c, checkpoint);
  const TensorMap& map = *model->map_;
  model->scratch_ = std::make_shared<Scratch>();

  const auto embedding = map.find_rows(Slot::kEmbedding), head = map.find_rows(Slot::kHead);
  if (!c.tied && head.empty())
    bad_input(
        "{}: the head's weights are missing and the configuration does not say "
        "tie_word_embeddings",
        checkpoint.path());
  model->head_ = load_group(runtime, map, options, c.tied ? embedding : head);
  if (!c.tied)
    for (const TensorUnit& unit : embedding) model->embedding_.push_back(map.load(unit));
  check_rows(model->head_.out(), c, checkpoint);
  if (!c.tied) check_rows(rows_of(model->embedding_), c, checkpoint);
  for (const auto& [slot, group] : {std::pair{Slot::kProjectIn, &model->project_in_},
                                    {Slot::kProjectOut, &model->project_out_}})
    if (const auto unit = map.find(slot))
      *group = load_group(runtime, map, options, std::vector{*unit});
  if (c.embedding_dim != c.hidden && !(model->project_in_ && model->project_out_))
    bad_input(
        "{}: embeddings of {} numbers and a model of {} need matrices that project between them; "
        "they are missing",
        checkpoint.path(), c.embedding_dim, c.hidden);
  if (c.block.position == PositionKind::kLearned) {
    const auto unit = map.find(Slot::kPositionEmbedding);
    if (!unit) bad_input("{}: the table of learned positions is missing", checkpoint.path());
    const QuantizedTensor table = map.load(*unit);
    model->positions_.resize(static_cast<std::size_t>(table.shape.size()));
    table.format->dequantize(table, 0,
                             {model->positions_.data(), table.shape.rows, table.shape.cols});
  }
  model->embedding_norm_ = load_norm(map, Slot::kEmbeddingNorm);
  model->final_norm_ = load_norm(map, Slot::kFinalNorm);
  if (c.block.position == PositionKind::kRope) {
    const auto unit = map.find(Slot::kRopeFactors);
    const std::vector<float> factors = unit ? map.load_vector(unit->base) : std::vector<float>{};
    model->rope_ = Rope(c.rope, c.rotary_dim, factors);
    model->local_rope_ = Rope(c.local_rope, c.rotary_dim, factors);
  }
  if (c.block.position == PositionKind::kAlibi) model->slopes_ = alibi_slopes(c.heads);
  model->blocks_ =
      streamed ? streamed_blocks(runtime, map, options) : resident_blocks(runtime, map, options);
  return model;
}

std::size_t Model::bytes() const {
  return blocks_->bytes() + head_.bytes() + project_in_.bytes() + project_out_.bytes() +
         bytes_of(embedding_) + positions_.size() * sizeof(float) +
         (final_norm_.weight.size() + final_norm_.bias.size() + embedding_norm_.weight.size() +
          embedding_norm_.bias.size()) *
             sizeof(float);
}

double Model::bytes_read(std::int64_t tokens) const {
  const auto all = static_cast<double>(blocks_->bytes() + head_.bytes() + project_in_.bytes() +
                                       project_out_.bytes());
  if (config_.experts == 0) return all;
  const double chance =
      static_cast<double>(config_.experts_per_token) / static_cast<double>(config_.experts);
  const double not_met = std::pow(1 - chance, static_cast<double>(tokens));
  return all - not_met * static_cast<double>(blocks_->expert_bytes());
}

cache::PagedKv Model::make_cache(kernels::KvType type, std::int64_t capacity_tokens) const {
  const kernels::KvLayout layout{.type = type,
                                 .kv_heads = static_cast<int>(config_.kv_heads),
                                 .head_dim = static_cast<int>(config_.head_dim)};
  return {layout, config_.windows, capacity_tokens};
}

void Model::embed(Runtime& runtime, const cache::Batch& batch, MatrixView<float> hidden) {
  const auto rows = static_cast<std::int64_t>(batch.tokens.size());
  const auto embedded =
      project_in_ ? scratch_->embedded.resize(rows, config_.embedding_dim) : hidden;
  for (std::int64_t r = 0; r < rows; ++r) {
    const cache::Token token = batch.tokens[static_cast<std::size_t>(r)];
    if (token < 0 || token >= config_.vocab)
      bad_input("token {} is outside of the vocabulary; it must be from 0 to {}", token,
                config_.vocab - 1);
    if (config_.tied) {
      const auto [part, row] = part_of(head_.parts(), token);
      part.unpack_row(row, embedded.row(r));
    } else {
      const auto [part, row] = part_of(embedding_, token);
      part.format->dequantize(part, row, embedded.rows_from(r, 1));
    }
  }
  if (project_in_) {
    scratch_->x.assign(embedded);
    project_in_.apply(runtime, scratch_->x, hidden);
  }
  if (config_.embedding_scale != 1)
    kernels::scale_by(runtime, static_cast<float>(config_.embedding_scale), hidden);
  if (!positions_.empty())
    for (const cache::SequenceSlice& slice : batch.sequences)
      for (std::int64_t r = 0; r < slice.count; ++r) {
        const std::int64_t row = slice.first_position + r + config_.position_offset;
        if (slice.first_position + r >= config_.max_positions)
          bad_input(
              "position {} is beyond the {} learned positions of this model; use a shorter text",
              slice.first_position + r, config_.max_positions);
        const float* from = positions_.data() + row * config_.hidden;
        float* to = hidden.row_data(slice.first_row + r);
        for (std::int64_t j = 0; j < config_.hidden; ++j) to[j] += from[j];
      }
  if (embedding_norm_) normalize(runtime, embedding_norm_, hidden, hidden);
}

void Model::run_blocks(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, int first,
                       int last, MatrixView<float> hidden, Tap* tap) {
  if (config_.block.position == PositionKind::kRope) {
    rope_.fill(batch, scratch_->table.resize(hidden.rows, config_.rotary_dim));
    local_rope_.fill(batch, scratch_->local_table.resize(hidden.rows, config_.rotary_dim));
  }
  for (int layer = first; layer < last; ++layer) {
    const Site in{.layer = layer, .kind = Site::Kind::kBlockInput},
        out{.layer = layer, .kind = Site::Kind::kBlockOutput};
    if (tap != nullptr && tap->wants(in)) tap->observe(in, batch, hidden);
    forward_block(runtime, batch, kv, layer, hidden, tap);
    if (tap != nullptr && tap->wants(out)) tap->observe(out, batch, hidden);
  }
}

MatrixView<const float> Model::head_inputs(Runtime& runtime, MatrixView<const float> hidden) {
  Scratch& s = *scratch_;
  MatrixView<const float> x = hidden;
  if (final_norm_) {
    const auto normed = s.normed.resize(hidden.rows, hidden.cols);
    normalize(runtime, final_norm_, hidden, normed);
    x = normed;
  }
  if (project_out_) {
    const auto projected = s.embedded.resize(hidden.rows, config_.embedding_dim);
    s.x.assign(x);
    project_out_.apply(runtime, s.x, projected);
    x = projected;
  }
  return x;
}

void Model::head(Runtime& runtime, MatrixView<const float> hidden, MatrixView<float> logits) {
  Scratch& s = *scratch_;
  s.x.assign(head_inputs(runtime, hidden));
  head_.apply(runtime, s.x, logits,
              {.accumulate = false, .scale = static_cast<float>(config_.logit_scale)});
  if (config_.final_soft_cap > 0)
    kernels::soft_cap(runtime, static_cast<float>(config_.final_soft_cap), logits);
}

void Model::forward(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, LogitSink sink,
                    Tap* tap) {
  Scratch& s = *scratch_;
  for (const cache::SequenceSlice& slice : batch.sequences)
    kv.extend(slice.sequence, slice.first_position + slice.count);
  const auto hidden =
      s.hidden.resize(static_cast<std::int64_t>(batch.tokens.size()), config_.hidden);
  embed(runtime, batch, hidden);
  run_blocks(runtime, batch, kv, 0, static_cast<int>(config_.layers), hidden, tap);
  const auto wanted = static_cast<std::int64_t>(batch.rows_wanting_logits.size());
  for (std::int64_t first = 0; first < wanted; first += kLogitSlab) {
    const std::int64_t count = std::min(kLogitSlab, wanted - first);
    const auto rows = s.wanted.resize(count, config_.hidden);
    for (std::int64_t i = 0; i < count; ++i)
      std::ranges::copy(hidden.row(batch.rows_wanting_logits[static_cast<std::size_t>(first + i)]),
                        rows.row_data(i));
    const auto logits = s.logits.resize(count, config_.vocab);
    head(runtime, rows, logits);
    sink(first, logits);
  }
}

}  // namespace farthing::model
