// Feeds random tokens to a model: what every bench of a model does.
#pragma once

#include <vector>

#include "bench/machine.h"
#include "core/random.h"
#include "model/model.h"

namespace farthing::bench {

class Driver {
 public:
  Driver(Runtime& runtime, model::Model& model, kernels::KvType kv);

  // Sequences that hold `context` random tokens each, in a cache of their own.
  class Sequences {
   public:
    std::int64_t length() const { return length_; }
    std::int64_t count() const { return std::ssize(handles_); }

   private:
    friend class Driver;
    explicit Sequences(cache::PagedKv kv) : kv_(std::move(kv)) {}
    cache::PagedKv kv_;
    std::vector<int> handles_;
    std::int64_t length_ = 0;
  };
  Sequences open(std::int64_t count, std::int64_t context = 0);
  // Each sequence takes `tokens` more, in chunks; logits of the last. Returns the seconds it took.
  double feed(Sequences& sequences, std::int64_t tokens);
  // Forgets what came after `length`, by computing anew where a window gave pages back.
  void rewind(Sequences& sequences, std::int64_t length);

  // What one pass needs: `tokens` new ones for each of `batch` sequences that hold `context`.
  Work work(std::int64_t batch, std::int64_t tokens, std::int64_t context) const;
  // Bytes that such a pass keeps in memory besides the weights.
  double memory(std::int64_t batch, std::int64_t length) const;

  std::int64_t max_positions() const { return model_.config().max_positions; }
  kernels::KvType kv() const { return kv_type_; }

 private:
  void pass(Sequences& sequences, std::int64_t tokens);

  Runtime& runtime_;
  model::Model& model_;
  kernels::KvType kv_type_;
  std::size_t kv_bytes_per_token_;  // of a layer
  Work token_, head_;               // of the blocks' matrices and of the head; no bytes
  Random random_{1};
};

}  // namespace farthing::bench
