// A ragged batch: the new tokens of several sequences, one after the other.
#pragma once

#include <cstdint>
#include <span>

namespace farthing::cache {

using Token = std::int32_t;
using Position = std::int64_t;

// Rows first_row .. first_row + count of the batch continue `sequence` at first_position.
struct SequenceSlice {
  int sequence = 0;  // a handle of PagedKv
  std::int64_t first_row = 0;
  std::int64_t count = 0;
  Position first_position = 0;
  // What the sequence is known to reach (its prompt's end, when a chunk of it is run); 0: the end
  // of this slice. Scalings of the rotary embedding that depend on the length go by it.
  Position known_length = 0;
};

struct Batch {
  std::span<const Token> tokens;                      // (rows)
  std::span<const SequenceSlice> sequences;           // ascending first_row, covering every row
  std::span<const std::int64_t> rows_wanting_logits;  // ascending
};

}  // namespace farthing::cache
