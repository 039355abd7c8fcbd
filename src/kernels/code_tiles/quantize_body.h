// Inputs to integers, once for every instruction set S and way of laying them out.
#pragma once

#include "kernels/code_tiles/code_tiles.h"
#include "simd/inline.h"

namespace farthing::kernels::code_tiles {
namespace {  // internal linkage: see linear_store.h

// Ways of keeping the codes of a unit, and of reading four of them as kDwords numbers of 32 bits.
template <class S>
struct AsBytes {
  static constexpr int kDwords = 1;
  static constexpr bool kSplit = false;  // kDwords stretches a unit, for panels of one token
  alignas(64) std::int8_t bytes[kMaxUnit];
  void store(int k, const typename S::Float::F& whole) { S::store_bytes(bytes + k, whole); }
  void copy(int k, std::int32_t* out, int) const { __builtin_memcpy(out, bytes + k, 4); }
};
template <class S>
struct AsPlanes {
  static constexpr int kDwords = 2;
  static constexpr bool kSplit = false;
  alignas(64) std::int8_t high[kMaxUnit], low[kMaxUnit];
  void store(int k, const typename S::Float::F& whole) {
    S::store_planes(high + k, low + k, whole);
  }
  void copy(int k, std::int32_t* out, int stride) const {
    __builtin_memcpy(out, high + k, 4);
    __builtin_memcpy(out + stride, low + k, 4);
  }
};
template <class S>
struct AsSplitPlanes : AsPlanes<S> {
  static constexpr bool kSplit = true;
};
template <class S>
struct AsWords {  // inputs 0 and 2, then 1 and 3
  static constexpr int kDwords = 2;
  static constexpr bool kSplit = false;
  alignas(64) std::int16_t words[kMaxUnit];
  void store(int k, const typename S::Float::F& whole) { S::store_words(words + k, whole); }
  void copy(int k, std::int32_t* out, int stride) const {
    out[0] = pair(words[k], words[k + 2]);
    out[stride] = pair(words[k + 1], words[k + 3]);
  }

 private:
  static std::int32_t pair(std::int16_t low, std::int16_t high) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(high) << 16 |
                                     (static_cast<std::uint32_t>(low) & 0xFFFFu));
  }
};

inline constexpr int kInputsAhead = 512;  // numbers: another thread may have written them

// The largest |x| of those that share a scale; a NaN when one is an infinity or a NaN.
template <class F>
inline float largest_of(const float* x, std::int64_t count) {
  auto largest = F::zero(), wrong = F::zero();  // 0 * x is a NaN for infinities and NaNs
  for (std::int64_t k = 0; k < count; k += 16) {
    F::prefetch(x + k + kInputsAhead);
    const auto v =
        k + 16 <= count ? F::load(x + k) : F::load_first(x + k, static_cast<int>(count - k));
    largest = F::max(F::abs(v), largest);
    wrong = F::fma(v, F::zero(), wrong);
  }
  const float sum = F::sum(wrong);
  return sum == sum ? F::largest(largest) : sum;
}

// The codes of `count` inputs and, up to `padded`, zeros; returns their sum, which is exact: at
// most 256 * 32639 < 2^24.
template <class F, class As>
inline float unit_codes(const float* x, int count, int padded, float inverse, float limit,
                        As& room) {
  auto sum = F::zero();
  const auto factor = F::set(inverse), most = F::set(limit), least = F::set(-limit);
  for (int k = 0; k < padded; k += 16) {
    const auto v =
        k + 16 <= count ? F::load(x + k) : F::load_first(x + k, count > k ? count - k : 0);
    const auto whole = F::min(F::max(F::round(F::mul(v, factor)), least), most);
    sum = F::add(sum, whole);
    room.store(k, whole);
  }
  return F::sum(sum);
}

template <class S, class As>
inline void quantize(const QuantizeTask& task) {
  using F = typename S::Float;
  const float limit = task.bits == 8 ? 127.0f : 32639.0f;
  const int padded = static_cast<int>(task.unit_padded);
  As room;
  for (int t = 0; t < task.tokens; ++t) {
    const float* x = task.x + t * task.x_stride;
    float scale = 0, inverse = 0;
    for (std::int64_t unit = 0; unit < task.units; ++unit) {
      const std::int64_t k = unit * task.unit_inputs, left = task.in > k ? task.in - k : 0;
      if (k % task.scale_inputs == 0) {
        const float largest =
            largest_of<F>(x + k, left < task.scale_inputs ? left : task.scale_inputs);
        scale = largest < kSmallest ? 0.0f : largest / limit;
        inverse = largest >= kSmallest ? limit / largest : 0.0f;
        if (task.fixed_scale > 0 && largest == largest) {
          scale = task.fixed_scale;
          inverse = 1.0f / task.fixed_scale;
        }
      }
      const int count = static_cast<int>(left < task.unit_inputs ? left : task.unit_inputs);
      // A NaN of a scale is enough: its codes are zeros.
      const float sum =
          unit_codes<F>(x + k, inverse == 0 ? 0 : count, padded, inverse, limit, room);
      task.scales[unit * task.tokens + t] = scale;
      task.folds[unit * task.tokens + t] = -task.bias * static_cast<std::int32_t>(sum);
      task.sums[unit * task.tokens + t] = sum;
      std::int32_t* out = task.codes + (unit * padded / 4 * As::kDwords) * task.tokens + t;
      const int stride = As::kSplit ? padded / 4 : task.tokens;
      const int step = As::kSplit ? 1 : As::kDwords * task.tokens;
      for (int i = 0; i < padded; i += 4, out += step) room.copy(i, out, stride);
    }
  }
}

}  // namespace
}  // namespace farthing::kernels::code_tiles
