// Linear layers by their definition, one output at a time. Shares nothing with the kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace farthing::reference {

struct Dot {
  double exact = 0;      // in double
  double magnitude = 0;  // sum of |w x|: what rounding errors are measured in
};

inline Dot dot(const std::vector<float>& w, const std::vector<float>& x) {
  Dot result;
  for (std::size_t k = 0; k < w.size(); ++k) {
    const double product = static_cast<double>(w[k]) * static_cast<double>(x[k]);
    result.exact += product;
    result.magnitude += std::fabs(product);
  }
  return result;
}

// The reduction order that float_tiles.h promises.
inline float blocked_chain(const std::vector<float>& w, const std::vector<float>& x) {
  float sum = 0;
  for (std::size_t block = 0; block < w.size(); block += 256) {
    float partial = 0;
    for (std::size_t k = block; k < w.size() && k < block + 256; ++k)
      partial = std::fma(w[k], x[k], partial);
    sum += partial;
  }
  return sum;
}

// Inputs quantised by the definition of code_tiles.h, a scale for every `group` of them (0: one for
// all).
struct Quantized {
  std::vector<std::int64_t> codes;
  std::vector<float> scales;  // of each input
};
// fixed: the one scale of all inputs, where they are not dynamic.
inline Quantized quantize(const std::vector<float>& x, std::size_t group, int bits,
                          float fixed = 0) {
  const float limit = bits == 8 ? 127.0f : 32639.0f;
  Quantized result;
  if (group == 0) group = x.size();
  for (std::size_t begin = 0; begin < x.size(); begin += group) {
    const std::size_t end = std::min(x.size(), begin + group);
    float largest = 0;
    bool finite = true;
    for (std::size_t k = begin; k < end; ++k) {
      largest = std::max(largest, std::fabs(x[k]));
      finite = finite && std::isfinite(x[k]);
    }
    const bool zero = finite && largest < 0x1p-100f;
    if (fixed > 0 && finite) {
      for (std::size_t k = begin; k < end; ++k) {
        const double code = std::nearbyint(static_cast<double>(x[k] * (1.0f / fixed)));
        result.codes.push_back(static_cast<std::int64_t>(
            std::clamp(code, -static_cast<double>(limit), static_cast<double>(limit))));
        result.scales.push_back(fixed);
      }
      continue;
    }
    const float scale = !finite ? std::numeric_limits<float>::quiet_NaN()
                        : zero  ? 0
                                : largest / limit;
    for (std::size_t k = begin; k < end; ++k) {
      double code = 0;
      if (finite && !zero) code = std::nearbyint(static_cast<double>(x[k] * (limit / largest)));
      code = std::clamp(code, -static_cast<double>(limit), static_cast<double>(limit));
      result.codes.push_back(static_cast<std::int64_t>(code));
      result.scales.push_back(scale);
    }
  }
  return result;
}

// A row of weights scale * level + offset, each number given for each input.
struct GridWeights {
  std::vector<std::int64_t> levels;  // code - bias, or an integer of a codebook
  std::vector<float> scales, offsets;
  bool has_offsets = false;
};

// The inputs that one exact sum takes in: the largest common part of the two groups (0: the row),
// at most 256.
inline std::size_t unit_of(std::size_t weight_group, std::size_t input_group, std::size_t row) {
  if (weight_group >= row) weight_group = 0;
  if (input_group >= row) input_group = 0;
  if (weight_group == 0 && input_group == 0) return 256;
  for (std::size_t unit = 256;; --unit)
    if (weight_group % unit == 0 && input_group % unit == 0) return unit;
}

inline float integer_dot(const GridWeights& w, const Quantized& x, std::size_t unit) {
  float sum = 0;
  for (std::size_t begin = 0; begin < w.levels.size(); begin += unit) {
    std::int64_t products = 0, inputs = 0;
    for (std::size_t k = begin; k < std::min(w.levels.size(), begin + unit); ++k) {
      products += w.levels[k] * x.codes[k];
      inputs += x.codes[k];
    }
    sum = std::fma(static_cast<float>(products), w.scales[begin] * x.scales[begin], sum);
    if (w.has_offsets)
      sum = std::fma(w.offsets[begin] * x.scales[begin], static_cast<float>(inputs), sum);
  }
  return sum;
}

}  // namespace farthing::reference
