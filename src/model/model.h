// A model that runs: embed, run_blocks and head, which forward() composes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/paged_kv.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "io/checkpoint.h"
#include "model/rope.h"
#include "model/tap.h"
#include "model/weights.h"

namespace farthing::model {

class Model {
 public:
  // Loads the weights of a checkpoint, which must outlive the model. streamed: blocks are loaded
  // when they are needed and only one is resident. Error: bad input, unsupported, out of resources.
  static std::unique_ptr<Model> load(Runtime& runtime, const io::Checkpoint& checkpoint,
                                     const LoadOptions& options = {}, bool streamed = false);

  const ModelConfig& config() const { return config_; }
  const TensorMap& tensors() const { return *map_; }
  BlockSource& blocks() { return *blocks_; }
  const LinearGroup& head_weights() const { return head_; }
  std::size_t bytes() const;  // resident weights
  // Bytes of weights that a pass over `tokens` tokens reads: all but the rows of an untied
  // embedding, and of experts the share that so many tokens meet when each draws its own at random.
  double bytes_read(std::int64_t tokens) const;

  // Whether what is cached of a sequence of one length serves it at the other (LongRoPE).
  bool cache_serves(cache::Position one, cache::Position other) const {
    return rope_.same_for(one, other) && local_rope_.same_for(one, other);
  }

  // A cache of the right layout for this model.
  cache::PagedKv make_cache(kernels::KvType type, std::int64_t capacity_tokens = 0) const;

  // hidden (rows, hidden) = the embeddings of the batch's tokens, positions included where they are
  // learned. Error: bad input for a token outside of the vocabulary.
  void embed(Runtime& runtime, const cache::Batch& batch, MatrixView<float> hidden);
  // Takes hidden through blocks first .. last - 1, storing keys and values. The cache must have
  // been extended to the end of every slice.
  void run_blocks(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, int first,
                  int last, MatrixView<float> hidden, Tap* tap = nullptr);
  // What the head multiplies: rows (rows, width of the head) of hidden behind the last norm.
  MatrixView<const float> head_inputs(Runtime& runtime, MatrixView<const float> hidden);
  // logits (rows, vocab) of rows of hidden. Callers bound the rows: logits leave in slabs.
  void head(Runtime& runtime, MatrixView<const float> hidden, MatrixView<float> logits);

  // Extends the cache and runs the batch; calls sink(first, logits) for slabs of the rows that want
  // logits, first counting those rows.
  using LogitSink = FunctionRef<void(std::int64_t first, MatrixView<const float> logits)>;
  void forward(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, LogitSink sink,
               Tap* tap = nullptr);

 private:
  Model() = default;
  struct Scratch;

  void forward_block(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, int layer,
                     MatrixView<float> x, Tap* tap);
  void attention(Runtime& runtime, const cache::Batch& batch, cache::PagedKv& kv, int layer,
                 const BlockWeights& w, MatrixView<const float> in, MatrixView<float> out,
                 Tap* tap);
  void mlp(Runtime& runtime, const MlpWeights& w, kernels::Activations& in, MatrixView<float> out,
           Site site, const cache::Batch& batch, Tap* tap);
  void experts(Runtime& runtime, const BlockWeights& w, int layer, kernels::Activations& in,
               MatrixView<float> out, const cache::Batch& batch, Tap* tap);
  void normalize(Runtime& runtime, const Norm& norm, MatrixView<const float> x,
                 MatrixView<float> y) const;

  ModelConfig config_;
  std::unique_ptr<TensorMap> map_;
  std::unique_ptr<BlockSource> blocks_;
  std::vector<QuantizedTensor> embedding_;  // its rows, borrowed from the file; none when tied
  LinearGroup head_, project_in_, project_out_;
  std::vector<float> positions_;  // learned, (max_positions + offset, hidden)
  Norm embedding_norm_, final_norm_;
  Rope rope_, local_rope_;
  std::vector<float> slopes_;  // ALiBi
  std::shared_ptr<Scratch> scratch_;
};

}  // namespace farthing::model
