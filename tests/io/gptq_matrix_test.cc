// GPTQ and AWQ checkpoints that were damaged or say what is not so.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "formats/format.h"
#include "io/hf_directory.h"
#include "io/input_order.h"
#include "io/json.h"
#include "io/safetensors_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

const std::string kRoot = std::string(FARTHING_SOURCE_DIR) + "/tests/golden/quantized/";
const std::string kBase = "model.layers.0.mlp.down_proj";

// A golden checkpoint in memory, to be changed.
struct Edited {
  explicit Edited(const std::string& name) : source(open_hf_directory(kRoot + name)) {
    config = source->config();
    for (const TensorInfo& tensor : source->tensors()) {
      Part& part = parts[tensor.name];
      part.dtype = tensor.dtype;
      part.shape = tensor.shape;
      part.bytes.assign(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    }
  }
  struct Part {
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };
  Part& part(const std::string& suffix) { return parts.at(kBase + suffix); }
  void drop(const std::string& suffix) { parts.erase(kBase + suffix); }
  Json& says(const std::string& key) { return config["quantization_config"][key]; }

  std::unique_ptr<Checkpoint> open() {
    dir.write("m/config.json", config.dump());
    std::vector<TensorInfo> infos;
    for (auto& [name, part] : parts)
      infos.push_back({name, part.dtype, part.shape, as_bytes(part.bytes)});
    write_safetensors(dir.path("m/model.safetensors"), infos);
    return open_hf_directory(dir.path("m"));
  }

  TempDir dir;
  std::unique_ptr<Checkpoint> source;
  Json config;
  std::map<std::string, Part> parts;
};

void set_int(Edited& model, const std::string& suffix, std::size_t at, std::int32_t value) {
  std::memcpy(model.part(suffix).bytes.data() + 4 * at, &value, 4);
}

struct Case {
  std::string_view name;
  std::string_view checkpoint, says;
  std::function<void(Edited&)> spoil;
  Fault fault = Fault::kBadInput;
};

const Case kCases[] = {
    {"NoScales", "gptq-v1", "has no .scales", [](Edited& m) { m.drop(".scales"); }},
    {"NoZeros", "gptq-v1", "has no .qzeros", [](Edited& m) { m.drop(".qzeros"); }},
    {"NoAwqZeros", "awq", "has no .qzeros", [](Edited& m) { m.drop(".qzeros"); }},
    {"ZerosOfAnotherShape", "gptq-v1", ".qzeros must be I32 of shape [3, 8]",
     [](Edited& m) { m.part(".qzeros").shape = {8, 3}; }},
    {"ScalesOfAnotherShape", "awq", ".scales must be F16 of shape [3, 64]",
     [](Edited& m) { m.part(".scales").shape = {64, 3}; }},
    {"ScalesOfAnotherType", "gptq-v1", "must be F16, BF16 or F32; found I16",
     [](Edited& m) { m.part(".scales").dtype = "I16"; }, Fault::kUnsupported},
    {"ScalesThatAreNoNumbers", "gptq-v1", "finite numbers; group 0 of output 1",
     [](Edited& m) { m.part(".scales").bytes[3] = '\x7C'; }},
    {"WordsOfAnotherType", "awq", "must be a matrix of I32 words",
     [](Edited& m) { m.part(".qweight").dtype = "F32"; }},
    {"WordsInALine", "gptq-v1", "must be a matrix of I32 words",
     [](Edited& m) { m.part(".qweight").shape = {12 * 64}; }},
    {"MoreBitsThanThereAre", "gptq-v1", "groups of 32 inputs must divide a row, which has 48",
     [](Edited& m) { m.says("bits") = 8; }},
    {"GroupsThatDoNotDivide", "gptq-v1", "groups of 40 inputs must divide a row, which has 96",
     [](Edited& m) { m.says("group_size") = 40; }},
    {"OtherGroups", "gptq-v1", ".scales must be F16 of shape [6, 64]",
     [](Edited& m) { m.says("group_size") = 16; }},
    {"AnotherVersion", "gptq-v1", "zero points are those of the other version",
     [](Edited& m) { m.says("checkpoint_format") = "gptq_v2"; }},
    {"GroupsOutOfRange", "gptq-act-order", "input 5 is in group 6; groups run from 0 to 5",
     [](Edited& m) { set_int(m, ".g_idx", 5, 6); }},
    {"GroupsOfAnotherSize", "gptq-act-order", "all groups must have as many",
     [](Edited& m) {
       for (std::size_t i = 0; i < 96; ++i) set_int(m, ".g_idx", i, i < 17 ? 0 : 1 + (i % 5));
     }},
    {"GroupsForOtherInputs", "gptq-act-order", "must be I32 of shape [96]",
     [](Edited& m) {
       m.part(".g_idx").shape = {95};
       m.part(".g_idx").bytes.resize(95 * 4);
     }},
    {"SomeInNoGroup", "compressed-tensors-group-order", "some inputs are in no group",
     [](Edited& m) { set_int(m, ".weight_g_idx", 3, -1); }},
};

class SpoiledCheckpoint : public testing::TestWithParam<Case> {};

TEST_P(SpoiledCheckpoint, IsRefusedInASentence) {
  Edited model{std::string(GetParam().checkpoint)};
  GetParam().spoil(model);
  const auto checkpoint = model.open();
  const Complaint complaint = complaint_of([&] { static_cast<void>(checkpoint->matrix(kBase)); });
  EXPECT_EQ(complaint.fault, GetParam().fault) << complaint.text;
  EXPECT_THAT(complaint.text, testing::HasSubstr(std::string(GetParam().says)));
  EXPECT_THAT(complaint.text, testing::HasSubstr(kBase));
}
INSTANTIATE_TEST_SUITE_P(Cases, SpoiledCheckpoint, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

std::vector<float> floats_of(const Checkpoint& checkpoint) {
  const auto matrix = checkpoint.matrix(kBase).value();
  std::vector<float> floats(static_cast<std::size_t>(matrix.shape.size()));
  matrix.format->dequantize(matrix, 0, {floats.data(), matrix.shape.rows, matrix.shape.cols});
  return floats;
}

TEST(GptqMatrix, AVersionThatIsUnsaidIsSeenByTheZeroPoints) {
  Edited model("gptq-v1");
  const auto wanted = floats_of(*model.open());
  model.config["quantization_config"].erase("checkpoint_format");
  EXPECT_EQ(floats_of(*model.open()), wanted);
}

TEST(GptqMatrix, TheConfigurationMayLieInAFileOfItsOwn) {
  Edited model("gptq-v1");
  const auto wanted = floats_of(*model.open());
  Json old = model.config["quantization_config"];
  old.erase("quant_method");
  model.config.erase("quantization_config");
  EXPECT_COMPLAINT(kBadInput, "has no quantization_config", model.open()->matrix(kBase));
  model.dir.write("m/quantize_config.json", old.dump());
  EXPECT_EQ(floats_of(*model.open()), wanted);
}

TEST(GptqMatrix, DenseTensorsUnderAQuantizationConfigStayDense) {
  Edited model("gptq-v1");
  const auto matrix = model.open()->matrix("lm_head").value();
  EXPECT_EQ(scheme_name(matrix.scheme), "fp16");
}

TEST(InputOrder, InputsInRisingGroupsNeedNone) {
  const auto checkpoint = open_hf_directory(kRoot + "gptq-v1");
  EXPECT_TRUE(has_input_order(*checkpoint, kBase));
  EXPECT_TRUE(input_order(*checkpoint, kBase, 96, 32, "m").empty());
  const auto ordered = open_hf_directory(kRoot + "gptq-act-order");
  EXPECT_EQ(input_order(*ordered, kBase, 96, 16, "m").size(), 96u);
}

}  // namespace
}  // namespace farthing::io
