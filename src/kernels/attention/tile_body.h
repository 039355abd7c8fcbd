// The one body of attention over a chunk whose products are those of floats, and of what comes
// after the chunks; S is an instruction set of simd/float_*.h.
//
// Rows are taken in blocks of S::kRegisterRows.
#pragma once

#include "kernels/attention/tile_products.h"
#include "kernels/attention/tile_softmax.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

template <class S>
struct TileBody {
  using F = typename S::F;
  using Math = simd::Math<S>;
  using Tile = AttentionTile;
  using Pointer = const std::byte*;

  FARTHING_SIMD Block rows_at(const Tile& t, int row) { return block_at(t, row, S::kRegisterRows); }

  // The product of kRows rows at most with pages `page` .. `page` + `pages` - 1.
  template <class Numbers, int kRows>
  FARTHING_SIMD void score_rows(const Tile& t, const Pointer* blocks, const Pointer* ahead,
                                Block block, int page, int pages) {
    if constexpr (kRows > 1)
      if (block.rows < kRows)
        return score_rows<Numbers, kRows - 1>(t, blocks, ahead, block, page, pages);
    using Products = TileProducts<S, Numbers>;
    constexpr int kPages = S::kRegisterRows / kRows >= 4   ? 4
                           : S::kRegisterRows / kRows >= 2 ? 2
                                                           : 1;
    const float* q = t.q + block.row * t.head_dim;
    float* out = t.scores + block.row * kChunkTokens + page * kPageTokens;
    int p = 0;
    for (; p + kPages <= pages; p += kPages)
      Products::template scores<kRows, kPages>(blocks + p, ahead + p, t.head_dim, q,
                                               out + p * kPageTokens);
    for (; p < pages; ++p)
      Products::template scores<kRows, 1>(blocks + p, ahead + p, t.head_dim, q,
                                          out + p * kPageTokens);
  }

  template <class Numbers, int kRows>
  FARTHING_SIMD void mix_rows(const Tile& t, const ValueStretch* stretches, int count,
                              std::size_t stride, Block block) {
    if constexpr (kRows > 1)
      if (block.rows < kRows)
        return mix_rows<Numbers, kRows - 1>(t, stretches, count, stride, block);
    constexpr int kVectors = S::kRegisterRows / kRows >= 2 ? 4 : 2;
    float* mix = t.result.mix + block.row * t.padded_dim;
    int v = 0;
    for (; v + kVectors <= t.padded_dim / 16; v += kVectors)
      mix_vectors<Numbers, kRows, kVectors>(stretches, count, stride, v, t.padded_dim, mix);
    for (; v < t.padded_dim / 16; ++v)
      mix_vectors<Numbers, kRows, 1>(stretches, count, stride, v, t.padded_dim, mix);
  }
  template <class Numbers, int kRows, int kVectors>
  FARTHING_SIMD void mix_vectors(const ValueStretch* stretches, int count, std::size_t stride,
                                 int v, int padded_dim, float* mix) {
    typename TileProducts<S, Numbers>::template Mix<kRows, kVectors> sums;
    sums.clear();
    for (int i = 0; i < count; ++i) sums.add(stretches[i], stride, v);
    sums.store(mix, v, padded_dim);
  }

  // Few rows, straight from the pages.
  template <class Numbers>
  static void attend_direct(const Tile& t) {
    const Block block{0, t.rows};
    const Range seen = seen_by(t, block);
    const int page = seen.pages().first, end = seen.pages().last;
    const Stream stream(t, seen.pages());
    score_rows<Numbers, S::kRegisterRows>(t, t.blocks + page, stream.keys_ahead + page, block, page,
                                          end - page);
    softmax_rows<Numbers::kScores>(t);
    ValueStretch stretches[kChunkPages];
    for (int p = page; p < end; ++p) {
      const Range part = Range::common(seen, positions_of(p));
      const int start = p * kPageTokens;
      stretches[p - page] = {t.blocks[p] + t.values, stream.values_ahead[p], part.first - start,
                             part.last - start, t.scores + start};
    }
    mix_rows<Numbers, S::kRegisterRows>(t, stretches, end - page, t.value_stride, block);
  }

  // Many rows: each page is converted to floats once and all blocks of rows read that.
  template <class Numbers>
  static void score_page(const Tile& t, int page, Pointer ahead) {
    TileProducts<S, Numbers>::convert_keys(t.blocks[page], ahead, t.values, t.head_dim, t.floats);
    const Pointer keys = reinterpret_cast<Pointer>(t.floats);
    for (int row = 0; row < t.rows; row += S::kRegisterRows) {
      const Block block = rows_at(t, row);
      if (Range::common(seen_by(t, block), positions_of(page)).empty()) continue;
      score_rows<NumbersNear<S>, S::kRegisterRows>(t, &keys, &keys, block, page, 1);
    }
  }
  template <class Numbers>
  static void attend_converted(const Tile& t) {
    const Range seen = seen_by(t, {0, t.rows});
    const int first = seen.pages().first, end = seen.pages().last;
    const Stream stream(t, seen.pages());
    for (int page = first; page < end; ++page)
      score_page<Numbers>(t, page, stream.keys_ahead[page]);
    softmax_rows<Numbers::kScores>(t);
    for (int page = first; page < end; ++page) {
      const Range part = Range::common(seen, positions_of(page));
      const int start = page * kPageTokens;
      TileProducts<S, Numbers>::convert_values(
          t.blocks[page] + t.values, stream.values_ahead[page], t.value_stride, part.first - start,
          part.last - start, t.padded_dim, t.floats + start * t.padded_dim);
    }
    const Pointer values = reinterpret_cast<Pointer>(t.floats);
    for (int row = 0; row < t.rows; row += S::kRegisterRows) {
      const Block block = rows_at(t, row);
      const Range mine = seen_by(t, block);
      if (mine.empty()) continue;
      const ValueStretch all{values, values, mine.first, mine.last, t.scores + row * kChunkTokens};
      mix_rows<NumbersNear<S>, S::kRegisterRows>(
          t, &all, 1, static_cast<std::size_t>(t.padded_dim) * sizeof(float), block);
    }
  }

  template <Scores kScores>
  static void softmax_rows(const Tile& t) {
    for (int row = 0; row < t.rows; row += S::kRegisterRows) {
      const Block block = rows_at(t, row);
      TileSoftmax<S>::template run<kScores>(t, block, seen_by(t, block), [] {});
    }
  }

  template <class Numbers>
  static void attend(const Tile& t) {
    t.rows <= S::kRegisterRows ? attend_direct<Numbers>(t) : attend_converted<Numbers>(t);
  }
  static void attend_chunk(const Tile& t) {
    switch (t.type) {
      case KvType::kF32:
        return attend<NumbersF32<S>>(t);
      case KvType::kBf16:
        return attend<NumbersBf16<S>>(t);
      case KvType::kF16:
        return attend<NumbersF16<S>>(t);
      case KvType::kInt8:
        return;  // code_body.h
      case KvType::kInt4:
        return attend<NumbersInt4<S>>(t);
    }
  }

  FARTHING_SIMD float exp(float x) { return S::first(Math::exp(S::set(x))); }

  static void join(int rows, int padded_dim, const TilePartial& chunk, const TilePartial& total) {
    float old_share[kTileRows], new_share[kTileRows];
    for (int r = 0; r < rows; r += 16) {
      const int count = rows - r;
      const F fresh = S::load_first(chunk.largest + r, count);
      const F old = S::load_first(total.largest + r, count), top = S::max(fresh, old);
      S::store_first(old_share + r, Math::exp(S::sub(old, top)), count);
      S::store_first(new_share + r, Math::exp(S::sub(fresh, top)), count);
      S::store_first(total.largest + r, top, count);
    }
    for (int r = 0; r < rows; ++r) {
      if (chunk.largest[r] == TileSoftmax<S>::kNothing) continue;
      total.sum[r] = total.sum[r] * old_share[r] + chunk.sum[r] * new_share[r];
      const F a = S::set(old_share[r]), b = S::set(new_share[r]);
      const float* mix = chunk.mix + r * padded_dim;
      float* out = total.mix + r * padded_dim;
      for (int i = 0; i < padded_dim; i += 16)
        S::store(out + i, S::fma(S::load(mix + i), b, S::mul(S::load(out + i), a)));
    }
  }

  static void finish(float largest, float sum, const float* mix, const float* sink, int size,
                     float* out) {
    float share = 1.0f;
    if (sink != nullptr) {
      const float top = *sink > largest ? *sink : largest;
      share = exp(largest - top);
      sum = sum * share + exp(*sink - top);
    }
    const F factor = S::set(share / sum);
    int i = 0;
    for (; i + 16 <= size; i += 16) S::store(out + i, S::mul(S::load(mix + i), factor));
    if (i < size) S::store_first(out + i, S::mul(S::load(mix + i), factor), size - i);
  }

  static constexpr TileKernels kTable = {attend_chunk, join, finish};
};

}  // namespace
}  // namespace farthing::kernels
