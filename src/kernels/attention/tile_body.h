// The one body of attention over a chunk; S is an instruction set of simd/float_*.h.
//
// Rows are taken in blocks of S::kTileRows. With few rows the pages are read as they are, in both
// products; with more, each page is converted to floats once and all blocks read that.
#pragma once

#include "kernels/attention/tile_products.h"
#include "simd/math.h"

namespace farthing::kernels {

template <class S>
struct TileBody {
  using F = typename S::F;
  using Math = simd::Math<S>;
  using Tile = AttentionTile;
  static constexpr float kNothing = -__builtin_inff();

  struct Range {  // of positions in the chunk
    int first, last;
    FARTHING_SIMD Range common(Range a, Range b) {
      return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
    }
    [[gnu::always_inline]] inline bool empty() const { return first >= last; }
  };
  struct Block {  // of rows
    int row, rows;
  };
  FARTHING_SIMD Block block_at(const Tile& t, int row) {
    const int left = t.rows - row;
    return {row, left < S::kTileRows ? left : S::kTileRows};
  }
  // What any row of the block sees.
  FARTHING_SIMD Range seen_by(const Tile& t, Block block) {
    Range range{kChunkTokens, 0};
    for (int r = block.row; r < block.row + block.rows; ++r) {
      if (t.first[r] >= t.last[r]) continue;
      range.first = t.first[r] < range.first ? t.first[r] : range.first;
      range.last = t.last[r] > range.last ? t.last[r] : range.last;
    }
    return range;
  }

  template <class Numbers, int kRows>
  FARTHING_SIMD void score_rows(const Tile& t, const std::byte* const* blocks, Block block,
                                int page, int pages) {
    if constexpr (kRows > 1)
      if (block.rows < kRows) return score_rows<Numbers, kRows - 1>(t, blocks, block, page, pages);
    using Products = TileProducts<S, Numbers>;
    constexpr int kPages = S::kTileRows / kRows >= 4 ? 4 : S::kTileRows / kRows >= 2 ? 2 : 1;
    const float* q = t.q + block.row * t.head_dim;
    float* scores = t.scores + block.row * kChunkTokens + page * kPageTokens;
    int p = 0;
    for (; p + kPages <= pages; p += kPages)
      Products::template scores<kRows, kPages>(blocks + p, t.head_dim, q, scores + p * kPageTokens);
    for (; p < pages; ++p)
      Products::template scores<kRows, 1>(blocks + p, t.head_dim, q, scores + p * kPageTokens);
  }

  template <class Numbers, int kRows>
  FARTHING_SIMD void mix_rows(const Tile& t, const std::byte* values, std::size_t stride,
                              Block block, int page, Range in_page) {
    if constexpr (kRows > 1)
      if (block.rows < kRows)
        return mix_rows<Numbers, kRows - 1>(t, values, stride, block, page, in_page);
    using Products = TileProducts<S, Numbers>;
    constexpr int kVectors = S::kTileRows / kRows >= 2 ? 4 : 2;
    const float* weights = t.scores + block.row * kChunkTokens + page * kPageTokens;
    float* out = t.mix + block.row * t.padded_dim;
    int v = 0;
    for (; v + kVectors <= t.padded_dim / 16; v += kVectors)
      Products::template mix<kRows, kVectors>(values, stride, in_page.first, in_page.last, weights,
                                              v, t.padded_dim, out);
    for (; v < t.padded_dim / 16; ++v)
      Products::template mix<kRows, 1>(values, stride, in_page.first, in_page.last, weights, v,
                                       t.padded_dim, out);
  }

  FARTHING_SIMD Range positions_of(int page) {
    return {page * kPageTokens, (page + 1) * kPageTokens};
  }

  // Few rows: one block, straight from the pages.
  template <class Numbers>
  static void score_block(const Tile& t, Block block, Range seen) {
    const int page = seen.first / kPageTokens, end = (seen.last + kPageTokens - 1) / kPageTokens;
    score_rows<Numbers, S::kTileRows>(t, t.blocks + page, block, page, end - page);
  }
  template <class Numbers>
  static void mix_block(const Tile& t, Block block, Range seen) {
    for (int page = seen.first / kPageTokens; page * kPageTokens < seen.last; ++page) {
      const Range part = Range::common(seen, positions_of(page));
      mix_rows<Numbers, S::kTileRows>(
          t, t.blocks[page] + t.values, t.value_stride, block, page,
          {part.first - page * kPageTokens, part.last - page * kPageTokens});
    }
  }

  // Many rows: page by page through floats.
  template <class Numbers>
  static void score_page(const Tile& t, int page) {
    TileProducts<S, Numbers>::convert_keys(t.blocks[page], t.head_dim, t.page);
    const std::byte* keys = reinterpret_cast<const std::byte*>(t.page);
    for (int row = 0; row < t.rows; row += S::kTileRows) {
      const Block block = block_at(t, row);
      if (Range::common(seen_by(t, block), positions_of(page)).empty()) continue;
      score_rows<NumbersF32<S>, S::kTileRows>(t, &keys, block, page, 1);
    }
  }
  template <class Numbers>
  static void mix_page(const Tile& t, int page, Range seen) {
    const Range part = Range::common(seen, positions_of(page));
    const int start = page * kPageTokens;
    TileProducts<S, Numbers>::convert_values(t.blocks[page] + t.values, t.value_stride,
                                             part.first - start, part.last - start, t.padded_dim,
                                             t.page);
    const auto* values = reinterpret_cast<const std::byte*>(t.page);
    const std::size_t stride = static_cast<std::size_t>(t.padded_dim) * sizeof(float);
    for (int row = 0; row < t.rows; row += S::kTileRows) {
      const Block block = block_at(t, row);
      const Range mine = Range::common(seen_by(t, block), positions_of(page));
      if (mine.empty()) continue;
      mix_rows<NumbersF32<S>, S::kTileRows>(t, values, stride, block, page,
                                            {mine.first - start, mine.last - start});
    }
  }

  // Scores of the vectors that `seen` touches become weights exp(score - largest), 0 where row r
  // sees nothing; for integer values times their scales.
  template <bool kScaled>
  static void softmax(const Tile& t, int r, Range seen) {
    float* scores = t.scores + r * kChunkTokens;
    const int begin = seen.first / 16 * 16;
    const F inverse_cap = S::set(t.cap > 0 ? 1.0f / t.cap : 0.0f);
    F largest = S::set(kNothing);
    for (int p = begin; p < seen.last; p += 16) {
      F x = S::load(scores + p);
      if constexpr (kScaled) x = S::mul(x, scales(t, t.key_scales, p));
      x = S::mul(x, S::set(t.scale));
      if (t.cap > 0) x = S::mul(S::set(t.cap), Math::tanh(S::mul(x, inverse_cap)));
      if (t.slopes != nullptr) {
        const F distance = S::add(S::lanes(), S::set(static_cast<float>(p) + t.offsets[r]));
        x = S::fma(S::set(t.slopes[r]), distance, x);
      }
      x = S::select(S::range(t.first[r] - p, t.last[r] - p), x, S::set(kNothing));
      S::store(scores + p, x);
      largest = S::max(largest, x);
    }
    t.largest[r] = S::largest(largest);
    const F shift = S::set(t.largest[r] == kNothing ? 0.0f : t.largest[r]);
    F sum = S::zero();
    for (int p = begin; p < seen.last; p += 16) {
      F weight = Math::exp(S::sub(S::load(scores + p), shift));
      sum = S::add(sum, weight);
      if constexpr (kScaled)
        weight = S::select(S::range(t.first[r] - p, t.last[r] - p),
                           S::mul(weight, scales(t, t.value_scales, p)), S::zero());
      S::store(scores + p, weight);
    }
    t.sum[r] = S::sum(sum);
  }
  FARTHING_SIMD F scales(const Tile& t, std::size_t offset, int position) {
    const auto* page = reinterpret_cast<const float*>(t.blocks[position / kPageTokens] + offset);
    return S::load(page + position % kPageTokens);
  }
  template <bool kScaled>
  static void softmax_rows(const Tile& t) {
    for (int row = 0; row < t.rows; row += S::kTileRows) {
      const Block block = block_at(t, row);
      const Range seen = seen_by(t, block);
      for (int r = row; r < row + block.rows; ++r) softmax<kScaled>(t, r, seen);
    }
  }

  template <class Numbers>
  static void attend(const Tile& t) {
    const Range seen = seen_by(t, {0, t.rows});
    for (int i = 0; i < t.rows * t.padded_dim; i += 16) S::store(t.mix + i, S::zero());
    if (t.rows <= S::kTileRows) {
      score_block<Numbers>(t, {0, t.rows}, seen);
      softmax_rows<Numbers::kScaled>(t);
      mix_block<Numbers>(t, {0, t.rows}, seen);
      return;
    }
    const int first = seen.first / kPageTokens;
    for (int page = first; page * kPageTokens < seen.last; ++page) score_page<Numbers>(t, page);
    softmax_rows<Numbers::kScaled>(t);
    for (int page = first; page * kPageTokens < seen.last; ++page) mix_page<Numbers>(t, page, seen);
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
        return attend<NumbersInt8<S>>(t);
      case KvType::kInt4:
        return attend<NumbersInt4<S>>(t);
    }
  }

  FARTHING_SIMD float exp(float x) { return S::first(Math::exp(S::set(x))); }

  static void join(float largest, float sum, const float* mix, int padded_dim, float* total_largest,
                   float* total_sum, float* total_mix) {
    if (largest == kNothing) return;
    const float top = largest > *total_largest ? largest : *total_largest;
    const float old_share = exp(*total_largest - top), new_share = exp(largest - top);
    *total_largest = top;
    *total_sum = *total_sum * old_share + sum * new_share;
    const F a = S::set(old_share), b = S::set(new_share);
    for (int i = 0; i < padded_dim; i += 16)
      S::store(total_mix + i, S::fma(S::load(mix + i), b, S::mul(S::load(total_mix + i), a)));
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

}  // namespace farthing::kernels
