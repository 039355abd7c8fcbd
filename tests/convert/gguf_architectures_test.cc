// Every tiny checkpoint as a GGUF file: Farthing computes the same logits from both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "convert/convert.h"
#include "tests/io/files.h"
#include "tests/reference/all_logits.h"
#include "tests/reference/cases.h"
#include "tests/reference/npy.h"

namespace farthing::convert {
namespace {

const std::string kRoot = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/architectures/";

// What llama.cpp has no word for, and part of the sentence that says so.
struct Refused {
  std::string_view start, why;
};
constexpr Refused kRefused[] = {
    {"opt", "has no architecture for OPTForCausalLM"},
    {"bloom-residual-after-norm", "block"},
    {"falcon-7b-alibi", ""},
    {"falcon-rw-alibi", ""},
    {"falcon-sequential", ""},
    {"gemma2", "attention_multiplier"},
    {"gemma3", ""},
    {"qwen3-moe-mlp-only-layers", ""},
    {"qwen3-moe-plain-probabilities", "norm_topk_prob"},
    {"qwen3-moe-sparse-step", ""},
    {"gpt2-scaled-by-layer", "scale_by_layer"},
    {"gpt2-unscaled", "attention_multiplier"},
    {"cohere2", "windows"},
    {"falcon-11b-one-norm", "num_key_value_heads"},
    {"gpt-neox-no-bias-new", "rope"},
};

class AsGguf : public testing::TestWithParam<std::string> {};

TEST_P(AsGguf, LogitsStayTheSame) {
  Runtime runtime(2);
  SilentProgress progress;
  const io::TempDir dir;
  const std::string folder = kRoot + GetParam(), out = dir.path("m.gguf");
  const auto source = io::Checkpoint::open(folder);
  const auto refused = std::ranges::find_if(
      kRefused, [](const Refused& r) { return GetParam().starts_with(r.start); });
  if (refused != std::end(kRefused)) {
    const auto complaint = io::complaint_of([&] { to_gguf(runtime, *source, out, {}, progress); });
    EXPECT_EQ(complaint.fault, Fault::kUnsupported) << complaint.text;
    EXPECT_THAT(complaint.text, testing::HasSubstr(refused->why));
    EXPECT_FALSE(std::filesystem::exists(out));
    return;
  }
  const ConvertReport report = to_gguf(runtime, *source, out, {}, progress);
  EXPECT_TRUE(report.exact());
  auto tokens = reference::read_npy<std::int32_t>(folder + "/golden/tokens_0.npy").values;
  // A window that GGUF cannot tell is said, and does not matter to texts that it holds.
  for (const std::string& note : report.notes)
    if (note.find("sliding window") != std::string::npos) {
      const auto window = source->config().at("sliding_window").get<std::size_t>();
      tokens.resize(std::min(tokens.size(), window));
    }
  const auto want = reference::all_logits(runtime, *source, tokens);
  const auto got = reference::all_logits(runtime, *io::Checkpoint::open(out), tokens);
  ASSERT_EQ(got.size(), want.size());
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(got[i]) - want[i]));
    largest = std::max(largest, std::abs(static_cast<double>(want[i])));
  }
  // Settings and factors of RoPE are FP32 numbers in the file; the weights are what they were.
  EXPECT_LT(worst / largest, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Architectures, AsGguf, testing::ValuesIn(reference::case_names(kRoot)),
                         [](const auto& test) { return reference::test_name(test.param); });

}  // namespace
}  // namespace farthing::convert
