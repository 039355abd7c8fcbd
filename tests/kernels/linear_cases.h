// What the tests of linears share: the levels of this machine, random weights and inputs.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "core/random.h"
#include "core/runtime.h"
#include "formats/format.h"
#include "kernels/linear.h"
#include "tests/kernels/levels.h"

namespace farthing::kernels {

// Skips the rest of the test, saying so, when the level is not tested by this program.
#define FARTHING_SKIP_UNTESTED(isa) \
  if (!is_tested(isa)) GTEST_SKIP() << isa_name(isa) << " is not tested here"

inline float random_float(Random& random, float size = 1.0f) {
  return size * static_cast<float>(2 * random.uniform() - 1);
}

inline std::vector<float> random_floats(Random& random, std::int64_t count, float size = 1.0f) {
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& x : numbers) x = random_float(random, size);
  return numbers;
}

// Bits of floats, so that a comparison tells -0 from 0 and finds NaN equal to itself.
inline std::vector<std::uint32_t> bits_of(const std::vector<float>& numbers) {
  std::vector<std::uint32_t> bits(numbers.size());
  std::memcpy(bits.data(), numbers.data(), numbers.size() * sizeof(float));
  return bits;
}

inline std::vector<float> apply(Runtime& runtime, const Linear& linear, const std::vector<float>& x,
                                std::int64_t tokens, Epilogue epilogue = {},
                                std::vector<float> y = {}) {
  y.resize(static_cast<std::size_t>(tokens * linear.out()));
  Activations inputs;
  inputs.assign({x.data(), tokens, linear.in()});
  linear.apply(runtime, inputs, {y.data(), tokens, linear.out()}, epilogue);
  return y;
}

inline std::vector<float> slice(const std::vector<float>& all, std::int64_t first,
                                std::int64_t count) {
  return {all.begin() + first, all.begin() + first + count};
}

inline std::vector<float> dequantized_row(const QuantizedTensor& tensor, std::int64_t row) {
  std::vector<float> numbers(static_cast<std::size_t>(tensor.shape.cols));
  tensor.format->dequantize(tensor, row, {numbers.data(), 1, tensor.shape.cols});
  return numbers;
}

}  // namespace farthing::kernels
