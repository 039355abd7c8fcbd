// The tile registers of AMX. A product of tiles adds to C (tokens, 16 outputs) the products of
// A (tokens, inputs) and B (inputs, 16 outputs), where a row of A is 64 bytes of consecutive inputs
// and a row of B what 64 bytes of packed weights are: four bytes, or two BF16, of each output.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "simd/inline.h"

namespace farthing::simd {

inline constexpr int kAmxTokens = 16;
inline constexpr int kAmxRows = 16;  // of B, at most

// Registers 0 and 1 are C, 2 and 4 are A, 3 and 5 are B; 4 and 5 hold `rest` rows of B only, the
// end of a unit that is no multiple of 16 rows.
struct AmxTiles {
  struct alignas(64) Config {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  };
  FARTHING_SIMD void configure(int tokens, int rest) {
    Config config;
    const auto set = [&](int tile, int rows, int bytes) {
      config.rows[tile] = static_cast<std::uint8_t>(rows);
      config.row_bytes[tile] = static_cast<std::uint16_t>(bytes);
    };
    set(0, tokens, 64);
    set(1, tokens, 64);
    set(2, tokens, 64);
    set(3, kAmxRows, 64);
    if (rest > 0) {
      set(4, tokens, 4 * rest);
      set(5, rest, 64);
    }
    order_memory();
    _tile_loadconfig(&config);
  }
  // To be called between writing memory and loading tiles from it: g++ 12 does not tell itself that
  // its intrinsics read.
  FARTHING_SIMD void order_memory() { __asm__ volatile("" ::: "memory"); }
  FARTHING_SIMD void release() { _tile_release(); }
};

}  // namespace farthing::simd
