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
// At most this many rows in a tile: enough that converting pages to floats is worth it, few enough
// that their scores stay in the nearest cache.
inline constexpr int kTileRows = 64;

// A tile's result: joined over chunks, it becomes the output.
struct TilePartial {
  float* largest;  // (rows): the largest score, -infinity when nothing is seen
  float* sum;      // (rows): of exp(score - largest)
  float* mix;      // (rows, padded_dim): of exp(score - largest) * value
};

struct AttentionTile {
  KvType type;
  int head_dim;
  int padded_dim;
  std::size_t key_scales, values, value_stride, value_scales;  // as in KvPage
  // This head's block in each page of the chunk that a row can see, then in those of the chunk
  // that will be asked for next, which are only prefetched. Never null between seen pages.
  const std::byte* blocks[2 * kChunkPages];
  bool cold;  // the first chunk of its piece: no chunk before it asked for this one
  int rows;
  const float* q;                   // (rows, head_dim); for INT8 as integers:
  const std::int32_t* queries;      // (rows, code_dwords(padded_dim))
  const std::int32_t* query_folds;  // (rows)
  const int* first;  // row r sees positions first[r] .. last[r] - 1 of the chunk, maybe none
  const int* last;
  const float* scales;     // (rows): of the scores
  float cap;               // 0: none
  const float* slopes;     // (rows), or null
  const float* biases;     // (rows, kChunkTokens) added to the scores, or null
  const float* offsets;    // (rows): + slope * (position in the chunk + offset)
  float* scores;           // scratch (rows, kChunkTokens)
  float* largest_weights;  // scratch (rows), of integer values
  float* floats;           // scratch (kChunkTokens, padded_dim)
  std::int32_t* weights;   // scratch for INT8 (rows, code_dwords(kChunkTokens))
  TilePartial result;
};

struct TileKernels {
  void (*attend_chunk)(const AttentionTile& tile);  // of every type but INT8
  // A chunk's result joins that of the chunks before it, which starts as -infinity, 0, zeros.
  void (*join)(int rows, int padded_dim, const TilePartial& chunk, const TilePartial& total);
  // out (size) = mix / sum of one row, after the sink's share where there is one (else null).
  void (*finish)(float largest, float sum, const float* mix, const float* sink, int size,
                 float* out);
};

// Numbers of one row rounded to integers: number = scale * integer. The codes that they meet in a
// page are kCodeBias above those that they stand for; the fold is what that adds, with its sign
// turned.
struct RoundedRow {
  float scale;
  std::int32_t fold;
};
// 127 * limit * (inputs of a sum) < 2^31, with the bias on one side too: head_dim is at most 1024.
inline constexpr float kQueryLimit = 8191.0f, kWeightLimit = 32639.0f;
inline constexpr float kSmallestRounded = 0x1p-110f;  // below it, the largest of a row counts as 0
// Numbers of 32 bits that integers of 16 bits take, in blocks of 16: four times those of a group of
// four inputs that a way of multiplying (simd/int_*.h) wants first, then four times the second.
constexpr int code_dwords(int integers) { return integers / 2; }

// For INT8.
struct CodeKernels {
  RoundedRow (*round_query)(const float* q, int size, std::int32_t* codes);
  void (*attend_chunk)(const AttentionTile& tile);
};

extern const CodeKernels kCodeKernelsScalar, kCodeKernelsAvx2, kCodeKernelsAvxVnni,
    kCodeKernelsAvx512, kCodeKernelsAvx512Vnni, kCodeKernelsNeon, kCodeKernelsNeonDot,
    kCodeKernelsNeonI8mm;
extern const TileKernels kTileKernelsScalar, kTileKernelsAvx2, kTileKernelsAvx512, kTileKernelsNeon;

}  // namespace farthing::kernels
