// The angles of the rotary embedding (Su et al., 2021) and the scalings that lengthen it.
#pragma once

#include <span>
#include <vector>

#include "cache/batch.h"
#include "model/config.h"
#include "tensor/matrix_view.h"

namespace farthing::model {

class Rope {
 public:
  Rope() = default;
  // factors: divisors of the frequencies that a GGUF file brings, or empty. Error: bad input.
  Rope(const RopeConfig& config, std::int64_t rotary_dim, std::span<const float> factors);

  // table (rows, rotary_dim): cosines, then sines, at each row's position. Where the scaling
  // depends on the length (dynamic, longrope), that is the length which the slice reaches or the
  // sequence is known to reach.
  void fill(const cache::Batch& batch, MatrixView<float> table) const;
  // Whether keys that were rotated when a sequence had one length serve it at the other. LongRoPE
  // has two sets of frequencies; dynamic scaling leaves old keys as they are, as transformers does.
  bool same_for(cache::Position one, cache::Position other) const;

 private:
  std::vector<double> frequencies(double length) const;

  RopeConfig config_;
  std::int64_t rotary_dim_ = 0;
  std::vector<double> short_, long_;  // frequencies; long_ empty: one set for every length
  double attention_factor_ = 1;
};

}  // namespace farthing::model
