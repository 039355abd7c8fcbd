// Smoothing where nothing before a linear takes the scales: its inputs are multiplied.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

const std::string kSource = FARTHING_SOURCE_DIR;

// A model with a GELU MLP, the demo's tokenizer beside it so that ids can calibrate.
std::string make_model(const io::TempDir& dir) {
  const std::string model = dir.path("model");
  std::filesystem::copy(kSource + "/tests/golden/architectures/gpt-neox-sequential", model,
                        std::filesystem::copy_options::recursive);
  std::filesystem::copy(kSource + "/models/demo/books-llama-8m/tokenizer.json",
                        model + "/tokenizer.json");
  std::string ids;
  for (int line = 0; line < 8; ++line) {
    ids += "{\"ids\": [";
    for (int i = 0; i < 32; ++i)
      ids += (i > 0 ? "," : "") + std::to_string((i * 7 + line * 13 + i * i * line) % 50);
    ids += "]}\n";
  }
  dir.write("ids.jsonl", ids);
  dir.write("recipe.yaml",
            "layers: [{match: \"re:.*\", scheme: w8a8}]\nsteps: [{smooth: {alpha: 0.5, multiply: "
            "true}}, rtn]\ncalibration: {text: [" +
                dir.path("ids.jsonl") + "], samples: 8, length: 32, seed: 1}\n");
  return model;
}

std::vector<float> logits_of(const io::TempDir& dir, const std::string& model) {
  const std::string out = dir.path("logits.npy");
  const Outcome ran =
      farthing({"logits", model, "--tokens", "1,5,9,33,2,8,40,4", "--out", out}, {});
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::ifstream file(out, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::uint16_t header = 0;
  std::memcpy(&header, bytes.data() + 8, 2);
  std::vector<float> numbers((bytes.size() - 10 - header) / 4);
  std::memcpy(numbers.data(), bytes.data() + 10 + header, numbers.size() * 4);
  return numbers;
}

TEST(MultipliedInputs, AreWrittenRunAndRefusedWhereOthersRead) {
  const io::TempDir dir;
  const std::string model = make_model(dir), out = dir.path("out");
  const std::vector<std::string> command = {"compress", model, out, "--recipe",
                                            dir.path("recipe.yaml")};
  const Outcome portable = farthing(command, {});
  EXPECT_EQ(portable.code, 4) << portable.err;
  EXPECT_THAT(portable.err, HasSubstr("inputs are multiplied before they are rounded"));
  auto alone = command;
  alone.emplace_back("--no-portable");
  const Outcome made = farthing(alone, {});
  ASSERT_EQ(made.code, 0) << made.err;

  const auto checkpoint = io::Checkpoint::open(out);
  int multiplied = 0;
  bool any = false;
  for (const io::TensorInfo& tensor : checkpoint->tensors()) {
    if (!tensor.name.ends_with(".input_multiplier")) continue;
    ++multiplied;
    float first = 0;
    std::memcpy(&first, tensor.bytes.data(), 4);
    any = any || first != 1.0f;
  }
  EXPECT_GT(multiplied, 0);
  EXPECT_TRUE(any);
  const auto was = logits_of(dir, model), is = logits_of(dir, out);
  ASSERT_EQ(was.size(), is.size());
  double wrong = 0, all = 0;
  for (std::size_t i = 0; i < was.size(); ++i) {
    wrong += std::pow(double(was[i]) - double(is[i]), 2);
    all += std::pow(double(was[i]), 2);
  }
  EXPECT_LT(wrong, 0.01 * all);  // without the multipliers the columns alone would be scaled

  const Outcome gguf = farthing({"convert", out, dir.path("m.gguf")}, {});
  EXPECT_EQ(gguf.code, 4) << gguf.err;
  EXPECT_THAT(gguf.err, HasSubstr("no other format can say"));
}

}  // namespace
}  // namespace farthing::cli
