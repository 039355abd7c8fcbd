// Structured pruning: what does nothing goes first, and the model without it says the same.
#include "compress/structure.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "compress/step.h"
#include "compress/steps/structured.h"
#include "core/error.h"
#include "io/overlay_checkpoint.h"
#include "io/plain_matrix.h"
#include "model/model.h"
#include "tests/compress/tiny_llama.h"
#include "tests/reference/all_logits.h"

namespace farthing::compress {
namespace {

using model::Slot;
using testing::ElementsAre;
using testing::HasSubstr;
using Numbers = std::vector<Bf16>;

calibrate::CalibrationData some_data() {
  calibrate::CalibrationData data;
  Random random(5);
  for (int s = 0; s < 4; ++s) {
    calibrate::Sample sample;
    for (int t = 0; t < 24; ++t)
      sample.tokens.push_back(static_cast<text::Token>(random.uniform() * 100));
    data.samples.push_back(std::move(sample));
  }
  return data;
}

struct Pruned {
  std::unique_ptr<io::Checkpoint> made;
  std::vector<std::string> notes;
};
Pruned prune(const OpenModel& model, const std::string& step) {
  Runtime runtime(2);
  SilentProgress quiet;
  const calibrate::CalibrationData data = some_data();
  Recipe recipe = parse_recipe("steps: [" + step + "]\n", "test");
  const auto steps = make_steps(recipe);
  EXPECT_TRUE(steps[0]->restructures());
  Pruned pruned;
  pruned.made = steps[0]->restructure({runtime, model.map, data, "fp32", quiet}, pruned.notes);
  return pruned;
}

std::vector<float> logits_of(const io::Checkpoint& checkpoint) {
  Runtime runtime(2);
  const std::vector<std::int32_t> tokens = {1, 17, 42, 99, 3, 8, 64};
  return reference::all_logits(runtime, checkpoint, tokens);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

bool ends_with_any(const std::string& name, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* e) { return name.ends_with(e); });
}

// Columns (of `cols`) from `first` on, or rows, become zero.
void clear_columns(Numbers& numbers, std::size_t cols, std::size_t first) {
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (i % cols >= first) numbers[i] = to_bf16(0);
}

TEST(DropLayers, TakesTheOneThatDoesNothing) {
  for (const char* score : {"cosine", "kl"}) {
    const io::TempDir dir;
    const TinyLlama tiny{.layers = 4};
    const OpenModel whole(tiny.write(dir, "m", [](const std::string& name, Numbers& numbers) {
      if (name.starts_with("model.layers.2.") &&
          ends_with_any(name, {"o_proj.weight", "down_proj.weight"}))
        std::fill(numbers.begin(), numbers.end(), to_bf16(0));
    }));
    const Pruned pruned =
        prune(whole, std::string("drop_layers: {sparsity: 0.25, first: 0, last: 0, score: ") +
                         score + "}");
    EXPECT_THAT(pruned.notes, testing::Contains(HasSubstr("3 of 4 layers stay: 0 1 3")));
    EXPECT_EQ(pruned.made->config().at("num_hidden_layers"), 3);
    EXPECT_EQ(pruned.made->find("model.layers.3.mlp.up_proj.weight"), nullptr);
    EXPECT_EQ(logits_of(*pruned.made), logits_of(*whole.checkpoint));
  }
}

TEST(DropChannels, TakesThoseThatDoNothing) {
  for (const char* score : {"flap", "wanda"})
    for (const bool tied : {false, true}) {
      const io::TempDir dir;
      const TinyLlama tiny{.tied = tied};
      const OpenModel whole(tiny.write(dir, "m", [](const std::string& name, Numbers& numbers) {
        if (name.ends_with("down_proj.weight")) clear_columns(numbers, 96, 64);
      }));
      const Pruned pruned = prune(
          whole, std::string("drop_channels: {sparsity: 0.4, multiple: 32, bias: false, score: ") +
                     score + "}");
      EXPECT_EQ(pruned.made->config().at("intermediate_size"), 64);
      EXPECT_THAT(pruned.made->find("model.layers.1.mlp.gate_proj.weight")->shape,
                  ElementsAre(64, 64));
      EXPECT_EQ(pruned.made->config().at("tie_word_embeddings"), tied);
      EXPECT_LT(distance(logits_of(*pruned.made), logits_of(*whole.checkpoint)), 1e-5);
    }
}

TEST(DropChannels, WhatGoesOnAverageIsAColumnTimesItsMean) {
  calibrate::LinearStatistics inputs;
  inputs.sample.resize(2, 3);
  std::copy_n(std::array{1.0f, 2.0f, 5.0f, 3.0f, -4.0f, 7.0f}.data(), 6, inputs.sample.view().data);
  Matrix<float> weights(2, 3);
  std::copy_n(std::array{1.0f, 10.0f, 100.0f, 2.0f, 20.0f, 200.0f}.data(), 6, weights.view().data);
  // Means 2, -1, 6; input 0 stays.
  EXPECT_THAT(lost_mean(weights.view(), inputs, {0}), ElementsAre(-10 + 600, -20 + 1200));
}

TEST(DropChannels, ABiasMakesUpForWhatGoes) {
  const io::TempDir dir;
  const OpenModel whole(TinyLlama{}.write(dir));
  const auto with = [&](const char* bias) {
    return prune(whole,
                 std::string("drop_channels: {sparsity: 0.34, multiple: 16, bias: ") + bias + "}");
  };
  // Llama has a word for biases; a configuration that does not say it has none.
  EXPECT_THAT(with("true").notes, testing::Contains(HasSubstr("has no bias in this architecture")));
  const std::string text = whole.checkpoint->config().dump();
  dir.write("model/config.json", text.substr(0, text.size() - 1) + ", \"mlp_bias\": false}");
  const OpenModel said(dir.path("model"));
  const Pruned made_up = prune(said, "drop_channels: {sparsity: 0.34, multiple: 16}");
  EXPECT_EQ(made_up.made->config().at("mlp_bias"), true);
  EXPECT_THAT(made_up.made->find("model.layers.0.mlp.gate_proj.bias")->shape, ElementsAre(64));
  EXPECT_THAT(made_up.made->find("model.layers.0.mlp.down_proj.bias")->shape, ElementsAre(64));
}

TEST(DropHeads, TakesTheGroupThatDoesNothing) {
  const io::TempDir dir;
  const OpenModel whole(TinyLlama{}.write(dir, "m", [](const std::string& name, Numbers& numbers) {
    if (name.ends_with("o_proj.weight")) clear_columns(numbers, 64, 32);
  }));
  const Pruned pruned = prune(whole, "drop_heads: {sparsity: 0.5, bias: false}");
  EXPECT_EQ(pruned.made->config().at("num_attention_heads"), 2);
  EXPECT_EQ(pruned.made->config().at("num_key_value_heads"), 1);
  EXPECT_EQ(pruned.made->config().at("head_dim"), 16);
  EXPECT_THAT(pruned.made->find("model.layers.0.self_attn.o_proj.weight")->shape,
              ElementsAre(64, 32));
  EXPECT_LT(distance(logits_of(*pruned.made), logits_of(*whole.checkpoint)), 1e-5);
}

TEST(Structure, WhatCannotBeDoneIsOneClearSentence) {
  const io::TempDir dir;
  const OpenModel whole(TinyLlama{}.write(dir));
  const auto refused = [&](const std::string& step) -> std::string {
    try {
      prune(whole, step);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused("drop_layers: {sparsity: 1}"),
              HasSubstr("sparsity of drop_layers must be a share from 0 to below 1; got 1"));
  EXPECT_THAT(refused("drop_heads: {sparsity: -0.5}"), HasSubstr("got -0.5"));
  EXPECT_THAT(refused("drop_channels: {sparsity: 2:4}"),
              HasSubstr("patterns as 2:4 are for single weights"));
  EXPECT_THAT(refused("drop_layers: {sparsity: 0.9}"),
              HasSubstr("3 of 3 layers cannot go while the first 2 and the last 1 stay"));
}

// The matrix with some of its inputs, or outputs, zero.
void put_without(const OpenModel& model, io::OverlayCheckpoint& overlay, Slot slot, int layer,
                 const std::vector<std::int32_t>& kept, std::vector<std::vector<float>>& room) {
  const auto unit = *model.map.find(slot, layer);
  const Shape shape = model.checkpoint->matrix(unit.base)->shape;  // as it is stored
  room.push_back(model.floats(unit.base));
  for (std::int64_t r = 0; r < shape.rows; ++r)
    for (std::int64_t c = 0; c < shape.cols; ++c)
      if (!std::ranges::count(kept, static_cast<std::int32_t>(unit.row->transposed ? r : c)))
        room.back()[static_cast<std::size_t>(r * shape.cols + c)] = 0;
  const io::TensorInfo info{unit.base,
                            "F32",
                            {shape.rows, shape.cols},
                            std::as_bytes(std::span<const float>(room.back()))};
  overlay.put(unit.base, 0, io::plain_matrix(info, 0, 1, "test"));
}

// Norms that two branches share, branches side by side, tied heads: the model without channels says
// what the whole one says when nobody reads them.
TEST(Structure, ParallelBlocksSharedNormsAndTiedHeadsAreNoObstacle) {
  for (const char* name :
       {"cohere", "gpt-neox-parallel", "stablelm-parallel-head-norms", "gpt2-unscaled-new",
        "falcon-11b-one-norm", "llama-tied", "phi3-window", "opt"}) {
    const OpenModel whole(std::string(FARTHING_SOURCE_DIR) + "/tests/golden/architectures/" + name);
    Structure structure;
    for (int layer = 0; layer < whole.config.layers; ++layer) {
      auto& kept = structure.channels.emplace_back();
      for (std::int32_t j = 0; j < whole.config.intermediate; ++j)
        if ((j + layer) % 3 != 0 && std::ssize(kept) < whole.config.intermediate / 2)
          kept.push_back(j);
    }
    const auto made = apply_structure(whole.map, structure);
    io::OverlayCheckpoint overlay(*whole.checkpoint);
    std::vector<std::vector<float>> room;
    room.reserve(16);
    for (int layer = 0; layer < whole.config.layers; ++layer)
      put_without(whole, overlay, Slot::kDown, layer,
                  structure.channels[static_cast<std::size_t>(layer)], room);
    const auto is = logits_of(*made), want = logits_of(overlay);
    ASSERT_EQ(is.size(), want.size());
    for (std::size_t i = 0; i < is.size(); ++i)
      ASSERT_NEAR(is[i], want[i], 1e-4 * (1 + std::abs(want[i]))) << name;
  }
}

// Architectures of the goldens, by what stands in the way.
TEST(Structure, ArchitecturesThatCannotAreRefused) {
  const auto refused = [](const std::string& name, const Structure& structure) -> std::string {
    const OpenModel model(std::string(FARTHING_SOURCE_DIR) + "/tests/golden/architectures/" + name);
    Structure all = structure;
    for (auto* lists : {&all.channels, &all.groups})
      if (!lists->empty())
        lists->resize(static_cast<std::size_t>(model.config.layers), (*lists)[0]);
    try {
      apply_structure(model.map, all);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, Fault::kUnsupported) << name;
      return error.what();
    }
    return "";
  };
  Structure groups, channels;
  groups.groups = {{0}};
  channels.channels = {{0, 1, 2, 3, 4, 5, 6, 7}};
  EXPECT_THAT(refused("bloom", groups), HasSubstr("keeps q, k and v in one matrix"));
  EXPECT_THAT(refused("falcon-7b", groups), HasSubstr("keeps q, k and v in one matrix"));
  EXPECT_THAT(refused("opt", groups), HasSubstr("has no word for heads"));
  EXPECT_THAT(refused("olmo2", groups), HasSubstr("normalises all heads together"));
  EXPECT_THAT(refused("mixtral", channels), HasSubstr("mixtures of experts"));
  EXPECT_THAT(refused("bloom", channels), HasSubstr("no word for the new sizes"));
}

}  // namespace
}  // namespace farthing::compress
