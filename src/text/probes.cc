#include "text/probes.h"

namespace farthing::text {
namespace {

constexpr std::string_view kTexts[] = {
    "Hello, world!",
    " leading space",
    "two  spaces   three    four",
    "a\nb\n\nc\n\n\nd",
    "trailing \n \n",
    "\ttab\t\ttabs \t mixed",
    "\r\nwindows\r\n\r\nlines",
    "I'm you're we'll they've he'd it's",
    "I'M YOU'RE WE'LL THEY'VE HE'D IT'S",
    "0 1 12 123 1234 12345 123456 1234567 12345678",
    "3.14159 -2.5e10 0x1F 1,000,000",
    "x1y22z333 abc123def 12ab34",
    "CamelCaseWords snake_case_words kebab-case-words",
    "!!! ... ??? --- === +++ *** ### ((())) [[[]]] {{{}}}",
    "$100 \xE2\x82\xAC"
    "50 \xC2\xA3"
    "3 50% #tag @name a&b a|b a^b a~b `code`",
    "https://example.com/path?query=1&other=two#part",
    "Zo\xC3\xAB na\xC3\xAFve caf\xC3\xA9 \xC3\x9C"
    "ber stra\xC3\x9F"
    "e \xC3\x86sop",
    "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, \xD0\xBC\xD0\xB8\xD1\x80 2024",
    "\xE4\xBD\xA0\xE5\xA5\xBD\xEF\xBC\x8C\xE4\xB8\x96\xE7\x95\x8C\xE3\x80\x82"
    "123",
    "\xE3\x81\x93\xE3\x82\x93\xE3\x81\xAB\xE3\x81\xA1\xE3\x81\xAF\xE3\x82\xAB\xE3\x82\xBF",
    "\xEC\x95\x88\xEB\x85\x95\xED\x95\x98\xEC\x84\xB8\xEC\x9A\x94 \xEC\x84\xB8\xEA\xB3\x84",
    "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 \xD9\xA1\xD9\xA2\xD9\xA3",
    "\xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87 "
    "\xE0\xA5\xA7\xE0\xA5\xA8",
    "\xF0\x9F\x98\x80\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD \xF0\x9F\x87\xA9\xF0\x9F\x87\xAA",
    "e\xCC\x81 combining a\xCC\x8A",
    "\xC2\xA0no-break\xE2\x80\x83"
    "em \xE2\x80\x8Bzero",
    "\xE2\x80\x9Cquotes\xE2\x80\x9D \xE2\x80\x98single\xE2\x80\x99 \xE2\x80\x94 dash \xE2\x80\xA6",
    "for (int i = 0; i < n; ++i) {\n    sum += a[i] * 2;\n}",
    "def f(x):\n\treturn x ** 2  # square\n\n\nprint(f(3))",
    "word\xE2\x80\xA6 word\xE3\x80\x82 ?!.,;: end.\n",
    "don't 'quoted' \"double\" it's' s'",
    "A",
    " ",
    "  \n  ",
};

}  // namespace

std::span<const std::string_view> probe_texts() { return kTexts; }

}  // namespace farthing::text
