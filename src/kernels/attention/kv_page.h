// How a page of the cache lies in memory; only the kernels of this folder know.
//
// A page is one block a key/value head, so that a head's keys and values are one stretch of memory:
//
//   keys          [head_dim][kPageTokens]      a vector of positions a feature: scores need no
//                                              horizontal sums, and odd head sizes have no tails
//   key scales    [kPageTokens] float          INT8 and INT4 only
//   values        [kPageTokens][padded_dim]    features in a row, padded to whole vectors
//   value scales  [kPageTokens] float          INT8 and INT4 only
//
// INT8 codes are stored plus 128, in the fours that products of bytes take in a lane. Keys:
// [head_dim / 4, rounded up][kPageTokens][4 features]. Values: [kPageTokens / 4][padded_dim]
// [4 positions].
//
// INT4 codes are stored plus 8. Keys: byte [d / 2][position], the even feature in the low half.
// Values: 8 bytes hold 16 features, the first eight in the low halves. No byte belongs to two
// positions, so positions may be stored by different threads at the same time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention/attention.h"

namespace farthing::kernels {

inline constexpr int kLanes = 16;      // of the vectors that every instruction set works in
inline constexpr int kCodeBias = 128;  // of INT8 codes
inline constexpr std::size_t kKeyGroupBytes = 4 * kPageTokens;  // INT8: four features

struct KvPage {
  explicit KvPage(const KvLayout& layout);

  std::size_t element_bits;
  std::size_t padded_dim;    // head_dim in whole vectors
  std::size_t value_stride;  // bytes from one position's values to the next; INT8: the mean
  std::size_t key_scales;    // offsets within a head's block
  std::size_t values;
  std::size_t value_scales;
  std::size_t head_bytes;  // a multiple of 64
};

}  // namespace farthing::kernels
