#include "io/json.h"

#include <gmock/gmock.h>

#include "tests/io/files.h"

namespace farthing {
namespace {

TEST(Json, KeepsTheOrderOfKeysAndReadsEveryKindOfValue) {
  const Json json = parse_json(R"({"z":1,"a":[true,null,-2.5,"x\u00e9"],"m":{}})", "f");
  EXPECT_EQ(json.dump(), "{\"z\":1,\"a\":[true,null,-2.5,\"x\xC3\xA9\"],\"m\":{}}");
  EXPECT_EQ(parse_json("7", "f"), 7);
}

TEST(Json, RefusesWhatIsNotStrictJson) {
  const auto parse = [](std::string_view text) { return parse_json(text, "config.json"); };
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, " "sv, "{"sv, "[1,]"sv, "{\"a\":1,}"sv, "{a:1}"sv, "{} x"sv, "[1] [2]"sv, "NaN"sv,
        "[Infinity]"sv, "01"sv, "'a'"sv, "// c\n1"sv, "1e999"sv, "\"\\ud800\""sv, "\"\xff\""sv,
        "\"a\nb\""sv, "\"\xc0\x80\""sv, "tru"sv})
    EXPECT_COMPLAINT(kBadInput, "config.json: not valid JSON at line", parse(text));
  EXPECT_COMPLAINT(kBadInput, "byte-order mark", parse("\xEF\xBB\xBF{}"));
  EXPECT_COMPLAINT(kBadInput, "zero byte at position 2", parse("{}\0{}"sv));
  EXPECT_COMPLAINT(kBadInput, "line 3, column 4", parse("{\n\"a\": 1,\n   !}"));
}

TEST(Json, RefusesDuplicateKeysInSmallAndLargeObjects) {
  EXPECT_COMPLAINT(kBadInput, "\"a\" occurs twice", parse_json(R"([{"a":1,"b":2,"a":3}])", "f"));
  std::string large = "{";
  for (int i = 0; i < 1000; ++i) large += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_COMPLAINT(kBadInput, "\"k500\" occurs twice", parse_json(large + "\"k500\":1}", "f"));
}

TEST(Json, HoldsItsLimits) {
  const std::string deep(100'000, '[');
  EXPECT_COMPLAINT(kBadInput, "nested deeper than 64", parse_json(deep, "f"));
  EXPECT_EQ(parse_json("[[[]]]", "f", {.depth = 3}).size(), 1u);
  EXPECT_COMPLAINT(kBadInput, "nested deeper than 2", parse_json("[[[]]]", "f", {.depth = 2}));
  EXPECT_COMPLAINT(kBadInput, "the limit is 4 B", parse_json("[1,2]", "f", {.bytes = 4}));
  EXPECT_COMPLAINT(kBadInput, "more than 2 JSON values", parse_json("[1,2]", "f", {.values = 2}));
}

TEST(Json, ReadsALargeVocabularyInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"token" + std::to_string(i) + "\":1,";
  text.back() = '}';
  EXPECT_EQ(parse_json(text, "f").size(), 200'000u);  // quadratic: minutes, and the test times out
}

TEST(Json, ChecksTheTypeOfAKeyThatIsAskedFor) {
  const Json json = parse_json(
      R"({"i":3,"f":1.5,"s":"x","b":true,"n":null,"big":18446744073709551615,"e":"a\u001bb"})",
      "f");
  EXPECT_EQ(json_int(json, "i", "f"), 3);
  EXPECT_EQ(json_int(json, "n", 5, "f"), 5);
  EXPECT_EQ(json_int(json, "missing", 6, "f"), 6);
  EXPECT_EQ(json_number(json, "i", "f"), 3.0);
  EXPECT_EQ(json_text(json, "s", "f"), "x");
  EXPECT_TRUE(json_bool(json, "b", false, "f"));
  EXPECT_EQ(json_find(json, "missing"), nullptr);
  EXPECT_COMPLAINT(kBadInput, "f: \"s\" must be an integer; found \"x\"", json_int(json, "s", "f"));
  EXPECT_COMPLAINT(kBadInput, "\"f\" must be an integer; found 1.5", json_int(json, "f", 1, "f"));
  EXPECT_COMPLAINT(kBadInput, "an integer of 64 bits", json_int(json, "big", "f"));
  EXPECT_COMPLAINT(kBadInput, "\"gone\" is missing", json_int(json, "gone", "f"));
  EXPECT_COMPLAINT(kBadInput, "must be a JSON object", json_int(json["i"], "x", 1, "f"));
  EXPECT_COMPLAINT(kBadInput, "must be true or false", json_bool(json, "i", true, "f"));
  EXPECT_COMPLAINT(kBadInput, "must be a number", json_number(json, "e", "f"));
}

}  // namespace
}  // namespace farthing
