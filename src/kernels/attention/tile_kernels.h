// What an instruction set does for attention: some queries of one key/value head against one chunk
// of positions, on plain pointers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention/kv_page.h"

namespace farthing::kernels {

// The softmax is computed over chunks of this many positions, counted from position 0, and the
// chunks are joined in order: this fixes the order of all sums, however work is shared out.
inline constexpr int kChunkPages = 8;
inline constexpr int kChunkTokens = kChunkPages * kPageTokens;

struct AttentionTile {
  KvType type;
  int head_dim;
  int padded_dim;
  std::size_t key_scales, values, value_stride, value_scales;  // as in KvPage
  const std::byte* blocks[kChunkPages];  // this head's block in each page that a row can see
  int rows;
  const float* q;    // (rows, head_dim)
  const int* first;  // row r sees positions first[r] .. last[r] - 1 of the chunk, maybe none
  const int* last;
  float scale, cap;      // cap 0: none
  const float* slopes;   // (rows), or null
  const float* offsets;  // (rows): + slope * (position in the chunk + offset)
  float* scores;         // scratch (rows, kChunkTokens)
  float* page;           // scratch (kPageTokens, padded_dim)
  float* largest;        // out (rows): the largest score, -infinity when nothing is seen
  float* sum;            // out (rows): of exp(score - largest)
  float* mix;            // out (rows, padded_dim): of exp(score - largest) * value
};

struct TileKernels {
  void (*attend_chunk)(const AttentionTile& tile);
  // One row's chunk joins the chunks before it: total_* start as -infinity, 0, zeros.
  void (*join)(float largest, float sum, const float* mix, int padded_dim, float* total_largest,
               float* total_sum, float* total_mix);
  // out (size) = mix / sum, after the sink's share where there is one (else null).
  void (*finish)(float largest, float sum, const float* mix, const float* sink, int size,
                 float* out);
};

extern const TileKernels kTileKernelsScalar, kTileKernelsAvx2, kTileKernelsAvx512;

}  // namespace farthing::kernels
