// The product of attention over INT8 keys and values, and the rounding of what meets them.
#pragma once

#include "kernels/attention/tile_rows.h"

namespace farthing::kernels {
namespace {  // internal linkage: see linear_store.h

// Dot is a way of multiplying (simd/int_*.h) whose codes are kBias above those they stand for.
template <class Dot, int kBias>
struct CodeProducts {
  using S = typename Dot::Isa;
  using F = typename S::Float;
  static_assert(Dot::kDwords == 2 && Dot::kFlush == 0);

  // Adding it to a number below 2^22 in magnitude rounds that to the nearest whole one, ties to
  // even, whose low 16 bits are then those of the float.
  static constexpr float kAnchor = 0x1.8p23f;

  static constexpr int kMostSum = 1 << 23;  // 1024 * 8191 and 256 * 32639 are less

  // Numbers (size, at most `largest` in magnitude) become integers within +-limit; the last 16 are
  // filled up with zeros.
  FARTHING_SIMD RoundedRow round(const float* x, int size, float largest, float limit,
                                 std::int32_t* codes) {
    const float inverse = largest >= kSmallestRounded ? limit / largest : 0.0f;
    const auto factor = F::set(inverse), anchor = F::set(kAnchor);
    auto sum = S::zero();
    for (int i = 0; i < size; i += kLanes, codes += code_dwords(kLanes)) {
      const auto whole = S::bits_of(F::fma(load(x, i, size), factor, anchor));
      sum = S::add(sum, whole);
      Dot::store_inputs(codes, whole);
    }
    const auto anchors = static_cast<std::uint32_t>((size + kLanes - 1) / kLanes * kLanes);
    auto total = static_cast<std::int32_t>(static_cast<std::uint32_t>(S::sum(sum)) -
                                           anchors * __builtin_bit_cast(std::uint32_t, kAnchor));
    if (total < -kMostSum || total > kMostSum) total = 0;  // not of numbers: nobody will see it
    return {inverse > 0 ? largest / limit : 0.0f, -kBias * total};
  }
  FARTHING_SIMD auto load(const float* x, int i, int size) {
    return i + kLanes <= size ? F::load(x + i) : F::load_first(x + i, size - i);
  }

  // With an infinity or a NaN among the numbers the scale is a NaN.
  static RoundedRow round_query(const float* q, int size, std::int32_t* codes) {
    auto largest = F::zero(), wrong = F::zero();  // 0 * x is a NaN for infinities and NaNs
    for (int i = 0; i < size; i += kLanes) {
      const auto x = load(q, i, size);
      largest = F::max(F::abs(x), largest);
      wrong = F::fma(x, F::zero(), wrong);
    }
    const float nothing = F::sum(wrong);
    RoundedRow row =
        round(q, size, nothing == nothing ? F::largest(largest) : 0, kQueryLimit, codes);
    row.scale += nothing;
    return row;
  }

  // Sums of R rows and V vectors of outputs.
  template <int R, int V>
  struct Sums {
    typename Dot::Partial at[R][V];

    [[gnu::always_inline]] inline void start(const std::int32_t* folds) {
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) {
        FARTHING_UNROLL
        for (int v = 0; v < V; ++v) at[r][v] = Dot::start(S::set(folds[r]));
      }
    }
    // += the products of `groups` times four inputs. A group's codes lie `stride` bytes behind the
    // last's, a row's inputs `pitch` numbers. after_four() is called after every four groups.
    template <class AfterFour>
    [[gnu::always_inline]] inline void add(const std::byte* codes, std::size_t stride, int groups,
                                           const std::int32_t* x, int pitch, AfterFour after_four) {
      for (; groups >= 4; groups -= 4, x += code_dwords(kLanes)) {
        FARTHING_UNROLL
        for (int g = 0; g < 4; ++g, codes += stride) add_group(codes, x + g, pitch);
        after_four();
      }
      for (; groups > 0; --groups, codes += stride, ++x) add_group(codes, x, pitch);
    }
    [[gnu::always_inline]] inline void add_group(const std::byte* codes, const std::int32_t* x,
                                                 int pitch) {
      typename S::B b[V];
      FARTHING_UNROLL
      for (int v = 0; v < V; ++v) b[v] = S::load(codes + v * 64);
      FARTHING_UNROLL
      for (int r = 0; r < R; ++r) {
        const auto input = Dot::input(x + r * pitch, 4);
        FARTHING_UNROLL
        for (int v = 0; v < V; ++v) at[r][v] = Dot::dot(at[r][v], b[v], input);
      }
    }
    [[gnu::always_inline]] inline auto floats(int r, int v) const {
      return S::to_float(Dot::finish(at[r][v]));
    }
  };
};

}  // namespace
}  // namespace farthing::kernels
