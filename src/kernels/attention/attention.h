// Attention of new tokens over a paged cache of keys and values.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/runtime.h"
#include "tensor/matrix_view.h"

namespace farthing::kernels {

enum class KvType : std::uint8_t { kF32, kBf16, kF16, kInt8, kInt4 };
std::string_view kv_type_name(KvType type);   // "fp32", "bf16", "fp16", "int8", "int4"
KvType parse_kv_type(std::string_view name);  // Error: usage

inline constexpr int kPageTokens = 32;

// The layout of a page: keys and values of kPageTokens positions of one layer. Belongs to the
// kernels; everybody else asks page_bytes(). INT8 and INT4 keep a float scale a position and head.
struct KvLayout {
  KvType type = KvType::kF32;
  int kv_heads = 0;
  int head_dim = 0;
  std::size_t page_bytes() const;  // a multiple of 64
  std::size_t bytes_per_token() const { return page_bytes() / kPageTokens; }
};

// Stores the keys and values of one position, each (kv_heads * head_dim), rounding to nearest as
// the type says. FP16 saturates. INT8 is within half a step of largest / 127; INT4 of largest / 8
// (a whole step for numbers near the largest with the other sign). Positions of a page may be
// stored by different threads at the same time.
void store_kv(const KvLayout& layout, std::byte* page, int slot, const float* keys,
              const float* values);
// Reads them back as floats (tests, taps).
void load_kv(const KvLayout& layout, const std::byte* page, int slot, float* keys, float* values);

struct AttentionRules {
  int heads = 0;            // query heads; a multiple of layout.kv_heads
  float scale = 1.0f;       // of the scores, before the soft cap
  float soft_cap = 0.0f;    // > 0: cap * tanh(score / cap)
  std::int64_t window = 0;  // > 0: a token sees itself and the window - 1 positions before it
  // ALiBi, one a head: + slope * key position (BLOOM); empty: none
  std::span<const float> slopes = {};
  // > 0: + rounded_slope_scale * BF16(BF16(slope) * key position), as Falcon was trained
  float rounded_slope_scale = 0.0f;
  // A logit a head that joins the softmax's sum; empty: none
  std::span<const float> sinks = {};
};

// The new tokens of one sequence: rows first_row .. first_row + count of q and out are at positions
// first_position .. and their keys and values are already stored. pages[p] holds positions
// p * kPageTokens ..; pages that no token can see any more may be null.
struct AttentionSequence {
  std::int64_t first_row = 0;
  std::int64_t count = 0;
  std::int64_t first_position = 0;
  std::span<std::byte* const> pages = {};
};

// q, out: (tokens, heads * head_dim). Causal softmax attention in fp32 (Vaswani et al., 2017),
// computed online over chunks of positions (Milakov and Gimelshein, 2018).
//
// A token's output is the same to the bit whatever else is in the batch, however its prompt was cut
// into calls (all at once, in chunks, token by token), on any number of threads and on any
// instruction set. This holds for finite keys, values and queries.
void attend(Runtime& runtime, const KvLayout& layout, const AttentionRules& rules,
            std::span<const AttentionSequence> sequences, MatrixView<const float> q,
            MatrixView<float> out);

}  // namespace farthing::kernels
