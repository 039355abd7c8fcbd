#include "kernels/attention/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace farthing::kernels {
namespace {

// Online softmax over the positions that one token may see, all heads.
void attend_token(const KvLayout& layout, const AttentionRules& rules,
                  const AttentionSequence& sequence, std::int64_t position, const float* q,
                  float* out) {
  const auto dim = static_cast<std::size_t>(layout.head_dim);
  const auto heads = static_cast<std::size_t>(rules.heads);
  const auto group = heads / static_cast<std::size_t>(layout.kv_heads);
  const std::int64_t first =
      rules.window > 0 ? std::max<std::int64_t>(0, position - rules.window + 1) : 0;
  // A shift of all scores changes nothing but the sink's share; near the token floats are finest.
  const std::int64_t origin = rules.sinks.empty() ? position : 0;
  std::vector<float> k(dim * static_cast<std::size_t>(layout.kv_heads)), v(k.size());
  std::vector<float> largest(heads, -INFINITY), sum(heads, 0.0f);
  std::fill(out, out + heads * dim, 0.0f);
  for (std::int64_t p = first; p <= position; ++p) {
    load_kv(layout, sequence.pages[static_cast<std::size_t>(p / kPageTokens)],
            static_cast<int>(p % kPageTokens), k.data(), v.data());
    for (std::size_t h = 0; h < heads; ++h) {
      const float* key = k.data() + h / group * dim;
      const float* value = v.data() + h / group * dim;
      float score = 0.0f;
      for (std::size_t d = 0; d < dim; ++d) score += q[h * dim + d] * key[d];
      score *= rules.scale;
      if (rules.soft_cap > 0) score = rules.soft_cap * std::tanh(score / rules.soft_cap);
      if (!rules.slopes.empty()) score += rules.slopes[h] * static_cast<float>(p - origin);
      const float grown = std::max(largest[h], score);
      const float shrink = std::exp(largest[h] - grown), weight = std::exp(score - grown);
      largest[h] = grown;
      sum[h] = sum[h] * shrink + weight;
      for (std::size_t d = 0; d < dim; ++d)
        out[h * dim + d] = out[h * dim + d] * shrink + weight * value[d];
    }
  }
  for (std::size_t h = 0; h < heads; ++h) {
    float shrink = 1.0f;
    if (!rules.sinks.empty()) {
      const float grown = std::max(largest[h], rules.sinks[h]);
      shrink = std::exp(largest[h] - grown);
      sum[h] = sum[h] * shrink + std::exp(rules.sinks[h] - grown);
    }
    for (std::size_t d = 0; d < dim; ++d) out[h * dim + d] *= shrink / sum[h];
  }
}

}  // namespace

void attend(Runtime& runtime, const KvLayout& layout, const AttentionRules& rules,
            std::span<const AttentionSequence> sequences, MatrixView<const float> q,
            MatrixView<float> out) {
  assert(rules.heads % layout.kv_heads == 0);
  assert(q.cols == static_cast<std::int64_t>(rules.heads) * layout.head_dim && out.cols == q.cols);
  for (const auto& sequence : sequences)
    runtime.parallel(sequence.count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        attend_token(layout, rules, sequence, sequence.first_position + i,
                     q.row_data(sequence.first_row + i), out.row_data(sequence.first_row + i));
    });
}

}  // namespace farthing::kernels
