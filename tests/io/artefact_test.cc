#include "io/artefact.h"

#include <gmock/gmock.h>

#include "tests/io/files.h"

namespace farthing::io {
namespace {

TEST(Artefact, ReadsBackWhatItWrites) {
  Artefact artefact{.source_sha256 = "ab",
                    .recipe = "steps:\n  - rtn\n",
                    .seed = ~std::uint64_t{0},
                    .calibration_sha256 = "cd",
                    .calibration_tokens = 65536,
                    .tool_version = "0.1.0",
                    .kv = "int8",
                    .layers = {},
                    .contract = Json{{"max_kld", 0.02}}};
  artefact.layers = {
      {"a.q_proj", "w4g64", {.mode = ActivationMode::kInt8}, 0.001234567890123},
      {"a.o_proj",
       "w8c",
       {.mode = ActivationMode::kInt16, .strategy = Strategy::kChannel, .group_size = 0},
       0},
      {"lm_head", "bf16", {.mode = ActivationMode::kBf16}, 0}};
  const std::string text = write_artefact(artefact);
  const Artefact read = parse_artefact(text, "farthing.json");
  EXPECT_EQ(write_artefact(read), text);
  EXPECT_EQ(read.seed, artefact.seed);
  ASSERT_NE(read.find("a.o_proj"), nullptr);
  EXPECT_EQ(read.find("a.o_proj")->activations, artefact.layers[1].activations);
  EXPECT_EQ(read.layers[0].error, artefact.layers[0].error);
  EXPECT_EQ(read.find("none"), nullptr);
}

TEST(Artefact, RefusesWhatItDoesNotUnderstand) {
  const auto with_layer = [](const std::string& layer) {
    return parse_artefact(R"({"schema":1,"layers":[)" + layer + "]}", "farthing.json");
  };
  EXPECT_COMPLAINT(kUnsupported, "newer Farthing",
                   parse_artefact(R"({"schema":2,"layers":[]})", "farthing.json"));
  EXPECT_COMPLAINT(kBadInput, "\"schema\" is missing", parse_artefact("{}", "farthing.json"));
  EXPECT_COMPLAINT(kBadInput, "\"layers\" must be a list",
                   parse_artefact(R"({"schema":1})", "farthing.json"));
  EXPECT_COMPLAINT(kBadInput, "must be a JSON object", with_layer("7"));
  EXPECT_COMPLAINT(kBadInput, "x: \"activations\" is missing", with_layer(R"({"name":"x"})"));
  EXPECT_COMPLAINT(kUnsupported, "mode \"int4\"",
                   with_layer(R"({"name":"x","activations":{"mode":"int4"}})"));
  EXPECT_COMPLAINT(kUnsupported, "strategy \"row\"",
                   with_layer(R"({"name":"x","activations":{"mode":"int8","strategy":"row"}})"));
  EXPECT_COMPLAINT(kBadInput, "group_size must be",
                   with_layer(R"({"name":"x","activations":{"mode":"int8","strategy":"group",)"
                              R"("group_size":0}})"));
}

}  // namespace
}  // namespace farthing::io
