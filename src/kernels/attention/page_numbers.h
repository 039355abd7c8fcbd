// How each type's numbers come out of a page as vectors of floats (INT8 does not: code_body.h);
// kv_page.h has the layout. S is an instruction set of simd/float_*.h. Scales are not applied here.
#pragma once

#include "kernels/attention/tile_softmax.h"
#include "simd/inline.h"

namespace farthing::kernels {

// kFar: the numbers lie in memory, so what comes next is worth prefetching.
// keys<odd>(block, d, half): feature d, which is odd or even, of 16 positions of a page.
// values(row, i): features 16 i .. 16 i + 15 of the position whose values start at row.
template <class S, std::size_t kBytes>
struct WholeNumbers {
  static constexpr bool kFar = true;
  static constexpr Scores kScores = Scores::kOfFloats;
  static constexpr int kVectorBytes = 16 * static_cast<int>(kBytes);  // of 16 values
  FARTHING_SIMD const std::byte* key_place(const std::byte* block, int d, int half) {
    return block +
           (static_cast<std::size_t>(d) * kPageTokens + static_cast<std::size_t>(half) * 16) *
               kBytes;
  }
  FARTHING_SIMD const std::byte* value_place(const std::byte* row, int i) {
    return row + static_cast<std::size_t>(i) * 16 * kBytes;
  }
};

template <class S>
struct NumbersF32 : WholeNumbers<S, 4> {
  using Base = WholeNumbers<S, 4>;
  FARTHING_SIMD typename S::F at(const std::byte* p) {
    return S::load(reinterpret_cast<const float*>(p));
  }
  template <bool kOdd>
  FARTHING_SIMD typename S::F keys(const std::byte* block, int d, int half) {
    return at(Base::key_place(block, d, half));
  }
  FARTHING_SIMD typename S::F values(const std::byte* row, int i) {
    return at(Base::value_place(row, i));
  }
};

// Pages that were converted.
template <class S>
struct NumbersNear : NumbersF32<S> {
  static constexpr bool kFar = false;
};

template <class S>
struct NumbersBf16 : WholeNumbers<S, 2> {
  using Base = WholeNumbers<S, 2>;
  template <bool kOdd>
  FARTHING_SIMD typename S::F keys(const std::byte* block, int d, int half) {
    return S::load_bf16(Base::key_place(block, d, half));
  }
  FARTHING_SIMD typename S::F values(const std::byte* row, int i) {
    return S::load_bf16(Base::value_place(row, i));
  }
};

template <class S>
struct NumbersF16 : WholeNumbers<S, 2> {
  using Base = WholeNumbers<S, 2>;
  template <bool kOdd>
  FARTHING_SIMD typename S::F keys(const std::byte* block, int d, int half) {
    return S::load_f16(Base::key_place(block, d, half));
  }
  FARTHING_SIMD typename S::F values(const std::byte* row, int i) {
    return S::load_f16(Base::value_place(row, i));
  }
};

template <class S>
struct NumbersInt4 {
  static constexpr bool kFar = true;
  static constexpr Scores kScores = Scores::kOfNumbers;
  static constexpr int kVectorBytes = 8;
  FARTHING_SIMD const std::byte* key_place(const std::byte* block, int d, int half) {
    return block + static_cast<std::size_t>(d / 2) * kPageTokens +
           static_cast<std::size_t>(half) * 16;
  }
  FARTHING_SIMD const std::byte* value_place(const std::byte* row, int i) {
    return row + static_cast<std::size_t>(i) * 8;
  }
  template <bool kOdd>
  FARTHING_SIMD typename S::F keys(const std::byte* block, int d, int half) {
    return S::template load_half_bytes<kOdd>(key_place(block, d, half));
  }
  FARTHING_SIMD typename S::F values(const std::byte* row, int i) {
    return S::load_split_bytes(value_place(row, i));
  }
};

}  // namespace farthing::kernels
