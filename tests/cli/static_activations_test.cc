// W8A8 with one fixed scale a linear, from calibration data to running.
#include <gmock/gmock.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";

Outcome compress(const std::string& out, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"compress",  kDemo, out,        "--scheme", "w8a8-static",
                                        "--samples", "6",   "--length", "64"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, {});
}

float number_of(const io::Checkpoint& checkpoint, const std::string& name) {
  const io::TensorInfo* tensor = checkpoint.find(name);
  EXPECT_NE(tensor, nullptr) << name;
  EXPECT_EQ(tensor->dtype, "F32");
  EXPECT_EQ(tensor->shape, std::vector<std::int64_t>{1});
  float number = 0;
  std::memcpy(&number, tensor->bytes.data(), sizeof number);
  return number;
}

TEST(StaticActivations, AreMeasuredWrittenAndRun) {
  const io::TempDir dir;
  ASSERT_EQ(compress(dir.path("out"), {}).code, 0);
  const auto made = io::Checkpoint::open(dir.path("out"));
  const std::string q = "model.layers.1.self_attn.q_proj", k = "model.layers.1.self_attn.k_proj";
  const float scale = number_of(*made, q + ".input_scale");
  EXPECT_GT(scale, 0);
  EXPECT_EQ(scale, number_of(*made, k + ".input_scale"));  // they read the same input
  const auto inputs = made->activations(q);
  ASSERT_TRUE(inputs);
  EXPECT_EQ(inputs->scale, scale);  // farthing.json and the tensor agree
  EXPECT_FALSE(inputs->dynamic);
  const auto groups = made->config()["quantization_config"]["config_groups"];
  EXPECT_EQ(groups.size(), 1u);  // scales differ, the scheme does not
  EXPECT_EQ(groups["group_0"]["input_activations"]["strategy"], "tensor");

  // Read as others read it: without farthing.json.
  std::filesystem::remove(dir.path("out/farthing.json"));
  const auto theirs = io::Checkpoint::open(dir.path("out"));
  EXPECT_EQ(theirs->activations(q)->scale, scale);
  const Outcome ran = farthing({"generate", dir.path("out"), "--prompt", "The sea", "--max-tokens",
                                "3", "--temperature", "0"},
                               {});
  EXPECT_EQ(ran.code, 0) << ran.err;
}

TEST(StaticActivations, RefuseAFileWithoutTheirScale) {
  const io::TempDir dir;
  const OpenModel model(TinyLlama{}.write(dir));
  const std::string config = TinyLlama{}.config();
  dir.write("model/config.json", config.substr(0, config.rfind('}')) + R"(, "quantization_config": {
"quant_method": "compressed-tensors", "format": "int-quantized", "config_groups": {"group_0": {
"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int", "strategy": "channel"},
"input_activations": {"num_bits": 8, "type": "int", "strategy": "tensor", "dynamic": false}}},
"ignore": ["lm_head"]}})");
  const Outcome ran =
      farthing({"logits", dir.path("model"), "--tokens", "1,2", "--out", dir.path("l.npy")}, {});
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("static activations by config.json, but no .input_scale"));
}

}  // namespace
}  // namespace farthing::cli
