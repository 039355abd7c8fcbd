// Taking experts out. Scores are held to the paper's formula in numpy on what transformers feeds
// the mixtures (tools/goldens/make_experts.py).
#include <gmock/gmock.h>

#include "compress/step.h"
#include "compress/steps/structured.h"
#include "compress/structure.h"
#include "core/error.h"
#include "io/json.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/all_logits.h"

namespace farthing::compress {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kGoldens = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/";

Json golden() { return read_json_file(kGoldens + "experts/experts.json"); }

calibrate::CalibrationData data_of(const Json& head) {
  calibrate::CalibrationData data;
  for (const Json& tokens : head.at("samples")) {
    calibrate::Sample sample;
    sample.tokens = tokens.get<std::vector<text::Token>>();
    data.samples.push_back(std::move(sample));
  }
  return data;
}

struct Pruned {
  std::unique_ptr<io::Checkpoint> made;
  std::vector<std::string> notes;
};
Pruned prune(const OpenModel& model, const std::string& sparsity) {
  Runtime runtime(2);
  SilentProgress quiet;
  const calibrate::CalibrationData data = data_of(golden());
  Recipe recipe = parse_recipe("steps: [drop_experts: {sparsity: " + sparsity + "}]\n", "test");
  const auto steps = make_steps(recipe);
  Pruned pruned;
  pruned.made = steps[0]->restructure({runtime, model.map, data, "fp32", quiet}, pruned.notes);
  return pruned;
}

TEST(DropExperts, ScoresAreThoseOfThePaper) {
  const Json head = golden();
  const calibrate::CalibrationData data = data_of(head);
  Runtime runtime(2);
  SilentProgress quiet;
  for (const auto& [name, layers] : head.at("scores").items()) {
    const OpenModel model(kGoldens + "architectures/" + name);
    const auto scores = expert_scores({runtime, model.map, data, "fp32", quiet});
    ASSERT_EQ(scores.size(), layers.size());
    for (std::size_t l = 0; l < scores.size(); ++l) {
      ASSERT_EQ(scores[l].size(), layers[l].size()) << name;
      for (std::size_t e = 0; e < scores[l].size(); ++e)
        EXPECT_NEAR(scores[l][e], layers[l][e].get<double>(), 1e-4 * layers[l][e].get<double>())
            << name << ", layer " << l << ", expert " << e;
    }
  }
}

std::string bytes_of(const io::TensorInfo& tensor) {
  return {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()};
}

TEST(DropExperts, RenumbersThoseThatStayAndCutsTheRouter) {
  const OpenModel whole(kGoldens + "architectures/mixtral");
  const Pruned pruned = prune(whole, "0.25");
  EXPECT_EQ(pruned.made->config().at("num_local_experts"), 3);
  EXPECT_FALSE(pruned.made->config().contains("num_experts"));
  const auto scores = golden().at("scores").at("mixtral").at(1).get<std::vector<double>>();
  const auto kept = highest(scores, 3);
  const std::string layer = "model.layers.1.block_sparse_moe.";
  for (std::size_t e = 0; e < kept.size(); ++e)
    for (const char* matrix : {".w1.weight", ".w2.weight", ".w3.weight"})
      EXPECT_EQ(
          bytes_of(*pruned.made->find(fmt::format("{}experts.{}{}", layer, e, matrix))),
          bytes_of(*whole.checkpoint->find(fmt::format("{}experts.{}{}", layer, kept[e], matrix))));
  EXPECT_EQ(pruned.made->find(layer + "experts.3.w1.weight"), nullptr);
  const io::TensorInfo& router = *whole.checkpoint->find(layer + "gate.weight");
  const std::size_t row = router.bytes.size() / 4;
  std::string rows;
  for (const std::int32_t e : kept)
    rows += bytes_of(router).substr(static_cast<std::size_t>(e) * row, row);
  EXPECT_EQ(bytes_of(*pruned.made->find(layer + "gate.weight")), rows);
  EXPECT_THAT(pruned.notes, testing::Contains(HasSubstr("3 of 4 experts stay in layer 1: ")));
}

// An expert whose output is nothing goes; what stays runs.
TEST(DropExperts, RunsInEveryLayoutOfExperts) {
  for (const char* name : {"mixtral", "mixtral-fused-experts-new", "qwen3-moe",
                           "qwen3-moe-mlp-only-layers", "qwen3-moe-sparse-step-fused-new"}) {
    const OpenModel whole(kGoldens + "architectures/" + name);
    const double share = 1.0 / static_cast<double>(whole.config.experts);
    if (whole.config.experts <= whole.config.experts_per_token) continue;
    const Pruned pruned = prune(whole, fmt::format("{}", share));
    const model::ModelConfig made =
        model::config_of(model::architecture_of(*pruned.made), *pruned.made);
    EXPECT_EQ(made.experts, whole.config.experts - 1) << name;
    Runtime runtime(2);
    const std::vector<std::int32_t> tokens = {5, 9, 33, 71};
    for (const float logit : reference::all_logits(runtime, *pruned.made, tokens))
      ASSERT_TRUE(std::isfinite(logit)) << name;
  }
}

// Slices of a tensor that holds all experts are cut along its first dimension.
TEST(DropExperts, CutsATensorThatHoldsAllExperts) {
  const OpenModel whole(kGoldens + "architectures/mixtral-fused-experts-new");
  Structure structure;
  structure.experts.assign(2, {0, 2, 3});
  const auto made = apply_structure(whole.map, structure);
  const std::string name = "model.layers.0.mlp.experts.down_proj";
  const io::TensorInfo& was = *whole.checkpoint->find(name);
  const io::TensorInfo& is = *made->find(name);
  EXPECT_THAT(is.shape, ElementsAre(3, was.shape[1], was.shape[2]));
  const std::size_t slice = was.bytes.size() / 4;
  EXPECT_EQ(bytes_of(is), bytes_of(was).substr(0, slice) + bytes_of(was).substr(2 * slice));
}

TEST(DropExperts, WhatCannotBeDoneIsOneClearSentence) {
  const auto refused = [](const std::string& name, const std::string& sparsity) -> std::string {
    const OpenModel model(kGoldens + "architectures/" + name);
    try {
      prune(model, sparsity);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused("llama-plain", "0.25"), HasSubstr("has no experts to take out"));
  EXPECT_THAT(refused("mixtral", "0.75"),
              HasSubstr("would keep 1 experts, and each token goes through 2; take out fewer"));
  EXPECT_THAT(refused("mixtral", "1"),
              HasSubstr("sparsity of drop_experts must be a share from 0 to below 1; got 1"));
  EXPECT_THAT(refused("mixtral", "-0.1"), HasSubstr("got -0.1"));
}

}  // namespace
}  // namespace farthing::compress
