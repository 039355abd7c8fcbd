#include "io/quantization_config.h"

#include <gmock/gmock.h>

#include "tests/io/files.h"

namespace farthing::io {
namespace {

QuantizationConfig parse(const std::string& text) {
  return QuantizationConfig::parse(parse_json(text, "t"), "config.json");
}
// A configuration with one group.
std::string config_text(const std::string& weights, const std::string& more = "",
                        const std::string& group_more = "") {
  return R"({"quant_method":"compressed-tensors","config_groups":{"group_0":{"targets":["Linear"],)"
         R"("weights":)" +
         weights + group_more + "}}" + more + "}";
}

TEST(QuantizationConfig, ReadsWeightsAndActivations) {
  const auto config = parse(config_text(
      R"({"num_bits":4,"type":"int","symmetric":false,"group_size":64,"strategy":"group",)"
      R"("actorder":"static","observer":"minmax","dynamic":false})",
      R"(,"format":"pack-quantized","ignore":["lm_head"],"kv_cache_scheme":null)",
      R"(,"input_activations":{"num_bits":8,"strategy":"token","dynamic":true})"));
  const auto scheme = config.find("model.layers.0.mlp.up_proj");
  ASSERT_TRUE(scheme);
  EXPECT_EQ(scheme->weights, (WeightScheme{.element = Element::kInt,
                                           .bits = 4,
                                           .strategy = Strategy::kGroup,
                                           .group_size = 64,
                                           .symmetric = false,
                                           .zero_point = ZeroPoint::kInteger}));
  EXPECT_EQ(scheme->activations,
            (ActivationScheme{
                .mode = ActivationMode::kInt8, .strategy = Strategy::kChannel, .group_size = 0}));
  EXPECT_FALSE(config.find("lm_head"));
  EXPECT_EQ(config.method(), QuantMethod::kCompressedTensors);
}

TEST(QuantizationConfig, InfersTheStrategyFromTheGroupSize) {
  const auto strategy_of = [](const std::string& more) {
    return parse(config_text("{\"num_bits\":8" + more + "}")).find("a.b")->weights.strategy;
  };
  EXPECT_EQ(strategy_of(""), Strategy::kTensor);
  EXPECT_EQ(strategy_of(",\"group_size\":-1"), Strategy::kChannel);
  EXPECT_EQ(strategy_of(",\"group_size\":32"), Strategy::kGroup);
}

TEST(QuantizationConfig, PrefersNamesToExpressionsToClasses) {
  const auto config = parse(R"({"config_groups":{
    "a":{"targets":["Linear"],"weights":{"num_bits":2}},
    "b":{"targets":["re:.*down_proj$","re:.*layers[.]1[.].*"],"weights":{"num_bits":3}},
    "c":{"targets":["model.layers.1.mlp.down_proj"],"weights":{"num_bits":4}},
    "d":{"targets":["Embedding"],"weights":{"num_bits":8}}},
    "ignore":["re:.*gate$"]})");
  const auto bits_of = [&](const char* base) { return config.find(base)->weights.bits; };
  EXPECT_EQ(bits_of("model.layers.0.self_attn.q_proj"), 2);
  EXPECT_EQ(bits_of("model.layers.0.mlp.down_proj"), 3);
  EXPECT_EQ(bits_of("model.layers.1.self_attn.q_proj"), 3);
  EXPECT_EQ(bits_of("model.layers.1.mlp.down_proj"), 4);
  EXPECT_EQ(bits_of("model.embed_tokens"), 8);
  EXPECT_EQ(bits_of("transformer.wte"), 8);
  EXPECT_FALSE(config.find("model.layers.0.mlp.gate"));
}

TEST(QuantizationConfig, RefusesWhatItCannotRun) {
  const std::string w4 = "{\"num_bits\":4,\"group_size\":32}";
  const auto refuse = [](Fault fault, const std::string& part, const std::string& text) {
    const Complaint complaint = complaint_of([&] { parse(text); });
    EXPECT_EQ(complaint.fault, fault) << complaint.text;
    EXPECT_THAT(complaint.text, testing::HasSubstr(part));
    EXPECT_THAT(complaint.text, testing::HasSubstr("config.json: quantization_config"));
  };
  const auto unsupported = [&](const std::string& part, const std::string& text) {
    refuse(Fault::kUnsupported, part, text);
  };
  const auto bad = [&](const std::string& part, const std::string& text) {
    refuse(Fault::kBadInput, part, text);
  };
  unsupported("quant_method \"gptq\"", R"({"quant_method":"gptq","bits":4})");
  unsupported("format \"marlin-24\"", config_text(w4, R"(,"format":"marlin-24")"));
  unsupported("format \"nvfp4", config_text(w4, "", R"(,"format":"nvfp4-pack-quantized")"));
  unsupported("sparsity_config", config_text(w4, R"(,"sparsity_config":{"format":"sparse-24"})"));
  unsupported("output_activations", config_text(w4, "", R"(,"output_activations":{"num_bits":8})"));
  unsupported("num_bits from 2 to 8; found 1", config_text("{\"num_bits\":1}"));
  unsupported("num_bits from 2 to 8; found 16", config_text("{\"num_bits\":16}"));
  unsupported("num_bits from 8 to 8", config_text(R"({"num_bits":4,"type":"float"})"));
  unsupported("type \"nf4\"", config_text(R"({"num_bits":4,"type":"nf4"})"));
  unsupported("strategy \"block\"", config_text(R"({"num_bits":8,"strategy":"block"})"));
  unsupported("actorder \"group\"", config_text(R"({"num_bits":8,"actorder":"group"})"));
  unsupported("static activation", config_text(w4, "", R"(,"input_activations":{"num_bits":8})"));
  unsupported("8 or 16 bits; found 4",
              config_text(w4, "", R"(,"input_activations":{"num_bits":4,"dynamic":true})"));
  unsupported("asymmetric activations",
              config_text(w4, "", R"(,"input_activations":{"symmetric":false,"dynamic":true})"));
  unsupported("dynamic int8 or int4",
              config_text(w4, R"(,"kv_cache_scheme":{"num_bits":8,"type":"float"})"));
  unsupported("preset schemes", R"({"config_groups":{"W4A16":["Linear"]}})");
  unsupported("has no \"weights\"", R"({"config_groups":{"g":{"targets":["Linear"]}}})");
  bad("\"config_groups\" must be an object; found none", "{}");
  bad("must be a JSON object", "[1]");
  bad("group_size must be", config_text("{\"group_size\":-2}"));
  bad("group_size must be", config_text("{\"group_size\":1000000000000}"));
  bad("needs a group_size", config_text(R"({"strategy":"group"})"));
  bad("needs a group_size", config_text(R"({"strategy":"group","group_size":0})"));
  bad("is for the strategy group", config_text(R"({"strategy":"channel","group_size":32})"));
  bad("weights cannot be dynamic", config_text(R"({"dynamic":true})"));
  bad("\"num_bits\" must be an integer", config_text(R"({"num_bits":"4"})"));
  bad("not a regular expression", config_text(w4, R"(,"ignore":["re:("])"));
  bad("must be a list of names", config_text(w4, R"(,"ignore":"lm_head")"));
  bad("must be a list of names; found 3", config_text(w4, R"(,"ignore":[3])"));
  bad("no float zero points", config_text(R"({"symmetric":false,"zero_point":"float"})"));
}

TEST(QuantizationConfig, LeavesFloatActivationsToTheDefault) {
  const auto config = parse(config_text(
      R"({"num_bits":8,"type":"float","strategy":"channel"})", R"(,"format":"float-quantized")",
      R"(,"input_activations":{"num_bits":8,"type":"float","strategy":"token","dynamic":true})"));
  EXPECT_EQ(config.find("x")->weights.element, Element::kF8e4m3);
  EXPECT_FALSE(config.find("x")->activations);
}

WeightScheme int_scheme(int bits, std::int64_t group) {
  return {.element = Element::kInt,
          .bits = bits,
          .strategy = group > 0 ? Strategy::kGroup : Strategy::kChannel,
          .group_size = group};
}

TEST(QuantizationConfig, ReadsBackWhatItWrites) {
  WeightScheme asymmetric = int_scheme(3, 128);
  asymmetric.symmetric = false;
  asymmetric.zero_point = ZeroPoint::kInteger;
  WeightScheme plain = int_scheme(8, 0);
  plain.plain = true;
  const ActivationScheme per_token{
      .mode = ActivationMode::kInt8, .strategy = Strategy::kChannel, .group_size = 0};
  const std::vector<NamedScheme> modules = {
      {"model.embed_tokens", LinearScheme{int_scheme(8, 0), {}}},
      {"model.layers.0.q_proj", LinearScheme{int_scheme(4, 64), {}}},
      {"model.layers.0.k_proj", LinearScheme{int_scheme(4, 64), {}}},
      {"model.layers.0.v_proj", LinearScheme{asymmetric, {}}},
      {"model.layers.0.o_proj", LinearScheme{plain, per_token}},
      {"model.layers.0.gate", std::nullopt},
      {"lm_head", std::nullopt}};
  for (const QuantMethod method : {QuantMethod::kCompressedTensors, QuantMethod::kFarthing}) {
    const Json json = write_quantization_config(modules, method, true, "int8");
    const auto config = QuantizationConfig::parse(json, "config.json");
    EXPECT_EQ(config.method(), method);
    EXPECT_EQ(config.kv(), "int8");
    for (const NamedScheme& module : modules) {
      const auto found = config.find(module.base);
      ASSERT_EQ(found.has_value(), module.scheme.has_value()) << module.base;
      if (!found) continue;
      EXPECT_EQ(found->weights, module.scheme->weights) << module.base;
      EXPECT_EQ(found->activations, module.scheme->activations) << module.base;
    }
    EXPECT_EQ(json["format"], "mixed-precision");
  }
}

TEST(QuantizationConfig, NamesEveryModuleWhenOthersMayExist) {
  const std::vector<NamedScheme> modules = {{"a", LinearScheme{int_scheme(4, 64), {}}},
                                            {"b", std::nullopt}};
  const Json json = write_quantization_config(modules, QuantMethod::kCompressedTensors, false, "");
  EXPECT_EQ(json["config_groups"]["group_0"]["targets"], Json::parse(R"(["a"])"));
  EXPECT_EQ(json["format"], "pack-quantized");
  EXPECT_TRUE(json["kv_cache_scheme"].is_null());
}

TEST(QuantizationConfig, KeepsToFarthingWhatCompressedTensorsHasNoWordsFor) {
  WeightScheme float_zeros = int_scheme(4, 64);
  float_zeros.symmetric = false;
  float_zeros.zero_point = ZeroPoint::kFloat;
  const WeightScheme nf4{
      .element = Element::kNf4, .bits = 4, .strategy = Strategy::kGroup, .group_size = 64};
  const ActivationScheme int16{.mode = ActivationMode::kInt16};
  for (const LinearScheme& scheme : {LinearScheme{float_zeros, {}}, LinearScheme{nf4, {}},
                                     LinearScheme{int_scheme(8, 0), int16}}) {
    EXPECT_FALSE(is_portable(scheme));
    const std::vector<NamedScheme> modules = {{"a", scheme}};
    const Json json = write_quantization_config(modules, QuantMethod::kFarthing, true, "");
    const auto found = QuantizationConfig::parse(json, "config.json").find("a");
    EXPECT_EQ(found->weights, scheme.weights);
    EXPECT_EQ(found->activations, scheme.activations);
  }
  EXPECT_TRUE(is_portable({int_scheme(2, 16), {}}));
}

}  // namespace
}  // namespace farthing::io
