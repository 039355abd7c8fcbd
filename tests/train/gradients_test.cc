// Gradients of tiny checkpoints of every dense architecture against PyTorch's
// (tools/goldens/make_gradients.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "io/hf_directory.h"
#include "model/model.h"
#include "tests/reference/cases.h"
#include "tests/reference/npy.h"
#include "train/decoder.h"

namespace farthing::train {
namespace {

constexpr double kTolerance = 1e-4;  // relative, of each tensor's gradient
constexpr int kSums = 8;

std::string golden(const std::string& name) {
  return std::string(FARTHING_SOURCE_DIR) + "/tests/golden/" + name;
}
const Json& goldens() {
  static const Json kGoldens =
      Json::parse(std::ifstream(golden("gradients/gradients.json"))).at("cases");
  return kGoldens;
}
std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, unused] : goldens().items()) all.push_back(name);
  return all;
}

// signs() of the script.
double sign_of(std::uint64_t i, int k) {
  std::uint64_t z = i + (static_cast<std::uint64_t>(k + 1) << 40);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return (z & 1) != 0 ? -1.0 : 1.0;
}

// The gradient's numbers in the order of the file.
std::vector<float> in_file_order(const Parameter& parameter) {
  Parameter wide;
  wide.is_matrix = parameter.is_matrix;
  wide.order = parameter.order;
  wide.turned = parameter.turned;
  wide.dtype = "F32";
  const auto bytes = file_bytes(wide, parameter.gradient.view());
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

struct Labels final : Objective {
  RowLoss apply(const TrainingBatch& batch, std::int64_t first, MatrixView<float> logits) override {
    RowLoss sum;
    LossOperator loss(isas_here(), {.labels = 1});
    for (std::int64_t r = 0; r < logits.rows; ++r)
      sum.total += loss.apply(logits.row(r), batch.labels[static_cast<std::size_t>(first + r)], {},
                              batch.row_weight)
                       .total;
    return sum;
  }
};

struct Case {
  std::unique_ptr<io::Checkpoint> checkpoint;
  std::unique_ptr<model::TensorMap> map;
  model::ModelConfig config;
  TrainingBatch batch;
  explicit Case(const std::string& name) {
    const std::string folder = golden("architectures/" + name);
    checkpoint = io::Checkpoint::open(folder);
    const model::Architecture& architecture = model::architecture_of(*checkpoint);
    config = model::config_of(architecture, *checkpoint);
    map = std::make_unique<model::TensorMap>(architecture, config, *checkpoint);
    const auto tokens = reference::read_npy<std::int32_t>(folder + "/golden/tokens_0.npy").values;
    batch.tokens.assign(tokens.begin(), tokens.end() - 1);
    batch.labels.assign(tokens.begin() + 1, tokens.end());
    batch.lengths = {std::ssize(batch.tokens)};
    batch.row_weight = 1.0 / static_cast<double>(batch.tokens.size());
  }
};

class Gradients : public testing::TestWithParam<std::string> {};

TEST_P(Gradients, AreThoseOfPyTorch) {
  const Json& expected = goldens().at(GetParam());
  Case c(GetParam());
  Runtime runtime(2);
  std::unique_ptr<Decoder> decoder;
  try {
    decoder = std::make_unique<Decoder>(runtime, *c.map);
  } catch (const Error& error) {  // a family that training does not know says so
    ASSERT_EQ(error.fault, Fault::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("head by head"), std::string::npos) << error.what();
    return;
  }
  Labels labels;
  const BatchLoss loss = decoder->accumulate(c.batch, labels);
  EXPECT_NEAR(loss.total, expected.at("loss").get<double>(), 1e-4 * loss.total);
  double whole = 0;  // of all gradients: some are 0 but for rounding, as that of OPT's key bias
  for (const auto& [name, sketch] : expected.at("gradients").items())
    whole += std::pow(sketch.at(0).get<double>(), 2);
  const double noise = std::sqrt(whole) * 0x1.0p-23;
  std::size_t compared = 0;
  for (const auto& [name, sketch] : expected.at("gradients").items()) {
    const Parameter* parameter = decoder->parameters().find(name);
    if (parameter == nullptr && name == "lm_head.weight")
      continue;  // tied, and stored all the same
    ASSERT_NE(parameter, nullptr) << name;
    const std::vector<float> numbers = in_file_order(*parameter);
    const double norm = sketch.at(0).get<double>();
    double wrong = 0;
    for (int k = 0; k < kSums; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < numbers.size(); ++i)
        sum += static_cast<double>(numbers[i]) * sign_of(i, k);
      const double difference = sum - sketch.at(static_cast<std::size_t>(k + 1)).get<double>();
      wrong += difference * difference;
    }
    EXPECT_LE(std::sqrt(wrong / kSums), kTolerance * norm + noise) << name;
    ++compared;
  }
  EXPECT_GE(compared + 1, decoder->parameters().all().size());
}

INSTANTIATE_TEST_SUITE_P(Architectures, Gradients, testing::ValuesIn(names()),
                         [](const auto& one) { return reference::test_name(one.param); });

// A change of a tensor along its gradient changes the loss by the gradient's square.
TEST(GradientsOfFiniteDifferences, AgreeForEveryParameterOfABatchOfSequences) {
  Case c("gemma2");
  c.batch.lengths = {5, c.batch.lengths[0] - 5};
  Runtime runtime(2);
  Decoder decoder(runtime, *c.map);
  Labels labels;
  decoder.accumulate(c.batch, labels);
  for (const auto& parameter : decoder.parameters().all()) {
    const auto values = parameter->value.view();
    const auto gradient = parameter->gradient.view();
    double square = 0;
    for (std::int64_t i = 0; i < parameter->size(); ++i)
      square += static_cast<double>(gradient.data[i]) * gradient.data[i];
    const auto step = static_cast<float>(3e-3 / std::sqrt(square));
    const std::vector<float> before(values.data, values.data + parameter->size());
    const auto loss_at = [&](float along) {
      for (std::int64_t i = 0; i < parameter->size(); ++i)
        values.data[i] = before[static_cast<std::size_t>(i)] + along * gradient.data[i];
      return decoder.evaluate(c.batch, labels).total;
    };
    const double slope = (loss_at(step) - loss_at(-step)) / (2 * static_cast<double>(step));
    std::ranges::copy(before, values.data);
    EXPECT_NEAR(slope, square, 0.02 * square) << parameter->name;
  }
}

TEST(GradientsOfAllThreads, AreTheSameBitsOnAllThreadsAndWhetherBlocksAreKeptOrComputedAgain) {
  const auto run = [](int threads, bool keep) {
    Case c("llama-gqa");
    Runtime runtime(threads);
    Decoder decoder(runtime, *c.map);
    if (keep) decoder.keep_activations();
    Labels labels;
    decoder.accumulate(c.batch, labels);
    std::vector<float> all;
    for (const auto& parameter : decoder.parameters().all())
      all.insert(all.end(), parameter->gradient.view().data,
                 parameter->gradient.view().data + parameter->size());
    return all;
  };
  EXPECT_EQ(run(1, false), run(3, false));
  EXPECT_EQ(run(1, false), run(2, true));
}

TEST(TrainingOfExperts, IsRefusedByName) {
  Case c("mixtral");
  Runtime runtime(1);
  try {
    Decoder decoder(runtime, *c.map);
    FAIL() << "trained experts";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("experts"), std::string::npos);
  }
}

}  // namespace
}  // namespace farthing::train
