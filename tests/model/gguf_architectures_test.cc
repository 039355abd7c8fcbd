// Tiny GGUF files of every family against the logits of transformers on the checkpoints that they
// were converted from; llama.cpp computes the same (tools/goldens/make_gguf_architectures.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tests/reference/all_logits.h"
#include "tests/reference/cases.h"
#include "tests/reference/npy.h"

namespace farthing::model {
namespace {

const std::string kRoot = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/gguf_architectures/";

class GgufArchitectures : public testing::TestWithParam<std::string> {};

TEST_P(GgufArchitectures, LogitsEqualTransformers) {
  Runtime runtime(2);
  const std::string folder = kRoot + GetParam();
  const auto tokens = reference::read_npy<std::int32_t>(folder + "/tokens.npy").values;
  const auto want = reference::read_npy<float>(folder + "/logits.npy").values;
  const auto checkpoint = io::Checkpoint::open(folder + "/model.gguf");
  const auto got = reference::all_logits(runtime, *checkpoint, tokens);
  ASSERT_EQ(got.size(), want.size());
  float largest = 0;
  for (float x : want) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], 1e-3f * largest) << "logit " << i;
}

INSTANTIATE_TEST_SUITE_P(Golden, GgufArchitectures, testing::ValuesIn(reference::case_names(kRoot)),
                         [](const auto& test) { return reference::test_name(test.param); });

}  // namespace
}  // namespace farthing::model
