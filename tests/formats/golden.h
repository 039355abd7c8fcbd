// One .json with cases and the .bin that they point into.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/format.h"

namespace farthing::testing {

struct Golden {
  nlohmann::ordered_json cases;
  std::string blob;

  explicit Golden(const std::string& name) {
    const std::string base = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/formats/" + name;
    std::ifstream json(base + ".json"), bin(base + ".bin", std::ios::binary);
    cases = nlohmann::ordered_json::parse(json).at("cases");
    blob.assign(std::istreambuf_iterator<char>(bin), {});
  }

  ByteSpan bytes(const nlohmann::ordered_json& array) const {
    return {reinterpret_cast<const std::byte*>(blob.data()) + array.at("offset").get<std::size_t>(),
            array.at("bytes").get<std::size_t>()};
  }
  std::vector<float> floats(const nlohmann::ordered_json& array) const {
    EXPECT_TRUE(array.at("dtype") == "F32" || array.at("dtype") == "float32");
    std::vector<float> numbers(bytes(array).size() / sizeof(float));
    std::memcpy(numbers.data(), bytes(array).data(), bytes(array).size());
    return numbers;
  }
};

inline Shape shape_of(const nlohmann::ordered_json& test) {
  return {test.at("rows").get<std::int64_t>(), test.at("cols").get<std::int64_t>()};
}

inline std::vector<float> dequantized(const QuantizedTensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.shape.size()));
  tensor.format->dequantize(tensor, 0, {values.data(), tensor.shape.rows, tensor.shape.cols});
  return values;
}

inline std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

// The weights as the grid gives them, in FP32 as format.h says.
inline std::vector<float> through_grid(const QuantizedTensor& tensor) {
  const Grid grid = tensor.format->grid(tensor);
  const auto cols = static_cast<std::size_t>(tensor.shape.cols);
  const auto inputs = static_cast<std::size_t>(grid.group_size);
  const std::size_t groups = cols / inputs;
  std::vector<std::uint8_t> codes(cols);
  std::vector<float> scales(groups), offsets(groups), values;
  for (std::int64_t r = 0; r < tensor.shape.rows; ++r) {
    tensor.format->read_grid(tensor, r, {codes, scales, offsets});
    for (std::size_t j = 0; j < cols; ++j) {
      const float scale = scales[j / inputs];
      const float level = grid.codebook != nullptr
                              ? grid.codebook[codes[j]]
                              : static_cast<float>(static_cast<int>(codes[j]) - grid.bias);
      values.push_back(grid.has_offsets ? scale * level + offsets[j / inputs] : scale * level);
    }
  }
  return values;
}

inline void expect_same_bits(const std::vector<float>& actual, const std::vector<float>& expected,
                             const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(bits_of(actual[i]), bits_of(expected[i]))
        << what << " at " << i << ": " << actual[i] << " instead of " << expected[i];
}

}  // namespace farthing::testing
