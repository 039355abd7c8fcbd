#include "io/gguf.h"

#include <gmock/gmock.h>

#include "tests/io/gguf_file.h"

namespace farthing::io {
namespace {

using namespace gguf_file;

Gguf parse(const std::string& file) { return parse_gguf(as_bytes(file), "m.gguf"); }
Gguf parse(const File& file) { return parse(file.bytes()); }

TEST(Gguf, GivesMetadataAndTensorsOutermostDimensionFirst) {
  const File file{
      .pairs = {pair("general.architecture", "llama"), pair<std::uint32_t>("u", 4, 7),
                pair<std::int8_t>("i", 1, -3), pair<float>("f", 6, 0.5f),
                pair<std::uint8_t>("b", 7, 1), pair<std::uint64_t>("big", 10, ~std::uint64_t{0}),
                array("s", 8, 2, text("a") + text("")), array("n", 5, 2, raw(-1) + raw(2))},
      .tensors = {tensor("a.weight", {3, 2}, kF32, 0), tensor("b.weight", {32, 1, 2}, kQ4_0, 32)},
      .data = std::string(32, 'a') + std::string(36, 'b')};
  const std::string bytes = file.bytes();
  const Gguf content = parse(bytes);
  EXPECT_EQ(content.metadata.dump(),
            R"({"general.architecture":"llama","u":7,"i":-3,"f":0.5,"b":true,)"
            R"("big":18446744073709551615,"s":["a",""],"n":[-1,2]})");
  ASSERT_EQ(content.tensors.size(), 2u);
  EXPECT_EQ(content.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(content.tensors[0].bytes.size(), 24u);
  EXPECT_EQ(content.tensors[1].dtype, "Q4_0");
  EXPECT_EQ(content.tensors[1].shape, (std::vector<std::int64_t>{2, 1, 32}));
  EXPECT_EQ(content.tensors[1].bytes.size(), 36u);
  EXPECT_EQ(static_cast<char>(content.tensors[1].bytes[0]), 'b');
}

TEST(Gguf, ReadsVersion2AndOtherAlignmentsAndVocabulariesAlone) {
  EXPECT_EQ(parse(File{.version = 2}).tensors.size(), 0u);
  const File file{.pairs = {pair<std::uint32_t>("general.alignment", 4, 64)},
                  .tensors = {tensor("a", {1}, kF32, 0), tensor("b", {1}, kF32, 64)},
                  .data = std::string(68, 'x'),
                  .alignment = 64};
  EXPECT_EQ(parse(file).tensors[1].bytes.size(), 4u);
}

TEST(Gguf, RefusesBadHeads) {
  EXPECT_COMPLAINT(kBadInput, "must start with \"GGUF\"", parse(""));
  EXPECT_COMPLAINT(kBadInput, "must start with \"GGUF\"", parse("GGU"));
  EXPECT_COMPLAINT(kBadInput, "must start with \"GGUF\"", parse(File{.magic = "GGML"}));
  EXPECT_COMPLAINT(kBadInput, "git lfs pull",
                   parse("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"));
  for (const std::uint32_t version : {0u, 1u, 4u, 0xFFFFFFFFu})
    EXPECT_COMPLAINT(kUnsupported, "GGUF version", parse(File{.version = version}));
  EXPECT_COMPLAINT(kUnsupported, "big-endian", parse(File{.version = 3u << 24}));
  EXPECT_COMPLAINT(kBadInput, "version at byte 4", parse("GGUF\x03"));
}

TEST(Gguf, RefusesCountsThatTheFileCannotHold) {
  const std::string head = "GGUF" + raw<std::uint32_t>(3);
  for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    EXPECT_COMPLAINT(kBadInput, "metadata keys in",
                     parse(head + raw<std::uint64_t>(0) + raw(count)));
    EXPECT_COMPLAINT(kBadInput, "tensors in", parse(head + raw(count) + raw<std::uint64_t>(0)));
    EXPECT_COMPLAINT(kBadInput, "array of", parse(File{.pairs = {array("a", 0, count + 64, "")}}));
    EXPECT_COMPLAINT(kBadInput, "a metadata string",
                     parse(File{.pairs = {text("k") + raw<std::uint32_t>(8) + raw(count + 64)}}));
  }
}

TEST(Gguf, RefusesBadMetadata) {
  const auto with = [](std::string one) { return parse(File{.pairs = {std::move(one)}}); };
  EXPECT_COMPLAINT(kBadInput, "metadata key must have", with(pair<std::uint8_t>("", 0, 1) + "pad"));
  EXPECT_COMPLAINT(kBadInput, "metadata key must have",
                   with(raw(~std::uint64_t{0}) + std::string(64, 'x')));
  EXPECT_COMPLAINT(kBadInput, "has no value type 13", with(pair<std::uint64_t>("k", 13, 1)));
  EXPECT_COMPLAINT(kBadInput, "has no value type 77", with(array("k", 77, 1, "12345678")));
  EXPECT_COMPLAINT(kBadInput, "must be 0 or 1; found 2", with(pair<std::uint8_t>("key", 7, 2)));
  EXPECT_COMPLAINT(kUnsupported, "array of arrays", with(array("k", 9, 1, std::string(64, '\1'))));
  EXPECT_COMPLAINT(kBadInput, "key k occurs twice",
                   parse(File{.pairs = {pair("k", "a"), pair("k", "b")}}));
  for (const std::uint32_t alignment : {0u, 13u, 0x80000000u, 3u << 20})
    EXPECT_COMPLAINT(kBadInput, "power of two",
                     with(pair<std::uint32_t>("general.alignment", 4, alignment)));
  EXPECT_COMPLAINT(kBadInput, "unsigned number of 32 bits",
                   with(pair<std::int32_t>("general.alignment", 5, 32)));
  EXPECT_COMPLAINT(kBadInput, "unsigned number of 32 bits", with(pair("general.alignment", "32")));
}

TEST(Gguf, RefusesNestedArraysWithoutRecursion) {
  std::string nested = text("k") + raw<std::uint32_t>(9);
  for (int i = 0; i < 100'000; ++i) nested += raw<std::uint32_t>(9) + raw<std::uint64_t>(1);
  EXPECT_COMPLAINT(kUnsupported, "array of arrays", parse(File{.pairs = {nested}}));
}

TEST(Gguf, RefusesBadTensors) {
  const auto with = [](std::string one, std::string data = std::string(4096, 'x')) {
    return parse(File{.tensors = {std::move(one)}, .data = std::move(data)});
  };
  const std::uint64_t huge = std::uint64_t{1} << 62;
  EXPECT_COMPLAINT(kBadInput, "name must have 1 to 63", with(tensor("", {1}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "name must have", with(tensor(std::string(64, 'n'), {1}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "4 dimensions; found 5", with(tensor("t", {1, 1, 1, 1, 1}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "found 0", with(tensor("t", {0, 5}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "found 0", with(tensor("t", {32, 0, 7}, kQ4_0, 0)));
  EXPECT_COMPLAINT(kBadInput, "dimension must be", with(tensor("t", {huge * 2}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "overflows 64 bits", with(tensor("t", {huge, huge}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "overflows 64 bits", with(tensor("t", {huge}, kF32, 0)));
  EXPECT_COMPLAINT(kBadInput, "is it complete",
                   with(tensor("t", {std::uint64_t{1} << 40}, kF32, 0)));
  for (const std::uint32_t type : {4u, 5u, 31u, 999u, 0xFFFFFFFFu})
    EXPECT_COMPLAINT(kUnsupported, "unknown tensor type", with(tensor("t", {32}, type, 0)));
  EXPECT_COMPLAINT(kBadInput, "multiple of 32", with(tensor("t", {33}, kQ4_0, 0)));
  EXPECT_COMPLAINT(kBadInput, "multiple of 256", with(tensor("t", {32, 8}, kQ6K, 0)));
  EXPECT_COMPLAINT(kBadInput, "must start at byte 0", with(tensor("t", {1}, kF32, 32)));
  EXPECT_COMPLAINT(kBadInput, "must start at byte 0",
                   with(tensor("t", {1}, kF32, ~std::uint64_t{31})));
  EXPECT_COMPLAINT(kBadInput, "the file has", with(tensor("t", {1024}, kF32, 0), "short"));
  EXPECT_COMPLAINT(kBadInput, "tensor t occurs twice",
                   parse(File{.tensors = {tensor("t", {1}, kF32, 0), tensor("t", {1}, kF32, 32)},
                              .data = std::string(64, 'x')}));
  EXPECT_COMPLAINT(kBadInput, "must start at byte 32",
                   parse(File{.tensors = {tensor("a", {1}, kF32, 0), tensor("b", {1}, kF32, 4)},
                              .data = std::string(64, 'x')}));
}

TEST(Gguf, RefusesAFileThatWasCutAnywhere) {
  const std::string whole =
      File{.pairs = {pair("k", "value"), array("a", 8, 2, text("x") + text("y"))},
           .tensors = {tensor("t", {32}, kQ4_0, 0)},
           .data = std::string(18, 'd')}
          .bytes();
  EXPECT_EQ(parse(whole).tensors.size(), 1u);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(complaint_of([&] { parse(whole.substr(0, size)); }).fault, Fault::kBadInput) << size;
}

TEST(Gguf, CutsHostileNamesDownToOneLine) {
  EXPECT_COMPLAINT(kUnsupported, "\\x1b[31m\\x0a",
                   parse(File{.tensors = {tensor("\x1b[31m\n", {1}, 99, 0)}, .data = "1234"}));
}

Json config_of(std::vector<std::string> pairs, std::vector<std::string> tensors = {},
               std::string data = "") {
  const std::string bytes =
      File{.pairs = std::move(pairs), .tensors = std::move(tensors), .data = std::move(data)}
          .bytes();
  const Gguf content = parse(bytes);
  return gguf_config(content.metadata, content.tensors, "m.gguf");
}

TEST(GgufConfig, SpeaksHuggingFacesWords) {
  const Json config = config_of(
      {pair("general.architecture", "llama"), pair<std::uint32_t>("llama.block_count", 4, 2),
       pair<std::uint32_t>("llama.embedding_length", 4, 64),
       pair<std::uint32_t>("llama.feed_forward_length", 4, 128),
       pair<std::uint32_t>("llama.attention.head_count", 4, 4),
       array("llama.attention.head_count_kv", 5, 2, raw(2) + raw(2)),
       pair<std::uint32_t>("llama.rope.dimension_count", 4, 16),
       pair<float>("llama.attention.layer_norm_rms_epsilon", 6, 1e-5f),
       pair<float>("llama.rope.freq_base", 6, 1e4f), pair("llama.rope.scaling.type", "linear"),
       pair<float>("llama.rope.scaling.factor", 6, 4.0f),
       pair<std::uint32_t>("llama.context_length", 4, 2048),
       pair<std::uint32_t>("tokenizer.ggml.eos_token_id", 4, 2)},
      {tensor("token_embd.weight", {64, 3}, kF32, 0)}, std::string(768, '\0'));
  EXPECT_EQ(config["architectures"][0], "LlamaForCausalLM");
  EXPECT_EQ(config["num_hidden_layers"], 2);
  EXPECT_EQ(config["hidden_size"], 64);
  EXPECT_EQ(config["intermediate_size"], 128);
  EXPECT_EQ(config["num_attention_heads"], 4);
  EXPECT_EQ(config["num_key_value_heads"], 2);
  EXPECT_FLOAT_EQ(config["rms_norm_eps"].get<float>(), 1e-5f);
  EXPECT_EQ(config["rope_scaling"], Json::parse(R"({"rope_type":"linear","factor":4.0})"));
  EXPECT_EQ(config["max_position_embeddings"], 2048);
  EXPECT_EQ(config["vocab_size"], 3);
  EXPECT_EQ(config["eos_token_id"], 2);
  EXPECT_EQ(config["tie_word_embeddings"], true);
  EXPECT_FALSE(config.contains("partial_rotary_factor"));
}

TEST(GgufConfig, MakesAMixtralOfALlamaWithExpertsAndPassesUnknownNamesOn) {
  EXPECT_EQ(config_of({pair("general.architecture", "llama"),
                       pair<std::uint32_t>("llama.expert_count", 4, 8)})["architectures"][0],
            "MixtralForCausalLM");
  EXPECT_EQ(config_of({pair("general.architecture", "bert")})["model_type"], "bert");
  EXPECT_COMPLAINT(kBadInput, "\"general.architecture\" is missing", config_of({}));
  EXPECT_COMPLAINT(kBadInput, "must be a string",
                   config_of({pair<std::uint32_t>("general.architecture", 4, 1)}));
}

TEST(GgufConfig, TellsThePartOfAHeadThatIsRotated) {
  const Json config = config_of({pair("general.architecture", "gptneox"),
                                 pair<std::uint32_t>("gptneox.embedding_length", 4, 64),
                                 pair<std::uint32_t>("gptneox.attention.head_count", 4, 4),
                                 pair<std::uint32_t>("gptneox.rope.dimension_count", 4, 4),
                                 pair<std::uint8_t>("gptneox.use_parallel_residual", 7, 0)});
  EXPECT_EQ(config["partial_rotary_factor"], 0.25);
  EXPECT_EQ(config["use_parallel_residual"], false);
}

TEST(GgufConfig, TakesLongRopesFactorsFromTheirTensors) {
  const Json config =
      config_of({pair("general.architecture", "phi3"),
                 pair<std::uint32_t>("phi3.rope.scaling.original_context_length", 4, 4096),
                 pair<float>("phi3.rope.scaling.attn_factor", 6, 1.25f)},
                {tensor("rope_factors_long.weight", {2}, kF32, 0),
                 tensor("rope_factors_short.weight", {2}, kF32, 32)},
                raw(4.0f) + raw(8.0f) + std::string(24, '\0') + raw(1.0f) + raw(1.5f));
  EXPECT_EQ(config["rope_scaling"],
            Json::parse(R"({"rope_type":"longrope","original_max_position_embeddings":4096,)"
                        R"("long_factor":[4.0,8.0],"short_factor":[1.0,1.5],)"
                        R"("attention_factor":1.25})"));
}

TEST(GgufConfig, RefusesHeadCountsThatDifferFromLayerToLayer) {
  EXPECT_COMPLAINT(kUnsupported, "differs from layer to layer",
                   config_of({pair("general.architecture", "llama"),
                              array("llama.attention.head_count_kv", 5, 2, raw(2) + raw(4))}));
}

}  // namespace
}  // namespace farthing::io
