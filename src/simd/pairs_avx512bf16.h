// Pairs of BF16 numbers in AVX-512 BF16, in the clothes of sixteen floats, so that the float kernel
// can take them: a lane is inputs 2 k and 2 k + 1 of one output, fma() adds both products. Not the
// bits of other instruction sets: the instruction rounds in its own way.
#pragma once

#include "simd/float_avx512.h"

namespace farthing::simd {

struct PairsAvx512 : FloatAvx512 {
  FARTHING_SIMD F fma(F weights, F inputs, F sums) {
    return _mm512_dpbf16_ps(sums, reinterpret_pairs(weights), reinterpret_pairs(inputs));
  }
  // Two inputs of sixteen outputs, one after the other, become pairs.
  FARTHING_SIMD F load_pairs(const std::byte* p) {
    const __m512i order = _mm512_setr_epi32(  // words 0, 16, 1, 17 ... 15, 31
        0x00100000, 0x00110001, 0x00120002, 0x00130003, 0x00140004, 0x00150005, 0x00160006,
        0x00170007, 0x00180008, 0x00190009, 0x001A000A, 0x001B000B, 0x001C000C, 0x001D000D,
        0x001E000E, 0x001F000F);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, _mm512_loadu_si512(p)));
  }

 private:
  FARTHING_SIMD __m512bh reinterpret_pairs(F x) { return reinterpret_cast<__m512bh>(x); }
};

}  // namespace farthing::simd
