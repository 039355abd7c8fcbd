#include "bench/model_bench.h"

#include <gmock/gmock.h>

#include "bench/random_checkpoint.h"
#include "core/error.h"

namespace farthing::bench {
namespace {

using ::testing::HasSubstr;

class ModelBenchTest : public ::testing::Test {
 protected:
  ModelBenchTest()
      : runtime_(2),
        checkpoint_(io::Checkpoint::open(FARTHING_SOURCE_DIR "/models/demo/books-llama-8m")),
        model_(model::Model::load(runtime_, *checkpoint_)),
        driver_(runtime_, *model_, kernels::KvType::kF16) {}

  std::string error_of(const BenchOptions& options, Fault fault, double free_bytes = 1e9) {
    try {
      check_sizes(options);
      check_options(options, driver_, free_bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, fault) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  Runtime runtime_;
  std::unique_ptr<io::Checkpoint> checkpoint_;
  std::unique_ptr<model::Model> model_;
  Driver driver_;
};

TEST_F(ModelBenchTest, WorkIsWeightsOnceAPassAndWhatTheCacheHolds) {
  const model::ModelConfig& c = model_->config();
  const Work one = driver_.work(1, 1, 0), later = driver_.work(1, 1, 100),
             eight = driver_.work(8, 1, 100);
  const double token = 2.0 * static_cast<double>(c.layers) *  // keys and values in FP16
                       static_cast<double>(c.kv_heads * c.head_dim) * 2;
  const auto weights = model_->bytes_read(1);
  EXPECT_DOUBLE_EQ(one.bytes, weights + token);
  EXPECT_DOUBLE_EQ(later.bytes, weights + 101 * token);
  EXPECT_DOUBLE_EQ(eight.bytes, weights + 8 * 101 * token);
  EXPECT_DOUBLE_EQ(eight.all_operations(), 8 * one.all_operations());
  // Two operations a weight of the matrices: q, k, v, o, gate, up, down, and the head.
  const auto width = static_cast<double>(c.hidden);
  const double block = width * static_cast<double>(2 * c.q_width() + 2 * c.kv_width()) +
                       3 * width * static_cast<double>(c.intermediate);
  EXPECT_DOUBLE_EQ(one.all_operations(), 2 * (static_cast<double>(c.layers) * block +
                                              width * static_cast<double>(c.vocab)));
}

TEST_F(ModelBenchTest, SequencesGrowAndRewind) {
  Driver::Sequences sequences = driver_.open(3, 5);
  EXPECT_EQ(sequences.count(), 3);
  EXPECT_EQ(sequences.length(), 5);
  EXPECT_GT(driver_.feed(sequences, 4), 0);
  EXPECT_EQ(sequences.length(), 9);
  driver_.rewind(sequences, 5);
  EXPECT_EQ(sequences.length(), 5);
  driver_.feed(sequences, 1);
  EXPECT_EQ(sequences.length(), 6);
}

TEST_F(ModelBenchTest, RowsOfEachTestComeWithTheirShareOfTheRoof) {
  RoofProbe roof(runtime_);
  SilentProgress progress;
  const auto rows = bench_model(
      driver_, roof,
      {.prompts = {16}, .generated = 2, .batches = {1, 2}, .contexts = {0, 8}, .repeats = 2},
      progress);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].test, "pp16");
  EXPECT_EQ(rows[2].test, "tg2");
  EXPECT_EQ(rows[2].batch, 2);
  EXPECT_EQ(rows[3].test, "tg2@8");
  for (const Row& row : rows) {
    EXPECT_EQ(row.speeds.size(), 2u);
    EXPECT_LE(row.tokens_per_s.min, row.tokens_per_s.median);
    EXPECT_GE(row.tokens_per_s.max, row.tokens_per_s.median);
    EXPECT_GT(row.share_of_roof, 0);
    EXPECT_GT(row.gop_s, 0);
    EXPECT_GT(row.gb_s, 0);
  }
}

TEST_F(ModelBenchTest, AScenarioTellsTimesPerToken) {
  RoofProbe roof(runtime_);
  SilentProgress progress;
  const Row row = bench_scenario(driver_, roof,
                                 {.name = "tiny", .about = "", .prompt = 8, .answer = 4, .kept = 4},
                                 3, progress);
  ASSERT_TRUE(row.first_token && row.next_token);
  EXPECT_GT(row.first_token->p50, 0);
  EXPECT_GE(row.first_token->p95, row.first_token->p50);
  EXPECT_GE(row.next_token->p95, row.next_token->p50);
  EXPECT_EQ(row.speeds.size(), 3u);
}

TEST_F(ModelBenchTest, SizesThatMakeNoSenseAreUsageErrors) {
  for (const BenchOptions& options :
       std::vector<BenchOptions>{{.prompts = {0}},
                                 {.prompts = {-1}},
                                 {.generated = 0},
                                 {.batches = {0}},
                                 {.contexts = {-1}},
                                 {.repeats = 0},
                                 {.prompts = {1'000'000'000'000}},
                                 {.generated = INT64_MAX, .contexts = {INT64_MAX}}})
    error_of(options, Fault::kUsage);
  EXPECT_THAT(error_of({.prompts = {1 << 30}}, Fault::kUsage), HasSubstr("context"));
}

TEST_F(ModelBenchTest, TestsThatDoNotFitTheMemorySayWhatTheyNeed) {
  EXPECT_THAT(
      error_of({.prompts = {16}, .generated = 8, .batches = {INT64_MAX}}, Fault::kResources),
      HasSubstr("GB"));
  EXPECT_THAT(error_of({.prompts = {16}, .generated = 8, .batches = {64}}, Fault::kResources, 1e6),
              HasSubstr("--kv"));
  error_of({.prompts = {128}}, Fault::kResources, -1);
}

TEST(Scenarios, AreKnownByName) {
  EXPECT_EQ(find_scenario("rag").name, "rag");
  EXPECT_THROW(find_scenario("poem"), Error);
}

TEST(RandomCheckpoint, KnowsItsBytes) {
  const double bytes =
      random_checkpoint_bytes("tinyllama-1.1b", parse_scheme("bf16"), parse_scheme("bf16"));
  EXPECT_NEAR(bytes, 2.2e9, 0.01e9);  // 1.10 billion parameters
  EXPECT_LT(random_checkpoint_bytes("tinyllama-1.1b", parse_scheme("w4g64"), parse_scheme("w8g64")),
            0.3 * bytes);
  EXPECT_THROW(random_checkpoint_bytes("gpt-9", {}, {}), Error);
}

}  // namespace
}  // namespace farthing::bench
