// Tiny GGUF files of every family against the logits of transformers on the checkpoints that they
// were converted from; llama.cpp computes the same (tools/goldens/make_gguf_architectures.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "model/model.h"
#include "tests/reference/npy.h"

namespace farthing::model {
namespace {

const std::string kRoot = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/gguf_architectures/";

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

class GgufArchitectures : public testing::TestWithParam<std::string> {};

TEST_P(GgufArchitectures, LogitsEqualTransformers) {
  Runtime runtime(2);
  const std::string folder = kRoot + GetParam();
  const auto tokens = reference::read_npy<std::int32_t>(folder + "/tokens.npy").values;
  const auto want = reference::read_npy<float>(folder + "/logits.npy").values;
  const auto checkpoint = io::Checkpoint::open(folder + "/model.gguf");
  const auto model = Model::load(runtime, *checkpoint);
  cache::PagedKv kv = model->make_cache(kernels::KvType::kF32);
  const auto rows = static_cast<std::int64_t>(tokens.size());
  const cache::SequenceSlice slice{
      .sequence = kv.open(), .first_row = 0, .count = rows, .first_position = 0};
  std::vector<std::int64_t> all;
  for (std::int64_t r = 0; r < rows; ++r) all.push_back(r);
  std::vector<float> got;
  model->forward(runtime, {tokens, {&slice, 1}, all}, kv,
                 [&](std::int64_t, MatrixView<const float> slab) {
                   for (std::int64_t r = 0; r < slab.rows; ++r)
                     got.insert(got.end(), slab.row_data(r), slab.row_data(r) + slab.cols);
                 });
  ASSERT_EQ(got.size(), want.size());
  float largest = 0;
  for (float x : want) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], 1e-3f * largest) << "logit " << i;
}

INSTANTIATE_TEST_SUITE_P(Golden, GgufArchitectures, testing::ValuesIn(families()),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace farthing::model
