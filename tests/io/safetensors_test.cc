#include "io/safetensors.h"

#include <gmock/gmock.h>

#include "tests/io/files.h"

namespace farthing::io {
namespace {

Safetensors parse(const std::string& file) {
  return parse_safetensors(as_bytes(file), "m.safetensors");
}

TEST(Safetensors, GivesNameTypeShapeAndBytes) {
  const std::string file = safetensors(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I8","shape":[2],"data_offsets":[6,8]},)"
      R"("a":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]}}  )",
      "aabbccxy");
  const Safetensors content = parse(file);
  ASSERT_EQ(content.tensors.size(), 2u);
  EXPECT_EQ(content.tensors[0].name, "a");
  EXPECT_EQ(content.tensors[0].dtype, "BF16");
  EXPECT_EQ(content.tensors[0].shape, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(content.tensors[0].bytes.size(), 6u);
  EXPECT_EQ(static_cast<char>(content.tensors[1].bytes[1]), 'y');
  EXPECT_THAT(content.metadata, testing::ElementsAre(testing::Pair("format", "pt")));
}

TEST(Safetensors, AllowsScalarsEmptyTensorsAndNoTensorsAtAll) {
  EXPECT_TRUE(parse(safetensors("{}")).tensors.empty());
  EXPECT_TRUE(parse(safetensors(R"({"__metadata__":null})")).tensors.empty());
  const auto content =
      parse(safetensors(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                        R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                        R"("f":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                        "1234"));
  EXPECT_EQ(content.tensors.size(), 3u);
}

TEST(Safetensors, RefusesFilesTooShortForAHeader) {
  EXPECT_COMPLAINT(kBadInput, "m.safetensors: is empty", parse(""));
  EXPECT_COMPLAINT(kBadInput, "has 7 bytes", parse("1234567"));
}

TEST(Safetensors, RefusesImpossibleHeaderLengths) {
  const auto with_length = [](std::uint64_t n) { return parse(raw(n) + "{}"); };
  EXPECT_COMPLAINT(kBadInput, "found no header at all", with_length(0));
  EXPECT_COMPLAINT(kBadInput, "not valid JSON", with_length(1));
  EXPECT_COMPLAINT(kBadInput, "needs 3 bytes, the file has 2 left", with_length(3));
  for (const std::uint64_t n :
       {std::uint64_t{100'000'001}, std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{7}})
    EXPECT_COMPLAINT(kBadInput, "safetensors allows 100000000", with_length(n));
}

TEST(Safetensors, RefusesHeadersThatAreNotAJsonObject) {
  using namespace std::string_literals;
  EXPECT_COMPLAINT(kBadInput, "must start with '{'", parse(safetensors(" {}")));
  EXPECT_COMPLAINT(kBadInput, "must start with '{'", parse(safetensors("[]")));
  EXPECT_COMPLAINT(kBadInput, "must start with '{'", parse(safetensors("\xEF\xBB\xBF{}")));
  EXPECT_COMPLAINT(kBadInput, "not valid JSON", parse(safetensors("{\"a\xff\":1}")));
  EXPECT_COMPLAINT(kBadInput, "not valid JSON", parse(safetensors("{} x")));
  EXPECT_COMPLAINT(kBadInput, "zero byte", parse(safetensors("{}\0"s)));
  EXPECT_COMPLAINT(kBadInput, "nested deeper",
                   parse(safetensors("{\"a\":" + std::string(100'000, '['))));
  EXPECT_COMPLAINT(kBadInput, "must be an object; found 1",
                   parse(safetensors("{\"" + std::string(10'000'000, 'k') + "\":1}")));
  EXPECT_COMPLAINT(kBadInput, "\"a\" occurs twice", parse(safetensors(R"({"a":{},"a":{}})")));
  EXPECT_COMPLAINT(
      kBadInput, "\"dtype\" occurs twice",
      parse(safetensors(R"({"a":{"dtype":"F32","dtype":"F16","shape":[],"data_offsets":[0,4]}})")));
  EXPECT_COMPLAINT(kBadInput, "must be a string",
                   parse(safetensors(R"({"__metadata__":{"a":1}})")));
  EXPECT_COMPLAINT(kBadInput, "object of strings", parse(safetensors(R"({"__metadata__":[]})")));
}

struct BadTensor {
  std::string entry;  // the tensor's header
  std::string says;
  Fault fault = Fault::kBadInput;
};
class SafetensorsEntry : public testing::TestWithParam<BadTensor> {};

TEST_P(SafetensorsEntry, IsRefused) {
  const BadTensor& bad = GetParam();
  const std::string file = safetensors("{\"w\":" + bad.entry + "}", "12345678");
  const Complaint complaint = complaint_of([&] { parse(file); });
  EXPECT_EQ(complaint.fault, bad.fault);
  EXPECT_THAT(complaint.text, testing::HasSubstr(bad.says));
}

BadTensor offsets(const std::string& pair, const std::string& says) {
  return {R"({"dtype":"F32","shape":[2],"data_offsets":)" + pair + "}", says};
}
BadTensor shape(const std::string& list, const std::string& says, const char* dtype = "F32") {
  return {
      R"({"dtype":")" + std::string(dtype) + R"(","shape":)" + list + R"(,"data_offsets":[0,8]})",
      says};
}
INSTANTIATE_TEST_SUITE_P(
    Offsets, SafetensorsEntry,
    testing::Values(offsets("[8,0]", "run backwards"), offsets("[-1,8]", "found -1"),
                    offsets("[0,8.0]", "whole number"), offsets("[0,1e3]", "whole number"),
                    offsets("[0,\"8\"]", "whole number"), offsets("[0]", "must be [begin, end]"),
                    offsets("[0,4,8]", "must be [begin, end]"), offsets("{}", "[begin, end]"),
                    offsets("null", "gives no \"data_offsets\""),
                    offsets("[0,9]", "is it complete"),
                    offsets("[9007199254740993,9007199254740994]", "is it complete"),
                    offsets("[0,18446744073709551615]", "is it complete"),
                    offsets("[0,99999999999999999999]", "whole number"),
                    offsets("[0,4]", "takes 8 bytes, data_offsets give it 4")));
INSTANTIATE_TEST_SUITE_P(Shapes, SafetensorsEntry,
                         testing::Values(shape("[4294967296,4294967296]", "overflows 64 bits"),
                                         shape("[9223372036854775807]", "overflows 64 bits"),
                                         shape("[18446744073709551615]", "63 bits"),
                                         shape("[-2]", "found -2"), shape("[3]", "takes 12 bytes"),
                                         shape("[0]", "takes 0 bytes"),
                                         shape("[]", "takes 4 bytes"), shape("2", "must be a list"),
                                         shape("[1,1,1,1,1,1,1,1,2]", "at most 8 numbers"),
                                         shape("[2.0]", "2.0"),
                                         shape("[17]", "do not fill whole bytes", "F4"),
                                         shape("[3]", "do not fill whole bytes", "F6_E2M3")));
INSTANTIATE_TEST_SUITE_P(
    Fields, SafetensorsEntry,
    testing::Values(BadTensor{"{}", "gives no \"dtype\""}, BadTensor{"7", "must be an object"},
                    BadTensor{R"({"dtype":1,"shape":[],"data_offsets":[0,8]})", "must be a string"},
                    BadTensor{R"({"dtype":"F32","data_offsets":[0,8]})", "no \"shape\""},
                    BadTensor{R"({"dtype":"Q9","shape":[8],"data_offsets":[0,8]})",
                              "unknown dtype \"Q9\"", Fault::kUnsupported}));

std::string two(const char* a, const char* b) {
  return safetensors(std::string(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)") + a +
                         R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}",
                     "1234");
}

TEST(Safetensors, RefusesOverlapsGapsAndBytesAfterTheLastTensor) {
  EXPECT_EQ(parse(two("[2,4]", "[0,2]")).tensors.size(), 2u);
  EXPECT_COMPLAINT(kBadInput, "must not overlap", parse(two("[0,2]", "[1,3]")));
  EXPECT_COMPLAINT(kBadInput, "must not overlap", parse(two("[0,2]", "[0,2]")));
  EXPECT_COMPLAINT(
      kBadInput, "no gaps",
      parse(two("[1,3]", "[0,2]").substr(0, 0) + safetensors(R"({"a":{"dtype":"U8","shape":[2],)"
                                                             R"("data_offsets":[1,3]}})",
                                                             "123")));
  EXPECT_COMPLAINT(kBadInput, "1 bytes follow", parse(two("[0,2]", "[2,4]") + "x"));
  EXPECT_COMPLAINT(kBadInput, "bytes follow", parse(safetensors("{}", "PK")));
}

TEST(Safetensors, TellsFilesOfOtherKindsByTheirFirstBytes) {
  EXPECT_COMPLAINT(kBadInput, "git lfs pull",
                   parse("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"));
  EXPECT_COMPLAINT(kBadInput, "web page", parse("\n<!DOCTYPE html><html><body>404</body></html>"));
  EXPECT_COMPLAINT(kUnsupported, "pickle", parse("PK\x03\x04\x00\x00\x08\x08pytorch"));
  EXPECT_COMPLAINT(kUnsupported, "pickle", parse("\x80\x02}q\x01(X\x05\x00\x00\x00"));
  EXPECT_COMPLAINT(kBadInput, "GGUF", parse("GGUF\x03 and so on"));
}

TEST(Safetensors, ReadsDataAtOddAddresses) {
  const auto content = parse(safetensors(
      R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})" + std::string(1, ' '), "xy"));
  EXPECT_EQ(content.tensors[0].bytes.size(), 2u);
}

TEST(SafetensorsFile, RefusesAFileThatWasCutAnywhere) {
  const TempDir dir;
  const std::string whole = two("[0,2]", "[2,4]");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(complaint_of([&] { SafetensorsFile(dir.write("m", whole.substr(0, size))); }).fault,
              Fault::kBadInput)
        << size;
  EXPECT_EQ(SafetensorsFile(dir.write("m", whole)).content().tensors.size(), 2u);
}

}  // namespace
}  // namespace farthing::io
