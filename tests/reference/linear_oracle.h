// Linear layers by their definition, one output at a time. Shares nothing with the kernels.
#pragma once

#include <cmath>
#include <cstdint>
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

}  // namespace farthing::reference
