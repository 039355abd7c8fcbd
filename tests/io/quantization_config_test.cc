#include "io/quantization_config.h"

#include <fmt/format.h>
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
  unsupported("quant_method \"sparkle\" cannot be read; known are compressed-tensors",
              R"({"quant_method":"sparkle","bits":4})");
  for (const char* name : {"bitsandbytes", "hqq", "aqlm", "exl2", "fp8", "mxfp4", "torchao",
                           "gptq_marlin", "quanto", "modelopt"})
    unsupported(fmt::format("\"{}\" keeps weights in a way of its own", name),
                fmt::format(R"({{"quant_method":"{}"}})", name));
  unsupported("format \"marlin-24\"", config_text(w4, R"(,"format":"marlin-24")"));
  unsupported("format \"nvfp4", config_text(w4, "", R"(,"format":"nvfp4-pack-quantized")"));
  unsupported("sparsity_config", config_text(w4, R"(,"sparsity_config":{"format":"sparse-24"})"));
  unsupported("output_activations", config_text(w4, "", R"(,"output_activations":{"num_bits":8})"));
  unsupported("num_bits from 2 to 8; found 1", config_text("{\"num_bits\":1}"));
  unsupported("num_bits from 2 to 8; found 16", config_text("{\"num_bits\":16}"));
  unsupported("num_bits from 8 to 8", config_text(R"({"num_bits":6,"type":"float"})"));
  unsupported("in groups of 32 (mxfp4); found groups of 16",
              config_text(R"({"num_bits":4,"type":"float","group_size":16,"strategy":"group"})"));
  unsupported("type \"nf4\"", config_text(R"({"num_bits":4,"type":"nf4"})"));
  unsupported("strategy \"block\"", config_text(R"({"num_bits":8,"strategy":"block"})"));
  unsupported("static activations need the strategy tensor",
              config_text(w4, "", R"(,"input_activations":{"num_bits":8,"strategy":"token"})"));
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

TEST(QuantizationConfig, DenseSparsityIsNone) {
  EXPECT_TRUE(parse(config_text("{\"num_bits\":4,\"group_size\":32}",
                                R"(,"sparsity_config":{"format":"dense"})"))
                  .find("a.b"));
}

TEST(QuantizationConfig, ReadsMxfp4) {
  const auto config = parse(config_text(
      R"({"num_bits":4,"type":"float","group_size":32,"strategy":"group","scale_dtype":"torch.uint8"})",
      R"(,"format":"mxfp4-pack-quantized")"));
  EXPECT_EQ(scheme_name(config.find("a.b")->weights), "mxfp4");
}

// quantization_config of other families.
const std::string kGptq = R"({"quant_method":"gptq","bits":4,"group_size":128)";
const std::string kAwq = R"({"quant_method":"awq","bits":4,"group_size":64)";
const std::string kAutoRound = R"({"quant_method":"auto-round","bits":3,"group_size":32)";

TEST(QuantizationConfig, ReadsGptqAwqAndAutoRound) {
  const auto gptq = parse(kGptq + R"(,"sym":false,"checkpoint_format":"gptq_v2"})");
  EXPECT_EQ(gptq.method(), QuantMethod::kGptq);
  EXPECT_EQ(scheme_name(gptq.find("a.q_proj")->weights), "w4g128-asym");
  EXPECT_FALSE(gptq.find("a.q_proj")->weights.symmetric);
  EXPECT_FALSE(gptq.zeros_less_one());
  EXPECT_TRUE(parse(kGptq + "}").zeros_less_one());
  EXPECT_FALSE(parse(kGptq + "}").says_version());
  EXPECT_EQ(
      parse(R"({"quant_method":"gptq","bits":8,"group_size":-1})").find("a")->weights.strategy,
      Strategy::kChannel);
  const auto awq = parse(kAwq + R"(,"zero_point":true,"version":"GEMM"})");
  EXPECT_EQ(awq.method(), QuantMethod::kAwq);
  EXPECT_EQ(awq.find("a")->weights.group_size, 64);
  EXPECT_FALSE(awq.find("a")->weights.symmetric);
  EXPECT_EQ(parse(kAutoRound + "}").method(), QuantMethod::kGptq);
  EXPECT_TRUE(parse(kAutoRound + "}").zeros_less_one());
}

TEST(QuantizationConfig, ModulesMayHaveBitsOfTheirOwn) {
  const auto gptq = parse(
      kGptq + R"(,"dynamic":{"+:.*down_proj":{"bits":8,"group_size":32},"-:.*\\.gate$":{}}})");
  EXPECT_EQ(gptq.find("model.layers.0.mlp.down_proj")->weights.bits, 8);
  EXPECT_EQ(gptq.find("model.layers.0.mlp.down_proj")->weights.group_size, 32);
  EXPECT_EQ(gptq.find("model.layers.0.mlp.up_proj")->weights.bits, 4);
  EXPECT_FALSE(gptq.find("model.layers.0.gate"));
  const auto rounded = parse(
      kAutoRound +
      R"(,"extra_config":{"lm_head":{"bits":16,"data_type":"float"},"a.b":{"bits":8,"sym":false}}})");
  EXPECT_FALSE(rounded.find("lm_head"));
  EXPECT_EQ(rounded.find("a.b")->weights.bits, 8);
  EXPECT_EQ(rounded.find("a.c")->weights.bits, 3);
}

TEST(QuantizationConfig, OtherFamiliesAreRefusedInASentence) {
  const auto refuse = [](Fault fault, const std::string& part, const std::string& text) {
    const Complaint complaint = complaint_of([&] { parse(text); });
    EXPECT_EQ(complaint.fault, fault) << complaint.text;
    EXPECT_THAT(complaint.text, testing::HasSubstr(part));
  };
  const auto gptq = [](const std::string& more) {
    return R"({"quant_method":"gptq")" + more + "}";
  };
  refuse(Fault::kBadInput, "\"bits\" is missing", gptq(""));
  refuse(Fault::kBadInput, "\"group_size\" is missing", gptq(R"(,"bits":4)"));
  for (const int bits : {0, 1, 5, 6, 7, 16})
    refuse(Fault::kUnsupported, fmt::format("2, 3, 4, 8 bits; found {}", bits),
           gptq(fmt::format(R"(,"bits":{},"group_size":32)", bits)));
  for (const int group : {0, -2, 1 << 21})
    refuse(Fault::kBadInput, fmt::format("from 1 to 1048576; found {}", group),
           gptq(fmt::format(R"(,"bits":4,"group_size":{})", group)));
  refuse(Fault::kBadInput, "must be an integer", gptq(R"(,"bits":"4","group_size":32)"));
  refuse(Fault::kUnsupported, "checkpoint_format \"marlin\"",
         kGptq + R"(,"checkpoint_format":"marlin"})");
  refuse(Fault::kBadInput, "dynamic: must be an object", kGptq + R"(,"dynamic":[1]})");
  refuse(Fault::kBadInput, "not a regular expression", kGptq + R"(,"dynamic":{"+:(":{}}})");
  refuse(Fault::kUnsupported, "4 bits; found 8",
         R"({"quant_method":"awq","bits":8,"group_size":64})");
  for (const char* version : {"gemv", "gemv_fast", "exllama", "marlin"})
    refuse(Fault::kUnsupported, fmt::format("AWQ's version \"{}\"", version),
           kAwq + fmt::format(R"(,"version":"{}"}})", version));
  refuse(Fault::kUnsupported, "packing_format \"auto_round:exllamav2\"",
         kAutoRound + R"(,"packing_format":"auto_round:exllamav2"})");
  refuse(Fault::kUnsupported, "data_type \"mx_fp\"", kAutoRound + R"(,"data_type":"mx_fp"})");
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
