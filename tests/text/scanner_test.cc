// The hand-written scanners against PCRE2 running the expressions that they stand for.
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/text.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

#define TAIL R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define UPPER R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define CLITICS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

constexpr std::string_view kExpressions[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    CLITICS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" TAIL,
    CLITICS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)" TAIL,
    CLITICS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" TAIL,
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
    UPPER "*" LOWER "+" CLITICS "?|" UPPER "+" LOWER "*" CLITICS
          R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" TAIL,
    UPPER "*" LOWER "+|" UPPER "+" LOWER R"(*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" TAIL,
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" TAIL,
    R"(\p{N}{1,3})",
    "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+",
    "[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-\xED\x9F\xBF]+",
    R"([\r\n])",
    R"(\s?\p{L}+)",
    R"(\s?\p{P}+)",
    R"(\p{N}+)",
    R"(\p{N})",
    "[0-9][0-9][0-9]",
    R"([\p{P}\$\+<=>\^~\|]+)",
    R"([\p{P}\$\+<=>\^~\|`]+)",
};

// Characters that both know: the tables of PCRE2 may be of an older or newer Unicode.
char32_t draw(Random& random) {
  static constexpr std::u32string_view kCommon =
      U"aAbzZsStTrReEvVmMlLdD'’ſ019 \t\r\n\u00a0\u3000.,!?/_-$+<>^~|`()\u00e9\u00c9\u0301\u0903"
      U"\u01c5\u02b0\u3042\u4f60\uac00\u0660\u00b2\u2160\u20ac\u2014\u200d\U0001F600\U0001D7D8";
  if (random.below(4) != 0) return kCommon[random.below(kCommon.size())];
  while (true) {
    const auto code = static_cast<char32_t>(random.below(random.below(2) != 0 ? 0x3000 : 0x11000));
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    // Long assigned, so of the same class in every version.
    if (!surrogate && category(code) != kCn && (code < 0x500 || (code > 0x1E00 && code < 0x2000)))
      return code;
  }
}

TEST(Scanners, CutEveryTextAsPcreCutsIt) {
  Random random(17);
  for (const std::string_view expression : kExpressions) {
    const auto scanner = make_scanner(expression);
    ASSERT_NE(scanner, nullptr) << expression;
    const auto pcre = make_pcre_pattern(expression, "test");
    for (int round = 0; round < 1500; ++round) {
      std::string text;
      for (std::uint64_t i = random.below(24); i > 0; --i) append_utf8(text, draw(random));
      std::vector<Match> scanned, matched;
      scanner->find(text, scanned);
      pcre->find(text, matched);
      ASSERT_EQ(scanned.size(), matched.size()) << expression << " on " << printable(text);
      for (std::size_t i = 0; i < scanned.size(); ++i) {
        ASSERT_EQ(scanned[i].begin, matched[i].begin) << expression << " on " << printable(text);
        ASSERT_EQ(scanned[i].end, matched[i].end) << expression << " on " << printable(text);
      }
    }
  }
}

TEST(Scanners, AnUnknownExpressionHasNone) {
  EXPECT_EQ(make_scanner(R"(\p{L}+|\p{N}+)"), nullptr);
  EXPECT_NE(make_regex_pattern(R"(\p{L}+|\p{N}+)", "test"), nullptr);
}

std::vector<std::string> pieces(const Pattern& pattern, std::string_view text) {
  std::vector<Match> matches;
  pattern.find(text, matches);
  std::vector<std::string> found;
  for (const Match& match : matches)
    found.emplace_back(text.substr(match.begin, match.end - match.begin));
  return found;
}

// Oniguruma, which the originals use, against PCRE2's own meaning.
TEST(Regex, BlanksAndHexDigitsMeanWhatOnigurumaMeans) {
  const auto blanks = make_pcre_pattern(R"(\s)", "test");
  EXPECT_EQ(pieces(*blanks, "a\u180eb"), std::vector<std::string>{});  // not White_Space
  EXPECT_EQ(pieces(*blanks, "a\u0085\u3000b"), (std::vector<std::string>{"\u0085", "\u3000"}));
  EXPECT_EQ(pieces(*make_pcre_pattern(R"([\s\d]+)", "test"), "a 1\tb"),
            std::vector<std::string>{" 1\t"});
  EXPECT_EQ(pieces(*make_pcre_pattern(R"(\h+)", "test"), "xyAf0z"),
            std::vector<std::string>{"Af0"});
  EXPECT_EQ(pieces(*make_pcre_pattern(R"(\S+)", "test"), " a\u00a0b "),
            (std::vector<std::string>{"a", "b"}));
}

TEST(Regex, EmptyMatchesCutWithoutStandingStill) {
  std::vector<Match> matches;
  make_pcre_pattern("(?=[A-Z])", "test")->find("aBcD", matches);
  ASSERT_EQ(matches.size(), 2u);
  EXPECT_EQ(matches[0].begin, 1u);
  EXPECT_EQ(matches[1].end, 3u);
}

}  // namespace
}  // namespace farthing::text
