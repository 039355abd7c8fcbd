// Against what transformers' own Jinja environment rendered (tools/goldens/make_chat.py).
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"

namespace farthing::text {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(FARTHING_SOURCE_DIR) / "tests/golden/chat";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The rendered text, or null for a template that does not parse or raises.
Json rendered(const std::string& source, const Json& variables, const std::string& date) {
  try {
    return ChatTemplate(source, "golden").render(variables, date);
  } catch (const Error& error) {
    EXPECT_TRUE(error.fault == Fault::kBadInput || error.fault == Fault::kUnsupported)
        << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr("golden, line ")) << source;
    return nullptr;
  }
}

TEST(ChatTemplate, GivesWhatJinjaGivesForEveryFeatureOfTheLanguage) {
  const Json golden = Json::parse(read(kGolden / "snippets.json"));
  EXPECT_GT(golden["cases"].size(), 1000u);
  for (const Json& pair : golden["cases"]) {
    const std::string source = pair[0];
    EXPECT_EQ(rendered(source, golden["variables"], "2026-11-23"), pair[1]) << source;
  }
}

TEST(ChatTemplate, RendersTheTemplatesOfReleasedModelsAsTransformersDoes) {
  const Json cases = Json::parse(read(kGolden / "cases.json"));
  int templates = 0;
  for (const auto& entry : fs::directory_iterator(kGolden / "templates")) {
    const std::string source = read(entry.path());
    const std::string name = entry.path().stem().string();
    const Json expected = Json::parse(read(kGolden / "expected" / (name + ".json")))["cases"];
    ASSERT_EQ(expected.size(), cases["cases"].size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(rendered(source, cases["cases"][i], cases["date"]), expected[i])
          << name << ", case " << i;
    ++templates;
  }
  EXPECT_GE(templates, 16);
}

TEST(ChatTemplate, RendersOneParsedTemplateManyTimes) {
  const ChatTemplate chat("{% set n = namespace(x=[]) %}{% set n.x = n.x + [a] %}{{ n.x }}", "t");
  EXPECT_EQ(chat.render({{"a", 1}}), "[1]");
  EXPECT_EQ(chat.render({{"a", "b"}}), "['b']");
}

TEST(ChatTemplate, TakesTheDateThatItIsGiven) {
  const ChatTemplate chat("{{ strftime_now('%d %B %Y %H:%M') }}", "t");
  EXPECT_EQ(chat.render(Json::object(), "2024-02-29"), "29 February 2024 00:00");
  EXPECT_THROW(chat.render(Json::object(), "2023-02-29"), Error);
  EXPECT_THROW(chat.render(Json::object(), "yesterday"), Error);
  EXPECT_EQ(ChatTemplate("{{ strftime_now('%Y') | length }}", "t").render(Json::object()), "4");
}

TEST(ChatTemplate, KeepsIntegersOfJsonThatNeedAllSixtyFourBits) {
  const ChatTemplate chat("{{ x }} {{ x | tojson }} {{ y }}", "t");
  const Json variables = {{"x", 18446744073709551615ull}, {"y", INT64_MIN}};
  EXPECT_EQ(chat.render(variables),
            "18446744073709551615 18446744073709551615 -9223372036854775808");
}

std::string failure(const std::string& source, const Json& variables = Json::object()) {
  try {
    ChatTemplate(source, "chat_template.jinja").render(variables);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ChatTemplate, SaysWhereAndWhyItFails) {
  EXPECT_EQ(failure("\n\n{{ raise_exception('only user turns') }}"),
            "chat_template.jinja, line 3: only user turns");
  EXPECT_EQ(failure("{% if x %}\n"),
            "chat_template.jinja, line 1: the template ends where 'elif' or 'else' or 'endif' "
            "should close 'if'");
  EXPECT_EQ(failure("{{ 'a' | nosuch }}"),
            "chat_template.jinja, line 1: there is no filter called 'nosuch'");
  EXPECT_EQ(failure("a\n{{ messages[0].role.x }}", {{"messages", Json::array()}}),
            "chat_template.jinja, line 2: list object has no element 0");
  EXPECT_EQ(failure("{{ user.name + 'x' }}", {{"user", Json::object()}}),
            "chat_template.jinja, line 1: 'dict object' has no attribute 'name'");
  EXPECT_EQ(failure("{{ nothing.x }}"), "chat_template.jinja, line 1: 'nothing' is undefined");
  EXPECT_EQ(failure("{{ raise_exception('a\x1b[31m') }}"),
            "chat_template.jinja, line 1: a\\x1b[31m");
}

TEST(ChatTemplate, RefusesWhatReadsOtherFiles) {
  for (const char* tag : {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'"}) {
    const std::string source = "{% " + std::string(tag) + " %}";
    try {
      const ChatTemplate chat(source, "t");
      ADD_FAILURE() << source;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, Fault::kUnsupported) << source;
      EXPECT_THAT(error.what(), testing::HasSubstr("cannot read others"));
    }
  }
}

}  // namespace
}  // namespace farthing::text
