// What a kernel body may ask of integer vectors, and its meaning: 64 unsigned bytes of weights,
// four consecutive inputs of each of 16 outputs, and an int32 sum an output.
#pragma once

#include "simd/float_scalar.h"

namespace farthing::simd {

struct IntScalar {
  using Float = FloatScalar;
  static constexpr int kSumVectors = 4;  // of 16 sums, that stay in registers beside others
  struct Sums {  // I: int32, one an output
    std::int32_t v[16];
  };
  struct Codes {  // B: byte 4 r + j is input j of output r
    std::uint8_t v[64];
  };
  using I = Sums;
  using B = Codes;

  FARTHING_SIMD B load(const std::byte* p) {
    B b;
    std::memcpy(b.v, p, sizeof b.v);
    return b;
  }
  FARTHING_SIMD void store(std::byte* p, const B& b) { std::memcpy(p, b.v, sizeof b.v); }
  // Every byte shifted right, or left where `shift` is negative, and what the mask leaves of it.
  FARTHING_SIMD B bits(B b, int shift, int mask) {
    for (auto& code : b.v)
      code = static_cast<std::uint8_t>((shift < 0 ? code << -shift : code >> shift) & mask);
    return b;
  }
  FARTHING_SIMD B join(B a, const B& b) {  // bits of either
    for (int i = 0; i < 64; ++i) a.v[i] |= b.v[i];
    return a;
  }
  FARTHING_SIMD B load_table(const std::uint8_t* p) {  // 16 entries
    B b;
    for (int i = 0; i < 64; ++i) b.v[i] = p[i % 16];
    return b;
  }
  FARTHING_SIMD B look_up(B table, B codes) {  // codes below 16
    for (auto& code : codes.v) code = table.v[code];
    return codes;
  }

  FARTHING_SIMD I zero() { return {}; }
  FARTHING_SIMD I set(std::int32_t x) {
    I sums;
    for (auto& sum : sums.v) sum = x;
    return sums;
  }
  FARTHING_SIMD I add(I a, I b) {  // wraps
    for (int i = 0; i < 16; ++i) a.v[i] = wrap(wide(a.v[i]) + wide(b.v[i]));
    return a;
  }
  FARTHING_SIMD std::int32_t sum(I a) {  // wraps
    std::uint32_t total = 0;
    for (const std::int32_t x : a.v) total += wide(x);
    return wrap(total);
  }
  FARTHING_SIMD I bits_of(Float::F f) {  // a float's, as they are
    I a;
    std::memcpy(a.v, f.v, sizeof a.v);
    return a;
  }
  FARTHING_SIMD Float::F to_float(I a) {
    Float::F f;
    for (int i = 0; i < 16; ++i) f.v[i] = static_cast<float>(a.v[i]);
    return f;
  }
  FARTHING_SIMD Float::F code_floats(B b, int input) {  // of input 0 .. 3, as they are
    Float::F f;
    for (int i = 0; i < 16; ++i) f.v[i] = static_cast<float>(b.v[4 * i + input]);
    return f;
  }
  // table[code] of the same.
  FARTHING_SIMD Float::F look_up_floats(const float* table, B b, int input) {
    Float::F f;
    for (int i = 0; i < 16; ++i) f.v[i] = table[b.v[4 * i + input]];
    return f;
  }
  // Whole numbers in range, as 16 numbers of 16 bits, as their low bytes, or as the two bytes of
  // 256 high + low.
  FARTHING_SIMD void store_words(std::int16_t* p, Float::F whole) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(whole.v[i]);
  }
  FARTHING_SIMD void store_bytes(std::int8_t* p, Float::F whole) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int8_t>(whole.v[i]);
  }
  FARTHING_SIMD void store_planes(std::int8_t* high, std::int8_t* low, Float::F whole) {
    for (int i = 0; i < 16; ++i) {
      const auto x = static_cast<std::int32_t>(whole.v[i]);
      low[i] = static_cast<std::int8_t>(x & 255);
      high[i] = static_cast<std::int8_t>((x - low[i]) / 256);
    }
  }

  // A way of multiplying codes by inputs: start(), any number of dot(), finish() give the first
  // sums and all products. An input is kDwords numbers of 32 bits for every four inputs of a token,
  // x[0] and x[stride]. store_inputs() makes those of 16 inputs, x[0] .. x[3] and x[4] .. x[7], of
  // the low 16 bits of each number.
  struct Bytes {  // four signed bytes
    using Isa = IntScalar;
    using Partial = I;
    using X = std::int32_t;
    static constexpr int kDwords = 1, kFlush = 0;  // kFlush: see int_avx2.h
    FARTHING_SIMD Partial start(I first) { return first; }
    FARTHING_SIMD X input(const std::int32_t* x, int) { return *x; }
    FARTHING_SIMD Partial dot(Partial sums, const B& codes, X x) {
      for (int r = 0; r < 16; ++r)
        for (int j = 0; j < 4; ++j)
          sums.v[r] += static_cast<std::int32_t>(codes.v[4 * r + j]) *
                       static_cast<std::int8_t>(static_cast<std::uint32_t>(x) >> 8 * j & 255u);
      return sums;
    }
    FARTHING_SIMD I finish(Partial sums) { return sums; }
  };
  struct Planes {  // four high bytes, four low bytes: 256 high + low
    using Isa = IntScalar;
    struct Partial {
      I high, low;
    };
    struct X {
      std::int32_t high, low;
    };
    static constexpr int kDwords = 2, kFlush = 0;
    FARTHING_SIMD Partial start(I first) { return {{}, first}; }
    FARTHING_SIMD X input(const std::int32_t* x, int stride) { return {x[0], x[stride]}; }
    FARTHING_SIMD void store_inputs(std::int32_t* x, I whole) {
      std::uint8_t bytes[32];
      for (int i = 0; i < 16; ++i) {
        bytes[i] = static_cast<std::uint8_t>((wide(whole.v[i]) + 128u) >> 8 & 255u);
        bytes[16 + i] = static_cast<std::uint8_t>(wide(whole.v[i]) & 255u);
      }
      std::memcpy(x, bytes, sizeof bytes);
    }
    FARTHING_SIMD Partial dot(Partial sums, const B& codes, X x) {
      return {Bytes::dot(sums.high, codes, x.high), Bytes::dot(sums.low, codes, x.low)};
    }
    FARTHING_SIMD I finish(Partial sums) {
      for (int i = 0; i < 16; ++i)
        sums.low.v[i] = wrap(256 * wide(sums.high.v[i]) + wide(sums.low.v[i]));
      return sums.low;
    }
  };

 private:
  FARTHING_SIMD std::uint32_t wide(std::int32_t x) { return static_cast<std::uint32_t>(x); }
  FARTHING_SIMD std::int32_t wrap(std::uint32_t x) { return static_cast<std::int32_t>(x); }
};

}  // namespace farthing::simd
