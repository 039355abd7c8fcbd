// Attention over a chunk of INT8 keys and values in integers, once for every way Dot of multiplying
// (simd/int_*.h). Both products are the same: 64 bytes of a page hold four inputs of each of 16
// outputs. For queries with keys outputs are positions and inputs features; for weights with values
// outputs are features and inputs positions.
//
//   query[d]  = round(q[d] / q_scale)     within +-8191, a scale a row
//   score[p]  = float(sum over d of query[d] * key[p][d]) * key_scale[p] * (q_scale * rules.scale)
//   weight[p] = round(exp(score[p] - largest) * value_scale[p] / scale)
//                                         within 32639, a scale a row and chunk
//   mix[d]    = float(sum over p of weight[p] * value[p][d]) * scale
//
// The sums are exact in int32, so their order and the shape of the blocks change nothing.
#pragma once

#include "kernels/attention/code_products.h"
#include "kernels/attention/lookahead.h"
#include "kernels/attention/tile_softmax.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// kRows and kVectors: rows and vectors of outputs whose sums registers hold. kBias:
// code_products.h.
template <class Dot, int kRows, int kVectors, int kBias = kCodeBias>
struct CodeBody {
  using F = typename Dot::Isa::Float;
  using Products = CodeProducts<Dot, kBias>;
  using Tile = AttentionTile;
  using Ahead = Lookahead<F>;

  // Functions of their own: all sums stay in registers, or g++ 12 keeps them in memory.
  template <int R, int V>
  [[gnu::noinline]] static void score_vectors(const Tile& t, int row, int page, int slot,
                                              Ahead& ahead) {
    typename Products::template Sums<R, V> sums;
    sums.start(t.query_folds + row);
    const std::byte* block = t.blocks[page];
    const int pitch = code_dwords(t.padded_dim);
    sums.add(block + slot * 4, kKeyGroupBytes, (t.head_dim + 3) / 4, t.queries + row * pitch, pitch,
             [&] { ahead.step(); });
    const float* key_scales = reinterpret_cast<const float*>(block + t.key_scales) + slot;
    float* scores = t.scores + row * kChunkTokens + page * kPageTokens + slot;
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto scale = F::set(t.scales[row + r]);
      FARTHING_UNROLL
      for (int v = 0; v < V; ++v) {
        const auto score = F::mul(sums.floats(r, v), F::load(key_scales + v * kLanes));
        F::store(scores + r * kChunkTokens + v * kLanes, F::mul(score, scale));
      }
    }
  }
  template <int R>
  static void score_page(const Tile& t, Block block, int page, Ahead& ahead) {
    if constexpr (R > 1)
      if (block.rows < R) return score_page<R - 1>(t, block, page, ahead);
    for (int slot = 0; slot < kPageTokens; slot += kVectors * kLanes)
      score_vectors<R, kVectors>(t, block.row, page, slot, ahead);
  }

  struct Weights {  // of all rows
    std::int32_t folds[kTileRows];
    float scales[kTileRows];
  };
  template <int R, int V>
  [[gnu::noinline]] static void mix_vectors(const Tile& t, int row, int v, Range seen,
                                            const Weights& weights, Ahead& ahead) {
    typename Products::template Sums<R, V> sums;
    sums.start(weights.folds + row);
    constexpr int kPitch = code_dwords(kChunkTokens);
    const Range pages = seen.pages();
    for (int page = pages.first; page < pages.last; ++page) {
      const Range part = Range::common(seen.whole(), positions_of(page));
      const auto slot = static_cast<std::size_t>(part.first - page * kPageTokens);
      sums.add(t.blocks[page] + t.values + slot * t.value_stride + v * 64, 4 * t.value_stride,
               (part.last - part.first) / 4, t.weights + row * kPitch + code_dwords(part.first),
               kPitch, [&] { ahead.step(); });
    }
    float* mix = t.result.mix + row * t.padded_dim + v * kLanes;
    FARTHING_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto scale = F::set(weights.scales[row + r]);
      FARTHING_UNROLL
      for (int i = 0; i < V; ++i)
        F::store(mix + r * t.padded_dim + i * kLanes, F::mul(sums.floats(r, i), scale));
    }
  }
  // Vectors of features v .. v + V - 1, as far as there are any.
  template <int R, int V>
  static void mix_rows(const Tile& t, Block block, int v, Range seen, const Weights& weights,
                       Ahead& ahead) {
    if constexpr (R > 1)
      if (block.rows < R) return mix_rows<R - 1, V>(t, block, v, seen, weights, ahead);
    if constexpr (V > 1)
      if (v + V > t.padded_dim / kLanes)
        return mix_rows<R, V - 1>(t, block, v, seen, weights, ahead);
    mix_vectors<R, V>(t, block.row, v, seen, weights, ahead);
  }

  static void attend_chunk(const Tile& t) {
    const Range all = seen_by(t, {0, t.rows}), pages = all.pages();
    const int blocks = (t.rows + kRows - 1) / kRows;
    Ahead ahead(t, pages);
    Range seen[kTileRows];  // at each block's first row
    for (int row = 0; row < t.rows; row += kRows) seen[row] = seen_by(t, block_at(t, row, kRows));
    constexpr int kParts = kPageTokens / (kVectors * kLanes);  // of a page
    ahead.begin(0, blocks * (pages.last - pages.first) * kParts * (t.head_dim / kLanes));
    for (int page = pages.first; page < pages.last; ++page)
      for (int row = 0; row < t.rows; row += kRows)
        if (!Range::common(seen[row], positions_of(page)).empty())
          score_page<kRows>(t, block_at(t, row, kRows), page, ahead);
    Weights weights;
    ahead.begin(1, 3 * t.rows);
    for (int row = 0; row < t.rows; row += kRows)
      weigh(t, block_at(t, row, kRows), seen[row], weights, ahead);
    const Range whole = all.whole();
    const int vectors = t.padded_dim / kLanes;
    ahead.begin(
        2, blocks * ((vectors + kVectors - 1) / kVectors) * ((whole.last - whole.first) / kLanes));
    for (int v = 0; v < vectors; v += kVectors)
      for (int row = 0; row < t.rows; row += kRows)
        if (!seen[row].empty())
          mix_rows<kRows, kVectors>(t, block_at(t, row, kRows), v, seen[row], weights, ahead);
  }
  static void weigh(const Tile& t, Block block, Range seen, Weights& weights, Ahead& ahead) {
    TileSoftmax<F>::template run<Scores::kOfCodes>(t, block, seen, [&] { ahead.step(); });
    if (seen.empty()) return;
    const Range whole = seen.whole();
    for (int r = block.row; r < block.row + block.rows; ++r) {
      const RoundedRow rounded = Products::round(
          t.scores + r * kChunkTokens + whole.first, whole.last - whole.first, t.largest_weights[r],
          kWeightLimit, t.weights + code_dwords(r * kChunkTokens + whole.first));
      weights.scales[r] = rounded.scale;
      weights.folds[r] = rounded.fold;
      ahead.step();
    }
  }

  static constexpr CodeKernels kTable = {Products::round_query, attend_chunk};
};

}  // namespace
}  // namespace farthing::kernels
