// A tiny Llama as GPTQ, AWQ, AutoRound and compressed-tensors keep it, against the logits that
// transformers computes from the weights which the codes stand for
// (tools/goldens/make_quantized.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tests/reference/all_logits.h"
#include "tests/reference/cases.h"
#include "tests/reference/npy.h"

namespace farthing::model {
namespace {

const std::string kRoot = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/quantized/";

class QuantizedCheckpoints : public testing::TestWithParam<std::string> {
 protected:
  double distance(const LoadOptions& options) {
    Runtime runtime(2);
    const std::string folder = kRoot + GetParam();
    const auto tokens = reference::read_npy<std::int32_t>(folder + "/tokens.npy").values;
    const auto want = reference::read_npy<float>(folder + "/logits.npy").values;
    const auto got = reference::all_logits(runtime, *io::Checkpoint::open(folder), tokens, options);
    EXPECT_EQ(got.size(), want.size());
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(got[i]) - want[i]));
      largest = std::max(largest, std::abs(static_cast<double>(want[i])));
    }
    return worst / largest;
  }
};

TEST_P(QuantizedCheckpoints, LogitsEqualThoseOfTheWeightsThatTheCodesStandFor) {
  EXPECT_LT(distance({.activations = ActivationMode::kF32, .float_weights = {}}), 1e-5);
}

// Codes in groups of the file's order meet inputs of eight bits: near, and no worse than that.
TEST_P(QuantizedCheckpoints, RunWithIntegerInputsOnTheirOwnGrid) { EXPECT_LT(distance({}), 0.05); }

INSTANTIATE_TEST_SUITE_P(Golden, QuantizedCheckpoints,
                         testing::ValuesIn(reference::case_names(kRoot)),
                         [](const auto& test) { return reference::test_name(test.param); });

}  // namespace
}  // namespace farthing::model
