#include "io/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Json kMetadata = {{"general.architecture", "llama"},
                        {"llama.block_count", 3},
                        {"llama.rope.freq_base", 10000.0},
                        {"below", -5},
                        {"huge", std::uint64_t{1} << 40},
                        {"yes", true},
                        {"tokenizer.ggml.tokens", {"a", "\xC3\xA4", ""}},
                        {"tokenizer.ggml.scores", {0.0, -1.5}},
                        {"tokenizer.ggml.token_type", {1, 6}},
                        {"tokenizer.ggml.merges", Json::array()},
                        {"tokenizer.ggml.precompiled_charsmap", {0, 255}}};

TEST(GgufWriter, WhatIsWrittenIsReadBack) {
  const TempDir dir;
  const std::string path = dir.path("m.gguf");
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6};
  const std::vector<std::byte> block(34 * 4, std::byte{7});
  {
    PlannedGguf file(
        path, kMetadata,
        {{"odd", "F32", {2, 3}}, {"experts", "Q8_0", {2, 2, 32}}, {"last", "F32", {1}}});
    EXPECT_FALSE(std::filesystem::exists(path));
    file.write(1, 0, block);
    file.write(0, 8, std::as_bytes(std::span(numbers)).subspan(8));
    file.write(0, 0, std::as_bytes(std::span(numbers)).first(8));
    file.commit();
  }
  const std::string bytes = content(path);
  const Gguf read = parse_gguf(as_bytes(bytes), "m");
  EXPECT_EQ(read.metadata, kMetadata);
  ASSERT_EQ(read.tensors.size(), 3u);
  EXPECT_EQ(read.tensors[0].name, "odd");
  EXPECT_EQ(read.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(read.tensors[0].bytes.data(), numbers.data(), 24), 0);
  EXPECT_EQ(read.tensors[1].dtype, "Q8_0");
  EXPECT_TRUE(std::ranges::equal(read.tensors[1].bytes, block));
  EXPECT_EQ(read.tensors[2].bytes.size(), 4u);
  for (const TensorInfo& tensor : read.tensors)
    EXPECT_EQ((tensor.bytes.data() - as_bytes(bytes).data()) % 32, 0) << tensor.name;
}

// llama.cpp asks for these types and takes no other.
TEST(GgufWriter, NumbersHaveTheTypesThatReadersAskFor) {
  const TempDir dir;
  const std::string path = dir.path("m.gguf");
  PlannedGguf(path, kMetadata, {}).commit();
  const std::string bytes = content(path);
  const auto type_after = [&](std::string_view key) {
    std::uint32_t type = 0;
    std::memcpy(&type, bytes.data() + bytes.find(key) + key.size(), 4);
    return static_cast<GgufValueType>(type);
  };
  EXPECT_EQ(type_after("llama.block_count"), GgufValueType::kU32);
  EXPECT_EQ(type_after("llama.rope.freq_base"), GgufValueType::kF32);
  EXPECT_EQ(type_after("below"), GgufValueType::kI32);
  EXPECT_EQ(type_after("huge"), GgufValueType::kU64);
  EXPECT_EQ(type_after("yes"), GgufValueType::kBool);
  const auto element_after = [&](std::string_view key) {
    std::uint32_t type = 0;
    std::memcpy(&type, bytes.data() + bytes.find(key) + key.size() + 4, 4);
    return static_cast<GgufValueType>(type);
  };
  EXPECT_EQ(type_after("ggml.scores"), GgufValueType::kArray);
  EXPECT_EQ(element_after("ggml.scores"), GgufValueType::kF32);
  EXPECT_EQ(element_after("ggml.token_type"), GgufValueType::kI32);
  EXPECT_EQ(element_after("ggml.merges"), GgufValueType::kString);
  EXPECT_EQ(element_after("precompiled_charsmap"), GgufValueType::kU8);
}

TEST(GgufWriter, AFileThatIsNotCommittedLeavesNothing) {
  const TempDir dir;
  {
    const PlannedGguf file(dir.path("m.gguf"), kMetadata, {{"a", "F32", {4}}});
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(GgufWriter, WhatReadersRefuseIsNotWritten) {
  const TempDir dir;
  const std::string path = dir.path("m.gguf");
  EXPECT_COMPLAINT(kBadInput, "may have 63 bytes",
                   PlannedGguf(path, Json::object(), {{std::string(64, 'n'), "F32", {1}}}));
  EXPECT_COMPLAINT(kBadInput, "multiple of 32",
                   PlannedGguf(path, Json::object(), {{"a", "Q4_0", {2, 48}}}));
  EXPECT_COMPLAINT(kBadInput, "of one type",
                   PlannedGguf(path, {{"a", {1, "b"}}}, std::vector<PlannedGgufTensor>{}));
  EXPECT_COMPLAINT(kBadInput, "no value like null",
                   PlannedGguf(path, {{"a", nullptr}}, std::vector<PlannedGgufTensor>{}));
}

}  // namespace
}  // namespace farthing::io
