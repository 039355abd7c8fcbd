// The one body of the row gradients; S is an instruction set of simd/float_*.h.
#pragma once

#include "kernels/gradients/row_gradients.h"
#include "simd/rows.h"

namespace farthing::kernels {

template <class S>
struct GradientBody : simd::Rows<S> {
  using typename simd::Rows<S>::F;
  using typename simd::Rows<S>::Math;
  using simd::Rows<S>::kLanes;
  using simd::Rows<S>::each;

  static float largest(const float* x, std::int64_t size) {
    F most = S::set(x[0]);
    std::int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) most = S::max(most, S::load(x + i));
    float result = S::largest(most);
    for (; i < size; ++i) result = x[i] > result ? x[i] : result;
    return result;
  }

  static double exponentials(const float* x, float factor, float shift, std::int64_t size,
                             float* y) {
    const F f = S::set(factor), s = S::set(-shift);
    typename S::D sum = S::zero_wide();
    std::int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
      const F e = Math::exp(S::fma(f, S::load(x + i), s));
      S::store(y + i, e);
      sum = S::add_wide(sum, e);
    }
    double total = S::sum_wide(sum);
    if (const int left = static_cast<int>(size - i); left > 0) {
      S::store_first(y + i, Math::exp(S::fma(f, S::load_first(x + i, left), s)), left);
      for (; i < size; ++i) total += static_cast<double>(y[i]);
    }
    return total;
  }

  static double dot(const float* x, const float* y, std::int64_t size) {
    typename S::D sum = S::zero_wide();
    each(size, [&](auto load, auto) { sum = S::add_wide(sum, S::mul(load(x), load(y))); });
    return S::sum_wide(sum);
  }

  static void softmax(const float* p, float factor, float shift, std::int64_t size, float* x) {
    const F f = S::set(factor), s = S::set(shift);
    each(size,
         [&](auto load, auto store) { store(x, S::mul(S::mul(f, load(p)), S::sub(load(x), s))); });
  }

  struct Slope {
    F value, derivative;
  };
  // x sigma(y), given y and its derivative.
  FARTHING_SIMD Slope gated_by_sigmoid(F x, F y, F dy) {
    const F one = S::set(1.0f);
    const F sigma = S::div(one, S::add(one, Math::exp(S::sub(S::zero(), y))));
    const F bend = S::mul(S::mul(sigma, S::sub(one, sigma)), dy);
    return {S::mul(x, sigma), S::fma(x, bend, sigma)};
  }
  FARTHING_SIMD Slope silu(F x) { return gated_by_sigmoid(x, x, S::set(1.0f)); }
  FARTHING_SIMD Slope quick_gelu(F x) {
    return gated_by_sigmoid(x, S::mul(x, S::set(1.702f)), S::set(1.702f));
  }
  FARTHING_SIMD Slope gelu_tanh(F x) {  // as simd/math.h: x sigma(x (1.5957... + 0.0713... x^2))
    const F a = S::set(1.5957691216057f), b = S::set(0.0713548162726f), square = S::mul(x, x);
    return gated_by_sigmoid(x, S::mul(x, S::fma(square, b, a)),
                            S::fma(square, S::set(3 * 0.0713548162726f), a));
  }
  FARTHING_SIMD Slope gelu(F x) {  // d x Phi(x) = Phi(x) + x phi(x); Phi = gelu / x away from 0
    const F value = Math::gelu(x);
    const F share = S::select(S::less(S::abs(x), S::set(1e-20f)), S::set(0.5f), S::div(value, x));
    const F bell = S::mul(Math::exp(S::mul(S::set(-0.5f), S::mul(x, x))), S::set(0.3989422804f));
    return {value, S::fma(x, bell, share)};
  }
  FARTHING_SIMD Slope relu(F x) {
    return {Math::relu(x), S::select(S::less(S::zero(), x), S::set(1.0f), S::zero())};
  }
  FARTHING_SIMD Slope relu2(F x) { return {Math::relu2(x), S::mul(S::set(2.0f), Math::relu(x))}; }

  template <class Function>
  FARTHING_SIMD void slope(const float* x, const float* up, const float* dy, std::int64_t size,
                           float* dx, float* dup, Function f) {
    if (up == nullptr)
      return each(
          size, [&](auto load, auto store) { store(dx, S::mul(load(dy), f(load(x)).derivative)); });
    each(size, [&](auto load, auto store) {
      const Slope s = f(load(x));
      const F d = load(dy), scaled = S::mul(d, load(up));
      store(dup, S::mul(d, s.value));
      store(dx, S::mul(scaled, s.derivative));
    });
  }
  static void activate(Activation f, const float* x, const float* up, const float* dy,
                       std::int64_t size, float* dx, float* dup) {
    switch (f) {
      case Activation::kSilu:
        return slope(x, up, dy, size, dx, dup, [](F v) { return silu(v); });
      case Activation::kGelu:
        return slope(x, up, dy, size, dx, dup, [](F v) { return gelu(v); });
      case Activation::kGeluTanh:
        return slope(x, up, dy, size, dx, dup, [](F v) { return gelu_tanh(v); });
      case Activation::kQuickGelu:
        return slope(x, up, dy, size, dx, dup, [](F v) { return quick_gelu(v); });
      case Activation::kRelu:
        return slope(x, up, dy, size, dx, dup, [](F v) { return relu(v); });
      case Activation::kRelu2:
        return slope(x, up, dy, size, dx, dup, [](F v) { return relu2(v); });
    }
  }

  FARTHING_SIMD double sum(const float* x, std::int64_t size) {
    typename S::D total = S::zero_wide();
    each(size, [&](auto load, auto) { total = S::add_wide(total, load(x)); });
    return S::sum_wide(total);
  }
  FARTHING_SIMD double squares(const float* x, std::int64_t size, double mean) {
    typename S::D total = S::zero_wide();
    std::int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) total = S::add_squares(total, S::load(x + i), mean);
    double result = S::sum_wide(total);
    for (; i < size; ++i) {
      const double d = static_cast<double>(x[i]) - mean;
      result += d * d;
    }
    return result;
  }

  // With g = dy * weight: dx = (g - mean(g) - normed * mean(g * normed)) / deviation.
  static void norm(const float* x, std::int64_t size, const float* weight, float epsilon,
                   bool centred, const float* dy, float* dx, float* weight_part) {
    const double count = static_cast<double>(size);
    const double mean = centred ? sum(x, size) / count : 0.0;
    const double variance = squares(x, size, mean) / count;
    const double factor = 1.0 / __builtin_sqrt(variance + static_cast<double>(epsilon));
    typename S::D along = S::zero_wide(), all = S::zero_wide();
    each(size, [&](auto load, auto store) {
      const F part = S::mul(load(dy), S::normalise(load(x), mean, factor));
      store(weight_part, part);
      const F w = weight != nullptr ? load(weight) : S::set(1.0f);
      along = S::add_wide(along, S::mul(part, w));
      if (centred) all = S::add_wide(all, S::mul(load(dy), w));
    });
    const F pull = S::set(static_cast<float>(S::sum_wide(along) / count));
    const F level = S::set(static_cast<float>(centred ? S::sum_wide(all) / count : 0.0));
    const F f = S::set(static_cast<float>(factor));
    each(size, [&](auto load, auto store) {
      F g = load(dy);
      if (weight != nullptr) g = S::mul(g, load(weight));
      const F n = S::normalise(load(x), mean, factor);
      store(dx, S::mul(f, S::fnma(n, pull, S::sub(g, level))));
    });
  }

  static constexpr RowGradients kTable = {largest, exponentials, dot, softmax, activate, norm};
};

}  // namespace farthing::kernels
