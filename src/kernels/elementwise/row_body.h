// The one body of the row kernels; S is an instruction set of simd/float_*.h.
#pragma once

#include "kernels/elementwise/row_kernels.h"
#include "simd/rows.h"

namespace farthing::kernels {

template <class S>
struct RowBody : simd::Rows<S> {
  using typename simd::Rows<S>::F;
  using typename simd::Rows<S>::Math;
  using simd::Rows<S>::kLanes;
  using simd::Rows<S>::each;

  // The sum over the row of (x - mean)^2, in doubles; a tail's zeros are not numbers of the row.
  FARTHING_SIMD double squares(const float* x, std::int64_t size, double mean) {
    typename S::D sum = S::zero_wide();
    std::int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) sum = S::add_squares(sum, S::load(x + i), mean);
    double total = S::sum_wide(sum);
    for (; i < size; ++i) {
      const double d = static_cast<double>(x[i]) - mean;
      total += d * d;
    }
    return total;
  }
  FARTHING_SIMD double sum(const float* x, std::int64_t size) {
    typename S::D total = S::zero_wide();
    each(size, [&](auto load, auto) { total = S::add_wide(total, load(x)); });
    return S::sum_wide(total);
  }

  static void norm(const float* x, std::int64_t size, const float* weight, const float* bias,
                   float epsilon, bool centred, float* y) {
    const double count = static_cast<double>(size);
    const double mean = centred ? sum(x, size) / count : 0.0;
    const double variance = squares(x, size, mean) / count;
    const double factor = 1.0 / __builtin_sqrt(variance + static_cast<double>(epsilon));
    if (weight != nullptr && bias == nullptr)
      return each(size, [&](auto load, auto store) {
        store(y, S::mul(S::normalise(load(x), mean, factor), load(weight)));
      });
    each(size, [&](auto load, auto store) {
      F out = S::normalise(load(x), mean, factor);
      if (weight != nullptr) out = S::mul(out, load(weight));
      if (bias != nullptr) out = S::add(out, load(bias));
      store(y, out);
    });
  }

  static void rotate(float* x, const float* cosines, const float* sines, std::int64_t half,
                     bool interleaved) {
    if (interleaved) return rotate_pairs(x, cosines, sines, half);
    each(half, [&](auto load, auto store) {
      const F a = load(x), b = load(x + half), c = load(cosines), s = load(sines);
      store(x, S::fnma(b, s, S::mul(a, c)));
      store(x + half, S::fma(a, s, S::mul(b, c)));
    });
  }
  FARTHING_SIMD void rotate_pairs(float* x, const float* cosines, const float* sines,
                                  std::int64_t half) {
    std::int64_t i = 0;
    for (; i + kLanes / 2 <= half; i += kLanes / 2) {
      const F v = S::load(x + 2 * i), c = S::load_twice(cosines + i), s = S::load_twice(sines + i);
      const F signed_sines = S::alternate_sign(s);
      S::store(x + 2 * i, S::fma(S::swap_pairs(v), signed_sines, S::mul(v, c)));
    }
    for (; i < half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = __builtin_fmaf(b, -sines[i], a * cosines[i]);
      x[2 * i + 1] = __builtin_fmaf(a, sines[i], b * cosines[i]);
    }
  }

  template <class Function>
  FARTHING_SIMD void map(const float* x, const float* up, std::int64_t size, float* y, Function f) {
    if (up == nullptr) return each(size, [&](auto load, auto store) { store(y, f(load(x))); });
    each(size, [&](auto load, auto store) { store(y, S::mul(f(load(x)), load(up))); });
  }
  static void activate(Activation f, const float* x, const float* up, std::int64_t size, float* y) {
    switch (f) {
      case Activation::kSilu:
        return map(x, up, size, y, [](F v) { return Math::silu(v); });
      case Activation::kGelu:
        return map(x, up, size, y, [](F v) { return Math::gelu(v); });
      case Activation::kGeluTanh:
        return map(x, up, size, y, [](F v) { return Math::gelu_tanh(v); });
      case Activation::kQuickGelu:
        return map(x, up, size, y, [](F v) { return Math::quick_gelu(v); });
      case Activation::kRelu:
        return map(x, up, size, y, [](F v) { return Math::relu(v); });
      case Activation::kRelu2:
        return map(x, up, size, y, [](F v) { return Math::relu2(v); });
    }
  }

  static void add(const float* x, float scale, std::int64_t size, float* y) {
    const F factor = S::set(scale);
    each(size, [&](auto load, auto store) { store(y, S::fma(factor, load(x), load(y))); });
  }
  static void scale(float factor, std::int64_t size, float* x) {
    const F f = S::set(factor);
    each(size, [&](auto load, auto store) { store(x, S::mul(f, load(x))); });
  }
  static void soft_cap(float cap, std::int64_t size, float* x) {
    const F c = S::set(cap);
    each(size, [&](auto load, auto store) { store(x, S::mul(c, Math::tanh(S::div(load(x), c)))); });
  }

  static constexpr RowKernels kTable = {norm, rotate, activate, add, scale, soft_cap};
};

}  // namespace farthing::kernels
