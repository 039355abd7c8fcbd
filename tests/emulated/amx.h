// The tile registers of AMX in plain C++, after Intel's Software Developer's Manual, volume 2
// (LDTILECFG, TILELOADD, TILESTORED, TDPBSUD, TDPBF16PS). Shapes that the processor would refuse
// with a fault end the test.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace emulated {

inline float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? 0.0f * x : x; }
inline float of_bits(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return flushed(x);
}
inline float low_bf16(std::uint32_t pair) { return of_bits(pair << 16); }
inline float high_bf16(std::uint32_t pair) { return of_bits(pair & 0xFFFF0000u); }

struct AmxTile {
  int rows = 0, row_bytes = 0;
  std::uint8_t bytes[16][64] = {};
  std::uint32_t dword(int row, int i) const {
    std::uint32_t x;
    std::memcpy(&x, bytes[row] + 4 * i, sizeof x);
    return x;
  }
  void set_dword(int row, int i, std::uint32_t x) { std::memcpy(bytes[row] + 4 * i, &x, sizeof x); }
};
inline void require(bool holds) {
  if (!holds) std::abort();
}

struct AmxState {
  AmxTile tiles[8];
  bool configured = false;

  AmxTile& tile(int i) {
    require(configured && i >= 0 && i < 8 && tiles[i].rows > 0);
    return tiles[i];
  }
  void load_config(const void* memory) {
    std::uint8_t config[64];
    std::memcpy(config, memory, sizeof config);
    require(config[0] == 1 && config[1] == 0);  // palette, start row
    for (int i = 2; i < 16; ++i) require(config[i] == 0);
    for (int i = 0; i < 8; ++i) {
      std::uint16_t row_bytes;
      std::memcpy(&row_bytes, config + 16 + 2 * i, sizeof row_bytes);
      const int rows = config[48 + i];
      require(rows <= 16 && row_bytes <= 64 && (rows == 0) == (row_bytes == 0));
      tiles[i] = {};
      tiles[i].rows = rows;
      tiles[i].row_bytes = row_bytes;
    }
    configured = true;
  }
  void load(int i, const void* base, std::size_t stride) {
    AmxTile& t = tile(i);
    std::memset(t.bytes, 0, sizeof t.bytes);
    for (int r = 0; r < t.rows; ++r)
      std::memcpy(t.bytes[r], static_cast<const char*>(base) + static_cast<std::size_t>(r) * stride,
                  static_cast<std::size_t>(t.row_bytes));
  }
  void store(int i, void* base, std::size_t stride) {
    const AmxTile& t = tile(i);
    for (int r = 0; r < t.rows; ++r)
      std::memcpy(static_cast<char*>(base) + static_cast<std::size_t>(r) * stride, t.bytes[r],
                  static_cast<std::size_t>(t.row_bytes));
  }
  // c (rows, columns) += sum over k of product(c, a (rows, k), b (k, columns)), 32 bits at a time.
  template <class Product>
  void multiply(int c_index, int a_index, int b_index, Product product) {
    AmxTile& c = tile(c_index);
    const AmxTile &a = tile(a_index), &b = tile(b_index);
    require(c_index != a_index && c_index != b_index && a_index != b_index);
    require(a.rows == c.rows && b.row_bytes == c.row_bytes && a.row_bytes == 4 * b.rows);
    for (int m = 0; m < c.rows; ++m)
      for (int n = 0; n < c.row_bytes / 4; ++n)
        c.set_dword(m, n, product(c.dword(m, n), a, m, b, n));
  }
};

inline AmxState& amx() {
  thread_local AmxState state;
  return state;
}

// Signed bytes of A times unsigned bytes of B, summed without saturation.
inline std::uint32_t dot_signed_unsigned(std::uint32_t sum, const AmxTile& a, int m,
                                         const AmxTile& b, int n) {
  for (int k = 0; k < b.rows; ++k)
    for (int i = 0; i < 4; ++i) {
      const int x = static_cast<std::int8_t>(a.bytes[m][4 * k + i]), w = b.bytes[k][4 * n + i];
      sum += static_cast<std::uint32_t>(x * w);
    }
  return sum;
}
// Even and odd products in chains of their own, whose sum is added at the end.
inline std::uint32_t dot_bf16(std::uint32_t bits, const AmxTile& a, int m, const AmxTile& b,
                              int n) {
  float even = 0, odd = 0;
  for (int k = 0; k < b.rows; ++k) {
    const std::uint32_t x = a.dword(m, k), w = b.dword(k, n);
    even = flushed(std::fma(low_bf16(x), low_bf16(w), even));
    odd = flushed(std::fma(high_bf16(x), high_bf16(w), odd));
  }
  const float sum = flushed(of_bits(bits) + flushed(even + odd));
  std::memcpy(&bits, &sum, sizeof bits);
  return bits;
}

}  // namespace emulated

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbsud
#undef _tile_dpbf16ps
#define _tile_loadconfig(config) emulated::amx().load_config(config)
#define _tile_release() emulated::amx().configured = false
#define _tile_loadd(tile, base, stride) emulated::amx().load(tile, base, stride)
#define _tile_stored(tile, base, stride) emulated::amx().store(tile, base, stride)
#define _tile_zero(i) std::memset(emulated::amx().tile(i).bytes, 0, 16 * 64)
#define _tile_dpbsud(c, a, b) emulated::amx().multiply(c, a, b, emulated::dot_signed_unsigned)
#define _tile_dpbf16ps(c, a, b) emulated::amx().multiply(c, a, b, emulated::dot_bf16)
