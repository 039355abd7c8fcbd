// Random weights, and what the integer formats make of them.
#pragma once

#include <cmath>

#include "core/random.h"
#include "formats/format.h"
#include "tests/formats/golden.h"

namespace farthing::testing {

// Heavy-tailed weights, as trained matrices have them.
inline std::vector<float> weights_of(Shape shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(static_cast<std::size_t>(shape.size()));
  for (float& w : weights) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.uniform();
    w = static_cast<float>(0.05 * sum * (random.uniform() < 0.02 ? 4 : 1));
  }
  return weights;
}

inline QuantizedTensor quantized(const WeightScheme& scheme, Shape shape,
                                 const std::vector<float>& weights, RoundMethod method,
                                 std::span<const float> importance = {}) {
  QuantizedTensor tensor = allocate_tensor(shape, scheme);
  tensor.format->quantize(tensor, 0, {weights.data(), shape.rows, shape.cols},
                          {method, importance});
  return tensor;
}

inline double squared_error(const std::vector<float>& a, const std::vector<float>& b,
                            std::span<const float> importance) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum +=
        e * e * (importance.empty() ? 1.0 : static_cast<double>(importance[i % importance.size()]));
  }
  return sum;
}

struct Case {
  WeightScheme scheme;
  Shape shape;
  std::string name;
};

inline std::vector<Case> integer_cases() {
  std::vector<Case> cases;
  for (int bits = 2; bits <= 8; ++bits)
    for (const char* group : {"g16", "g32", "g64", "g128", "g256", "c"})
      for (const char* kind : {"", "-asym", "-asymf"}) {
        const std::string name = "w" + std::to_string(bits) + group + kind;
        const WeightScheme scheme = parse_scheme(name).weights;
        const std::int64_t groups = bits % 3 + 1;
        const std::int64_t cols =
            scheme.strategy == Strategy::kGroup ? groups * scheme.group_size : 37 + bits;
        cases.push_back({scheme, {5 + bits, cols}, name});
      }
  cases.push_back({parse_scheme("w8a8").weights, {7, 53}, "w8a8"});
  cases.push_back({parse_scheme("w8a8g32").weights, {7, 96}, "w8a8g32"});
  return cases;
}

inline std::vector<RoundMethod> methods_of(const WeightScheme& scheme) {
  if (scheme.symmetric)
    return {RoundMethod::kMinMax, RoundMethod::kShrink, RoundMethod::kScaleSearch};
  return {RoundMethod::kMinMax, RoundMethod::kShrink, RoundMethod::kScaleSearch, RoundMethod::kHqq};
}

}  // namespace farthing::testing
