// Tiny checkpoints of every architecture against the logits of transformers
// (tools/goldens/make_architectures.py). Losing any part of one moves them by ten tolerances.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "model/model.h"
#include "tests/reference/cases.h"
#include "tests/reference/npy.h"

namespace farthing::model {
namespace {

namespace fs = std::filesystem;
using reference::NumpyArray;
using reference::read_npy;

constexpr double kTolerance = 1e-3;  // of the largest |logit|

// FARTHING_ARCHITECTURES names another folder of such checkpoints, as --random of the script makes.
std::string root() {
  const char* other = std::getenv("FARTHING_ARCHITECTURES");
  return other != nullptr ? std::string(other) + "/"
                          : std::string(FARTHING_SOURCE_DIR) + "/tests/golden/architectures/";
}

// Remembers the first features of every block's output.
struct HiddenTap final : Tap {
  bool wants(Site site) override { return site.kind == Site::Kind::kBlockOutput; }
  void observe(Site, const cache::Batch&, MatrixView<const float> values) override {
    std::vector<float> kept;
    for (std::int64_t r = 0; r < values.rows; ++r)
      kept.insert(kept.end(), values.row_data(r), values.row_data(r) + features);
    layers.push_back(kept);
  }
  std::int64_t features = 0;
  std::vector<std::vector<float>> layers;
};

class Architectures : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = root() + GetParam();
    checkpoint_ = io::Checkpoint::open(folder_);
    model_ = Model::load(runtime_, *checkpoint_);
    for (int i = 0; i < 2; ++i) {
      const std::string end = "_" + std::to_string(i) + ".npy";
      tokens_[i] = read_npy<std::int32_t>(folder_ + "/golden/tokens" + end).values;
      logits_[i] = read_npy<float>(folder_ + "/golden/logits" + end);
    }
  }

  // Logits (tokens, vocabulary) of slices that follow one another.
  std::vector<float> run(cache::PagedKv& kv, std::span<const std::int32_t> tokens,
                         std::span<const cache::SequenceSlice> slices, Tap* tap = nullptr,
                         Runtime* runtime = nullptr) {
    std::vector<std::int64_t> all(tokens.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<float> logits;
    model_->forward(
        runtime != nullptr ? *runtime : runtime_,
        {.tokens = tokens, .sequences = slices, .rows_wanting_logits = all}, kv,
        [&](std::int64_t, MatrixView<const float> slab) {
          for (std::int64_t r = 0; r < slab.rows; ++r)
            logits.insert(logits.end(), slab.row_data(r), slab.row_data(r) + slab.cols);
        },
        tap);
    return logits;
  }

  std::vector<float> run_alone(const std::vector<std::int32_t>& tokens, Tap* tap = nullptr,
                               Runtime* runtime = nullptr) {
    cache::PagedKv kv = model_->make_cache(kernels::KvType::kF32);
    const cache::SequenceSlice slice{.sequence = kv.open(),
                                     .first_row = 0,
                                     .count = static_cast<std::int64_t>(tokens.size()),
                                     .first_position = 0};
    return run(kv, tokens, std::span(&slice, 1), tap, runtime);
  }

  static double distance(std::span<const float> a, std::span<const float> b) {
    double worst = a.size() == b.size() ? 0 : INFINITY, largest = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
      worst = difference <= worst ? worst : difference;  // keeps NaN
      largest = std::max(largest, std::abs(static_cast<double>(b[i])));
    }
    return worst / largest;
  }

  // Where the computation leaves the original: "layer 1 is off by 0.3", for messages.
  std::string first_wrong_layer() {
    const auto hidden = read_npy<float>(folder_ + "/golden/hidden_0.npy");
    HiddenTap tap;
    tap.features = hidden.shape[2];
    run_alone(tokens_[0], &tap);
    std::string text;
    const std::size_t size = static_cast<std::size_t>(hidden.shape[1] * hidden.shape[2]);
    for (std::size_t layer = 0; layer < tap.layers.size(); ++layer) {
      // The last entry of the golden is after the final norm.
      if (layer + 2 >= static_cast<std::size_t>(hidden.shape[0])) break;
      const double off =
          distance(tap.layers[layer], std::span(hidden.values).subspan((layer + 1) * size, size));
      text += " layer " + std::to_string(layer) + " is off by " + std::to_string(off) + ";";
    }
    return text;
  }

  Runtime runtime_{2};
  std::string folder_;
  std::unique_ptr<io::Checkpoint> checkpoint_;
  std::unique_ptr<Model> model_;
  std::vector<std::int32_t> tokens_[2];
  NumpyArray<float> logits_[2];
};

TEST_P(Architectures, LogitsEqualTransformers) {
  for (int i = 0; i < 2; ++i)
    EXPECT_LE(distance(run_alone(tokens_[i]), logits_[i].values), kTolerance)
        << "sequence " << i << ":" << first_wrong_layer();
}

TEST_P(Architectures, SequencesInOneBatchDoNotMeet) {
  cache::PagedKv kv = model_->make_cache(kernels::KvType::kF32);
  std::vector<std::int32_t> tokens = tokens_[1];
  tokens.insert(tokens.end(), tokens_[0].begin(), tokens_[0].end());
  const auto count = [&](int i) { return static_cast<std::int64_t>(tokens_[i].size()); };
  const cache::SequenceSlice slices[] = {
      {.sequence = kv.open(), .first_row = 0, .count = count(1), .first_position = 0},
      {.sequence = kv.open(), .first_row = count(1), .count = count(0), .first_position = 0}};
  const std::vector<float> logits = run(kv, tokens, slices);
  const std::size_t split = logits_[1].values.size();
  EXPECT_LE(distance(std::span(logits).first(split), logits_[1].values), kTolerance);
  EXPECT_LE(distance(std::span(logits).subspan(split), logits_[0].values), kTolerance);
}

TEST_P(Architectures, DecodingTokenByTokenAfterAPromptGivesTheSameLogits) {
  const auto prompt = std::min<std::int64_t>(20, logits_[0].shape[0]);
  cache::PagedKv kv = model_->make_cache(kernels::KvType::kF32);
  const int sequence = kv.open();
  std::vector<float> logits;
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(tokens_[0].size());) {
    const std::int64_t count = first == 0 ? prompt : 1;
    const cache::SequenceSlice slice{
        .sequence = sequence,
        .first_row = 0,
        .count = count,
        .first_position = first,
        .known_length = static_cast<cache::Position>(tokens_[0].size())};
    const auto part = run(kv, std::span(tokens_[0]).subspan(first, count), std::span(&slice, 1));
    logits.insert(logits.end(), part.begin(), part.end());
    first += count;
  }
  EXPECT_EQ(logits, run_alone(tokens_[0]));
}

TEST_P(Architectures, EveryInstructionSetAndNumberOfThreadsGivesTheSameBits) {
  const std::vector<float> best = run_alone(tokens_[0]);
  for (Isa isa : {Isa::kScalar, Isa::kAvx2}) {
    if (!isas_here().has(isa)) continue;
    Runtime other(isa == Isa::kScalar ? 1 : 3, isas_here().up_to(isa));
    model_ = Model::load(other, *checkpoint_);
    EXPECT_EQ(run_alone(tokens_[0], nullptr, &other), best) << isa_name(isa);
  }
}

TEST_P(Architectures, StreamedBlocksComputeTheSame) {
  const std::vector<float> resident = run_alone(tokens_[0]);
  model_ = Model::load(runtime_, *checkpoint_, {}, true);
  EXPECT_EQ(run_alone(tokens_[0]), resident);
}

TEST_P(Architectures, APassReadsAllWeightsButTheExpertsThatItsTokensDoNotMeet) {
  const ModelConfig& c = model_->config();
  const double all = model_->bytes_read(1 << 20);
  double experts = 0;
  for (int layer = 0; layer < c.layers; ++layer)
    experts += static_cast<double>(model_->blocks().block(layer).expert_bytes());
  EXPECT_EQ(experts > 0, c.experts > 0);
  double share = 1;  // of the experts that nobody meets
  for (const std::int64_t tokens : {1, 2, 3}) {
    if (c.experts > 0)
      share *= 1 - static_cast<double>(c.experts_per_token) / static_cast<double>(c.experts);
    EXPECT_NEAR(model_->bytes_read(tokens), all - (c.experts > 0 ? share : 0) * experts, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Architectures, testing::ValuesIn(reference::case_names(root())),
                         [](const auto& test) { return reference::test_name(test.param); });

}  // namespace
}  // namespace farthing::model
