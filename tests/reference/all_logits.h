// Logits of all tokens of one text.
#pragma once

#include <span>
#include <vector>

#include "model/model.h"

namespace farthing::reference {

inline std::vector<float> all_logits(Runtime& runtime, const io::Checkpoint& checkpoint,
                                     std::span<const std::int32_t> tokens,
                                     const model::LoadOptions& options = {}) {
  const auto model = model::Model::load(runtime, checkpoint, options);
  cache::PagedKv kv = model->make_cache(kernels::KvType::kF32);
  const auto rows = static_cast<std::int64_t>(tokens.size());
  const cache::SequenceSlice slice{
      .sequence = kv.open(), .first_row = 0, .count = rows, .first_position = 0};
  std::vector<std::int64_t> all;
  for (std::int64_t r = 0; r < rows; ++r) all.push_back(r);
  std::vector<float> logits;
  model->forward(runtime, {tokens, {&slice, 1}, all}, kv,
                 [&](std::int64_t, MatrixView<const float> slab) {
                   for (std::int64_t r = 0; r < slab.rows; ++r)
                     logits.insert(logits.end(), slab.row_data(r), slab.row_data(r) + slab.cols);
                 });
  return logits;
}

}  // namespace farthing::reference
