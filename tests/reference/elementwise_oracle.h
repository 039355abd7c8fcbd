// Norms, rotary embedding and activation functions as their papers write them, in double precision.
#pragma once

#include <cmath>
#include <complex>
#include <string_view>
#include <vector>

namespace farthing::reference {

inline std::vector<double> norm(const float* x, std::size_t size, const float* weight,
                                const float* bias, double epsilon, bool centred) {
  double mean = 0, variance = 0;
  if (centred)
    for (std::size_t i = 0; i < size; ++i) mean += x[i] / static_cast<double>(size);
  for (std::size_t i = 0; i < size; ++i)
    variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(size);
  std::vector<double> y;
  for (std::size_t i = 0; i < size; ++i)
    y.push_back((x[i] - mean) / std::sqrt(variance + epsilon) *
                    (weight == nullptr ? 1.0 : static_cast<double>(weight[i])) +
                (bias == nullptr ? 0.0 : static_cast<double>(bias[i])));
  return y;
}

// Su et al., 2021: a pair of features is a complex number, turned by the angle.
inline std::pair<double, double> turn(double a, double b, double cosine, double sine) {
  const std::complex<double> turned =
      std::complex<double>(a, b) * std::complex<double>(cosine, sine);
  return {turned.real(), turned.imag()};
}

inline double activation(std::string_view name, double x) {
  if (name == "silu") return x / (1 + std::exp(-x));
  if (name == "gelu") return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  if (name == "gelu_pytorch_tanh") {
    // 1 + tanh(u) = 2 / (1 + exp(-2 u)) does not cancel where the result is small
    const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * u));
  }
  if (name == "quick_gelu") return x / (1 + std::exp(-1.702 * x));
  if (name == "relu") return x > 0 ? x : 0;
  return x > 0 ? x * x : 0;  // relu2
}

}  // namespace farthing::reference
