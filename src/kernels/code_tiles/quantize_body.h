// Inputs to integers, once for every instruction set S and way of laying them out.
#pragma once

#include "kernels/code_tiles/code_tiles.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

// Four codes of a token become kDwords numbers of 32 bits.
struct AsBytes {
  static constexpr int kDwords = 1;
  static void put(const std::int16_t* x, std::int32_t* out, int) {
    std::uint32_t bytes = 0;
    for (int j = 0; j < 4; ++j) bytes |= (static_cast<std::uint32_t>(x[j]) & 255u) << 8 * j;
    *out = static_cast<std::int32_t>(bytes);
  }
};
struct AsPlanes {  // x = 256 high + low, low in -128 .. 127
  static constexpr int kDwords = 2;
  static void put(const std::int16_t* x, std::int32_t* out, int stride) {
    std::uint32_t high = 0, low = 0;
    for (int j = 0; j < 4; ++j) {
      const std::int32_t l = static_cast<std::int8_t>(x[j] & 255), h = (x[j] - l) / 256;
      high |= (static_cast<std::uint32_t>(h) & 255u) << 8 * j;
      low |= (static_cast<std::uint32_t>(l) & 255u) << 8 * j;
    }
    out[0] = static_cast<std::int32_t>(high);
    out[stride] = static_cast<std::int32_t>(low);
  }
};
struct AsWords {  // inputs 0 and 2, then 1 and 3
  static constexpr int kDwords = 2;
  static void put(const std::int16_t* x, std::int32_t* out, int stride) {
    out[0] = pair(x[0], x[2]);
    out[stride] = pair(x[1], x[3]);
  }

 private:
  static std::int32_t pair(std::int16_t low, std::int16_t high) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(high) << 16 |
                                     (static_cast<std::uint32_t>(low) & 0xFFFFu));
  }
};

// The scale of `count` inputs that share one.
template <class S>
inline float scale_of(const float* x, std::int64_t count, float limit) {
  using F = typename S::Float;
  auto largest = F::zero(), wrong = F::zero();  // 0 * x is a NaN for infinities and NaNs
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    const auto v = F::load(x + k);
    largest = F::max(F::abs(v), largest);
    wrong = F::fma(v, F::zero(), wrong);
  }
  const auto v = F::load_first(x + k, static_cast<int>(count - k));
  largest = F::max(F::abs(v), largest);
  wrong = F::fma(v, F::zero(), wrong);
  const float sum = F::sum(wrong);
  return sum == sum ? F::largest(largest) / limit : __builtin_nanf("");
}

// room = the codes of one unit, padded with zeros to a multiple of 16.
template <class S>
inline void unit_codes(const float* x, int count, float scale, float limit, std::int16_t* room) {
  using F = typename S::Float;
  const auto divisor = F::set(scale), most = F::set(limit), least = F::set(-limit);
  for (int k = 0; k < count; k += 16) {
    const auto v = F::load_first(x + k, count - k);
    const auto whole = F::round(F::div(v, divisor));
    S::store_i16(room + k, F::min(F::max(whole, least), most));
  }
}

template <class S, class As>
inline void quantize(const QuantizeTask& task) {
  const float limit = task.bits == 8 ? 127.0f : 32639.0f;
  const int padded = static_cast<int>(task.unit_padded);
  std::int16_t room[kMaxUnit + 16];
  for (int t = 0; t < task.tokens; ++t) {
    const float* x = task.x + t * task.x_stride;
    float scale = 0;
    for (std::int64_t unit = 0; unit < task.units; ++unit) {
      const std::int64_t k = unit * task.unit_inputs, left = task.in > k ? task.in - k : 0;
      if (k % task.scale_inputs == 0)
        scale = scale_of<S>(x + k, left < task.scale_inputs ? left : task.scale_inputs, limit);
      const int count = static_cast<int>(left < task.unit_inputs ? left : task.unit_inputs);
      for (int i = 0; i < padded; ++i) room[i] = 0;
      if (scale > 0) unit_codes<S>(x + k, count, scale, limit, room);
      std::int32_t sum = 0;
      for (int i = 0; i < padded; ++i) sum += room[i];
      task.scales[unit * task.tokens + t] = scale;
      task.sums[unit * task.tokens + t] = sum;
      std::int32_t* out = task.codes + (unit * padded / 4 * As::kDwords) * task.tokens + t;
      for (int i = 0; i < padded; i += 4, out += As::kDwords * task.tokens)
        As::put(room + i, out, task.tokens);
    }
  }
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
