// Scores of a tile become weights; S is an instruction set of simd/float_*.h.
#pragma once

#include "kernels/attention/tile_rows.h"
#include "simd/math.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// Where scores come from: products of floats; of integers as floats (INT4), which lack the scales
// of the keys; of integers (INT8), to which all scales are applied.
enum class Scores { kOfFloats, kOfNumbers, kOfCodes };

template <class S>
struct TileSoftmax {
  using F = typename S::F;
  using Math = simd::Math<S>;
  using Tile = AttentionTile;
  static constexpr float kNothing = -__builtin_inff();

  // Of every row of the block, scores of the vectors that `seen` touches become weights
  // exp(score - largest), 0 where the row sees nothing; for integer values times their scales. Step
  // by step over the rows, so that none waits for the end of its own sums; after_row() is called
  // twice a row.
  template <Scores kScores, class AfterRow>
  static void run(const Tile& t, Block block, Range seen, AfterRow after_row) {
    const bool plain = t.cap <= 0 && t.slopes == nullptr && t.biases == nullptr;
    for (int r = block.row; r < block.row + block.rows; ++r) {
      plain ? finish_scores<kScores, true>(t, r, seen) : finish_scores<kScores, false>(t, r, seen);
      after_row();
    }
    for (int r = block.row; r < block.row + block.rows; ++r) {
      weigh<kScores != Scores::kOfFloats>(t, r, seen);
      after_row();
    }
  }

 private:
  // Scores as the rules want them, -infinity where row r sees nothing; and the largest of them.
  template <Scores kScores, bool kPlain>
  FARTHING_SIMD void finish_scores(const Tile& t, int r, Range seen) {
    float* const scores = t.scores + r * kChunkTokens;
    const int end = seen.last, first = t.first[r], last = t.last[r];
    const F scale = S::set(t.scales[r]), nothing = S::set(kNothing);
    F largest = nothing;
    for (int p = seen.whole().first; p < end; p += 16) {
      F x = S::load(scores + p);
      if constexpr (kScores == Scores::kOfNumbers) x = S::mul(x, scales(t, t.key_scales, p));
      if constexpr (kScores != Scores::kOfCodes) x = S::mul(x, scale);
      if constexpr (!kPlain) x = bend(t, r, p, x);
      const bool border = p < first || p + 16 > last;
      if (border) x = S::select(S::range(first - p, last - p), x, nothing);
      if (border || !kPlain || kScores != Scores::kOfCodes) S::store(scores + p, x);
      largest = S::max(largest, x);
    }
    t.result.largest[r] = S::largest(largest);
  }
  template <bool kScaled>
  FARTHING_SIMD void weigh(const Tile& t, int r, Range seen) {
    float* const scores = t.scores + r * kChunkTokens;
    const int end = seen.last, first = t.first[r], last = t.last[r];
    const float top = t.result.largest[r];
    const F shift = S::set(top == kNothing ? 0.0f : top);
    F sum = S::zero(), largest = S::zero();
    for (int p = seen.whole().first; p < end; p += 16) {
      F weight = Math::exp_of_weight(S::sub(S::load(scores + p), shift));
      sum = S::add(sum, weight);
      if constexpr (kScaled) {
        weight = S::mul(weight, scales(t, t.value_scales, p));
        if (p < first || p + 16 > last)
          weight = S::select(S::range(first - p, last - p), weight, S::zero());
        largest = S::max(weight, largest);
      }
      S::store(scores + p, weight);
    }
    t.result.sum[r] = S::sum(sum);
    if constexpr (kScaled) t.largest_weights[r] = S::largest(largest);
  }
  FARTHING_SIMD F bend(const Tile& t, int r, int p, F x) {
    if (t.cap > 0) x = S::mul(S::set(t.cap), Math::tanh(S::mul(x, S::set(1.0f / t.cap))));
    if (t.biases != nullptr) return S::add(x, S::load(t.biases + r * kChunkTokens + p));
    if (t.slopes == nullptr) return x;
    const F distance = S::add(S::lanes(), S::set(static_cast<float>(p) + t.offsets[r]));
    return S::fma(S::set(t.slopes[r]), distance, x);
  }
  FARTHING_SIMD F scales(const Tile& t, std::size_t offset, int position) {
    const auto p = static_cast<unsigned>(position);
    const auto* page = reinterpret_cast<const float*>(t.blocks[p / kPageTokens] + offset);
    return S::load(page + p % kPageTokens);
  }
};

}  // namespace
}  // namespace farthing::kernels
