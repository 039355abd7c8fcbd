// What a kernel body may ask of vectors of floats, and its meaning: sixteen lanes on every
// instruction set, every operation exactly rounded, so that all give the same bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/inline.h"
#include "tensor/float16.h"

namespace farthing::simd {

struct FloatScalar {
  static constexpr int kRegisterRows = 1;
  static constexpr int kLanes = 16;
  struct F {
    float v[kLanes];
  };
  struct M {
    bool v[kLanes];
  };
  struct D {  // sixteen doubles, for sums that must not lose digits
    double v[kLanes];
  };

  FARTHING_SIMD F zero() { return set(0.0f); }
  FARTHING_SIMD F set(float x) {
    return each([&](int) { return x; });
  }
  FARTHING_SIMD F lanes() {  // 0, 1, ... 15
    return each([&](int i) { return static_cast<float>(i); });
  }
  FARTHING_SIMD F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  FARTHING_SIMD F load_first(const float* p, int n) {  // the other lanes are 0
    return each([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  FARTHING_SIMD void store(float* p, F x) { store_first(p, x, kLanes); }
  FARTHING_SIMD void store_first(float* p, F x, int n) {
    for (int i = 0; i < kLanes && i < n; ++i) p[i] = x.v[i];
  }
  FARTHING_SIMD void prefetch(const void* p) { __builtin_prefetch(p); }
  // For memory that is read through once: it passes by the caches it would only fill.
  FARTHING_SIMD void prefetch_once(const void* p) { __builtin_prefetch(p, 0, 0); }

  FARTHING_SIMD F add(F a, F b) {
    return each([&](int i) { return a.v[i] + b.v[i]; });
  }
  FARTHING_SIMD F sub(F a, F b) {
    return each([&](int i) { return a.v[i] - b.v[i]; });
  }
  FARTHING_SIMD F mul(F a, F b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  FARTHING_SIMD F div(F a, F b) {
    return each([&](int i) { return a.v[i] / b.v[i]; });
  }
  FARTHING_SIMD F fma(F a, F b, F c) {  // a * b + c, rounded once
    return each([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  FARTHING_SIMD F fnma(F a, F b, F c) {  // c - a * b, rounded once
    return each([&](int i) { return std::fma(-a.v[i], b.v[i], c.v[i]); });
  }
  FARTHING_SIMD F max(F a, F b) {  // b when either is not a number
    return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  FARTHING_SIMD F min(F a, F b) {  // b when either is not a number
    return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  FARTHING_SIMD F abs(F x) {
    return each([&](int i) { return std::fabs(x.v[i]); });
  }
  FARTHING_SIMD F with_sign_of(F x, F sign) {
    return each([&](int i) { return std::copysign(x.v[i], sign.v[i]); });
  }
  FARTHING_SIMD F round(F x) {  // to nearest, ties to even
    return each([&](int i) { return std::nearbyint(x.v[i]); });
  }
  // x * 2^n, rounded once, for whole n in -150 .. 130 and |x| near 1.
  FARTHING_SIMD F times_power(F x, F n) {
    return each([&](int i) {
      return n.v[i] == n.v[i] ? std::ldexp(x.v[i], static_cast<int>(n.v[i])) : n.v[i];
    });
  }

  FARTHING_SIMD M less(F a, F b) {
    M m;
    for (int i = 0; i < kLanes; ++i) m.v[i] = a.v[i] < b.v[i];
    return m;
  }
  FARTHING_SIMD M range(int first, int last) {  // lanes first .. last - 1; any two numbers
    M m;
    for (int i = 0; i < kLanes; ++i) m.v[i] = first <= i && i < last;
    return m;
  }
  FARTHING_SIMD F select(M m, F yes, F no) {
    return each([&](int i) { return m.v[i] ? yes.v[i] : no.v[i]; });
  }

  // The upper half on the lower, and so on.
  FARTHING_SIMD float sum(F x) {
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) x.v[i] += x.v[i + half];
    return x.v[0];
  }
  FARTHING_SIMD float largest(F x) {
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) x.v[i] = x.v[i] > x.v[i + half] ? x.v[i] : x.v[i + half];
    return x.v[0];
  }
  FARTHING_SIMD float first(F x) { return x.v[0]; }

  FARTHING_SIMD F swap_pairs(F x) {
    return each([&](int i) { return x.v[i ^ 1]; });
  }
  FARTHING_SIMD F alternate_sign(F x) {  // of the even lanes
    return each([&](int i) { return i % 2 == 0 ? -x.v[i] : x.v[i]; });
  }
  FARTHING_SIMD F load_twice(const float* p) {  // p[0], p[0], p[1], p[1] ... p[7], p[7]
    return each([&](int i) { return p[i / 2]; });
  }

  // Numbers as kernels/attention/kv_page.h stores them.
  FARTHING_SIMD F load_bf16(const std::byte* p) {
    return each([&](int i) { return to_float(Bf16{bits16(p, i)}); });
  }
  FARTHING_SIMD F load_f16(const std::byte* p) {
    return each([&](int i) { return to_float(Fp16{bits16(p, i)}); });
  }
  FARTHING_SIMD F load_i8(const std::byte* p) {
    return each([&](int i) { return static_cast<float>(static_cast<std::int8_t>(p[i])); });
  }
  // The low or the high halves of 16 bytes, minus 8.
  template <bool kHigh>
  FARTHING_SIMD F load_half_bytes(const std::byte* p) {
    return each([&](int i) { return half_byte(p[i], kHigh); });
  }
  // The low halves of 8 bytes, then their high halves, minus 8.
  FARTHING_SIMD F load_split_bytes(const std::byte* p) {
    return each([&](int i) { return half_byte(p[i % 8], i >= 8); });
  }

  FARTHING_SIMD D zero_wide() { return {}; }
  FARTHING_SIMD D add_wide(D sum, F x) {
    for (int i = 0; i < kLanes; ++i) sum.v[i] += static_cast<double>(x.v[i]);
    return sum;
  }
  FARTHING_SIMD D add_squares(D sum, F x, double mean) {  // of the distances from the mean
    for (int i = 0; i < kLanes; ++i) {
      const double d = static_cast<double>(x.v[i]) - mean;
      sum.v[i] = std::fma(d, d, sum.v[i]);
    }
    return sum;
  }
  FARTHING_SIMD F normalise(F x, double mean, double factor) {  // (x - mean) * factor in double
    return each(
        [&](int i) { return static_cast<float>((static_cast<double>(x.v[i]) - mean) * factor); });
  }
  FARTHING_SIMD double sum_wide(D x) {
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) x.v[i] += x.v[i + half];
    return x.v[0];
  }

 private:
  template <class Lane>
  FARTHING_SIMD F each(Lane lane) {
    F result;
    for (int i = 0; i < kLanes; ++i) result.v[i] = lane(i);
    return result;
  }
  FARTHING_SIMD std::uint16_t bits16(const std::byte* p, int i) {
    std::uint16_t bits;
    std::memcpy(&bits, p + 2 * static_cast<std::ptrdiff_t>(i), sizeof bits);
    return bits;
  }
  FARTHING_SIMD float half_byte(std::byte byte, bool high) {
    const unsigned bits = static_cast<unsigned>(byte);
    return static_cast<float>(static_cast<int>(high ? bits >> 4 : bits & 15u) - 8);
  }
};

}  // namespace farthing::simd
