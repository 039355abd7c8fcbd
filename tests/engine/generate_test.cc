#include "engine/generate.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace farthing::engine {
namespace {

// Greedy tokens when the whole context is computed afresh for each.
std::vector<Token> generate_afresh(Runtime& runtime, model::Model& model, std::vector<Token> all,
                                   std::int64_t count) {
  std::vector<Token> tokens;
  while (static_cast<std::int64_t>(tokens.size()) < count) {
    cache::PagedKv kv = model.make_cache(kernels::KvType::kF32);
    const auto rows = static_cast<std::int64_t>(all.size());
    const cache::SequenceSlice slice{
        .sequence = kv.open(), .first_row = 0, .count = rows, .first_position = 0};
    const std::int64_t last = rows - 1;
    model.forward(runtime, {all, {&slice, 1}, {&last, 1}}, kv,
                  [&](std::int64_t, MatrixView<const float> logits) {
                    tokens.push_back(static_cast<Token>(std::ranges::max_element(logits.row(0)) -
                                                        logits.row(0).begin()));
                  });
    all.push_back(tokens.back());
  }
  return tokens;
}

class Generation : public testing::TestWithParam<std::string> {};

// phi3-longrope-long changes its frequencies at 16 tokens; windows give pages back.
TEST_P(Generation, GivesTheTokensOfAForwardPassOverTheWholeText) {
  Runtime runtime(2);
  const auto checkpoint = io::Checkpoint::open(std::string(FARTHING_SOURCE_DIR) +
                                               "/tests/golden/architectures/" + GetParam());
  const auto model = model::Model::load(runtime, *checkpoint);
  const std::vector<Token> prompt = {5, 9, 70, 33, 12, 44, 8};
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = 40;
  options.prefill_chunk = 3;
  options.ignore_eos = true;
  Session session(runtime, *model, kernels::KvType::kF32);
  const std::vector<Token> want = generate_afresh(runtime, *model, prompt, options.max_tokens);
  EXPECT_EQ(session.generate(prompt, options, nullptr, {}).tokens, want);
  // Once more with what the session holds, then after a shorter text.
  EXPECT_EQ(session.generate(prompt, options, nullptr, {}).tokens, want);
  const std::vector<Token> other = {5, 9, 71};
  EXPECT_EQ(session.generate(other, options, nullptr, {}).tokens,
            generate_afresh(runtime, *model, other, options.max_tokens));
}

INSTANTIATE_TEST_SUITE_P(Models, Generation,
                         testing::Values("phi3-longrope-long", "mistral-window", "gemma3",
                                         "llama-gqa"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace farthing::engine
