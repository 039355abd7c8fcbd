// Templates that nobody vouches for: each ends soon, in one sentence, within its limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "text/chat_template.h"

namespace farthing::text {
namespace {

using testing::HasSubstr;

std::string times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

std::string failure(const std::string& source, const Json& variables = Json::object(),
                    TemplateLimits limits = {}) {
  try {
    ChatTemplate(source, "t").render(variables, "2026-11-23", limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kBadInput) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(HostileTemplate, LoopsThatNeverEndStopAtTheLimitOfSteps) {
  const std::string steps = "more steps than a rendering may take";
  EXPECT_THAT(failure("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
                      "{% endfor %}"),
              HasSubstr(steps));
  EXPECT_THAT(failure("{{ range(99999) | map('string') | map('upper') | join | length }}",
                      Json::object(), {.steps = 1000}),
              HasSubstr(steps));
  EXPECT_THAT(failure("{% set a = range(9999) | list %}{% set b = range(9999) | list %}"
                      "{% for i in a %}{{ a == b }}{% endfor %}"),
              HasSubstr(steps));
  EXPECT_THAT(failure("{% set a = 'a' * 9999999 %}{% set b = 'a' * 9999998 ~ 'b' %}"
                      "{% for i in range(99999) %}{{ a == b }}{{ a < b }}{% endfor %}"),
              HasSubstr(steps));
  EXPECT_THAT(failure("{% set a = 'a' * 9999999 %}{% set b = 'a' * 99999 ~ 'b' %}"
                      "{% for i in range(99999) %}{{ b in a }}{{ a.rfind(b) }}{% endfor %}"),
              HasSubstr(steps));
}

TEST(HostileTemplate, RangesAreAsLongAsTheSandboxLets) {
  EXPECT_THAT(failure("{{ range(100001) }}"), HasSubstr("may count up to 100000, not 100001"));
  EXPECT_THAT(failure("{{ range(-9223372036854775807, 9223372036854775807) }}"),
              HasSubstr("may count up to 100000"));
  EXPECT_THAT(failure("{{ range(9223372036854775807, -9223372036854775807, -1) }}"),
              HasSubstr("may count up to 100000"));
  EXPECT_EQ(ChatTemplate("{{ range(0, 9223372036854775807, 4611686018427387904) | list }}", "t")
                .render(Json::object()),
            "[0, 4611686018427387904]");
}

TEST(HostileTemplate, RecursionEndsBeforeTheStackDoes) {
  const std::string deep = "levels deep";
  EXPECT_THAT(failure("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), HasSubstr(deep));
  EXPECT_THAT(failure("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}"
                      "{{ a() }}"),
              HasSubstr(deep));
  EXPECT_THAT(failure("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"), HasSubstr(deep));
  EXPECT_THAT(failure("{% macro m() %}{% call m() %}x{% endcall %}{{ caller() }}{% endmacro %}"
                      "{% call m() %}x{% endcall %}"),
              HasSubstr(deep));
  const std::string inner = times(90, "(") + "m()" + times(90, " ~ 'x')");
  EXPECT_THAT(failure("{% macro m() %}{{ " + inner + " }}{% endmacro %}{{ m() }}"),
              HasSubstr("nested too deeply"));
}

TEST(HostileTemplate, NestingInTheSourceIsBounded) {
  for (const int depth : {500, 20000}) {
    const std::vector<std::string> sources = {
        "{{ " + times(depth, "(") + "1" + times(depth, ")") + " }}",
        "{{ " + times(depth, "[") + times(depth, "]") + " }}",
        "{{ " + times(depth, "{1:") + "1" + times(depth, "}") + " }}",
        "{{ " + times(depth, "not ") + "1 }}",
        "{{ " + times(depth, "-") + "1 }}",
        "{{ a" + times(depth, ".b") + " }}",
        "{{ a" + times(depth, "[0]") + " }}",
        "{{ a" + times(depth, "()") + " }}",
        "{{ a" + times(depth, "|e") + " }}",
        "{{ 1" + times(depth, " + 1") + " }}",
        "{{ 1" + times(depth, " if 1") + " }}",
        "{{ " + times(depth, "1 if 1 else ") + "1 }}",
        "{{ " + times(depth, "f(") + times(depth, ")") + " }}",
        "{{ " + times(depth, "x is divisibleby ") + "1 }}",
        "{{ 1" + times(depth, " and 1") + " }}",
        times(depth, "{% if 1 %}") + times(depth, "{% endif %}"),
        times(depth, "{% for i in x %}") + times(depth, "{% endfor %}"),
        times(depth, "{% macro m() %}") + times(depth, "{% endmacro %}"),
        times(depth, "{% call f() %}") + times(depth, "{% endcall %}"),
        "{% set " + times(depth, "(") + "a" + times(depth, ")") + " = 1 %}",
        times(depth, "{% if 1 %}"),
        "{{ " + times(depth, "(")};
    for (const std::string& source : sources)
      EXPECT_NE(failure(source), "no error") << source.substr(0, 60);
  }
  EXPECT_EQ(ChatTemplate("{{ '' " + times(20000, "~ 'a'") + " | length }}", "t")
                .render(Json::object())
                .size(),
            20000u);
}

TEST(HostileTemplate, NestingOfValuesIsBounded) {
  const std::string loop = "{% set n = namespace(v=[]) %}{% for i in range(9999) %}";
  for (const char* step :
       {"{% set n.v = [n.v] %}", "{% set n.v = (n.v,) %}", "{% set n.v = {'a': n.v} %}",
        "{% set n.v = n.v | map('string') %}", "{% set n.v = n.v | batch(1) %}",
        "{% set n.v = dict(a=n.v) %}", "{% set n.v = [n.v] | reverse %}"})
    EXPECT_THAT(failure(loop + step + "{% endfor %}{{ n.v | list }}"), HasSubstr("nested")) << step;
  Json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = Json::array({deep});
  EXPECT_THAT(failure("{{ x }}", {{"x", deep}}), HasSubstr("nested"));
}

TEST(HostileTemplate, ValuesThatHoldThemselvesManyTimesDoNotExplode) {
  const std::string build =
      "{% set n = namespace(v=[1], w=[1]) %}{% for i in range(60) %}"
      "{% set n.v = [n.v, n.v] %}{% set n.w = [n.w, n.w] %}{% endfor %}";
  for (const char* use : {"{{ n.v == n.w }}", "{{ n.v < n.w }}", "{{ n.v }}", "{{ n.v | tojson }}",
                          "{{ [n.v, n.w] | unique | list }}", "{{ n.v | string | length }}"})
    EXPECT_NE(failure(build + use), "no error") << use;
  EXPECT_EQ(
      ChatTemplate("{% set n = namespace() %}{% set n.a = n %}{% set n.b = [n] %}{{ n }}", "t")
          .render(Json::object()),
      "<Namespace {'a': <Namespace {...}>, 'b': [<Namespace {...}>]}>");
}

TEST(HostileTemplate, TextsAndListsDoNotFillTheMemory) {
  for (const char* source :
       {"{{ 'a' * 999999999999 }}",
        "{{ 'ab' * 9223372036854775807 }}",
        "{{ [0] * 999999999999 }}",
        "{{ (1, 2) * 9223372036854775807 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%.999999999f' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:.999999999f}'.format(1.5) }}",
        "{{ 'a'.center(999999999999) }}",
        "{{ 'a'.ljust(999999999999) }}",
        "{{ 'a'.zfill(999999999999) }}",
        "{{ 'a' | center(999999999999) }}",
        "{{ 'a\nb' | indent(999999999999) }}",
        "{{ '\t\t\t'.expandtabs(99999999999) }}",
        "{{ [1] | tojson(indent=99999999999) }}",
        "{{ ('a' * 99999).replace('a', 'b' * 99999) }}",
        "{{ ('a' * 9999999).join('a' * 9999) }}",
        "{{ range(99999) | join('a' * 99999) }}",
        "{{ [1] | batch(99999999999, 'x') | list }}",
        "{{ [1] | slice(99999999999) | list }}",
        "{{ ('a' * 30000000) | list }}",
        "{{ ('a ' * 15000000).split() }}",
        "{{ ('a' * 9999999).split('a') }}",
        "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}"
        "{% endfor %}",
        "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}"
        "{% endfor %}",
        "{% set n = namespace(s=[1]) %}{% for i in range(99999) %}{% set n.s = n.s + [1] %}"
        "{% endfor %}",
        "{% set x %}{% for i in range(99999) %}{{ 'a' * 999 }}{% endfor %}{% endset %}"})
    EXPECT_NE(failure(source, Json::object(), {.memory_bytes = 32u << 20}), "no error") << source;
}

TEST(HostileTemplate, TheOutputIsBounded) {
  EXPECT_THAT(failure("{% for i in range(99999) %}{{ 'a' * 999 }}{% endfor %}"),
              HasSubstr("output is longer than the 16777216 bytes"));
  EXPECT_THAT(failure("{{ 'a' * 11 }}", Json::object(), {.output_bytes = 10}),
              HasSubstr("output is longer than the 10 bytes"));
}

TEST(HostileTemplate, NumbersStayInTheirBounds) {
  for (const char* source :
       {"{{ 9 ** 9 ** 9 }}", "{{ 2 ** 63 }}", "{{ 9223372036854775807 + 1 }}",
        "{{ -9223372036854775807 - 2 }}", "{{ 9223372036854775807 * 2 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ -(-9223372036854775807 - 1) }}",
        "{{ (-9223372036854775807 - 1) | abs }}", "{{ 99999999999999999999 }}",
        "{{ '99999999999999999999' | int }}", "{{ 1e300 | int }}", "{{ 10.0 ** 999 }}",
        "{{ '%d' % 1e300 }}", "{{ 0x10000000000000000 }}", "{{ (-8) ** 0.5 }}"})
    EXPECT_NE(failure(source), "no error") << source;
  EXPECT_EQ(ChatTemplate("{{ (-9223372036854775807 - 1) % -1 }} {{ 1 ** 9223372036854775807 }} "
                         "{{ 'abc'[-9223372036854775807:9223372036854775807:9223372036854775807] }}"
                         " {{ 1e400 }}",
                         "t")
                .render(Json::object()),
            "0 1 a inf");
}

TEST(HostileTemplate, TheLeastAndTheLargestIntegersAreNoTrap) {
  const std::string least = "{% set least = -9223372036854775807 - 1 %}";
  const auto shown = [&](const std::string& expression) {
    return ChatTemplate(least + "{{ " + expression + " }}", "t").render(Json::object());
  };
  EXPECT_EQ(shown("'ab'.ljust(least) ~ 'ab'.zfill(least) ~ 'ab'.expandtabs(least)"), "ababab");
  EXPECT_EQ(shown("'ab' | center(least)"), "ab");
  EXPECT_EQ(shown("'a b'.split(' ', least) ~ 'a b'.rsplit(none, least)"), "['a', 'b']['a', 'b']");
  EXPECT_EQ(shown("'aa'.replace('a', 'b', least)"), "bb");
  EXPECT_EQ(shown("'abc'[least:] ~ 'abc'.find('c', least) ~ [1].index(1, least)"), "abc20");
  EXPECT_EQ(shown("9223372036854775807 | round(-18)"), "9000000000000000000");
  EXPECT_THAT(failure("{{ 9223372036854775807 | round(-19) }}"), HasSubstr("does not fit"));
  EXPECT_THAT(failure("{{ 9223372036854775807 | round(-1) }}"), HasSubstr("does not fit"));
  EXPECT_EQ(shown("least | round(-2)"), "-9223372036854775800");
  EXPECT_THAT(failure(least + "{{ least | round(-3) }}"), HasSubstr("does not fit"));
  EXPECT_THAT(failure(least + "{{ '%*d' % (least, 1) }}"), HasSubstr("is more than"));
  EXPECT_THAT(failure(least + "{{ '%.*d' % (least, 1) }}"), HasSubstr("is more than"));
}

TEST(HostileTemplate, FormattingEndsSoonToo) {
  const auto shown = [](const std::string& source) {
    return ChatTemplate(source, "t").render(Json::object());
  };
  EXPECT_EQ(shown("{{ '{:09,}|{:010,}|{:+012_}|{:08,.2f}|{:03,}'.format(1234, 1234, 1234, 1.5, "
                  "12345) }}"),
            "0,001,234|00,001,234|+000_001_234|0,001.50|12,345");
  EXPECT_EQ(shown("{{ '{:01000000,}'.format(1) | length }}"), "1000001");
  EXPECT_THAT(failure("{% set names = range(20000) | map('string') | map('center', 7) %}"
                      "{{ ('{ 19999 }' * 20000).format_map(dict.fromkeys(names)) }}"),
              HasSubstr("more steps than a rendering may take"));
}

TEST(HostileTemplate, PythonsInsideIsNotReachable) {
  for (const char* source :
       {"{{ ''.__class__.__mro__ }}", "{{ x.__init__.__globals__ }}", "{{ range.__self__.x }}",
        "{{ ''['__class__'].x }}", "{{ (''|attr('__class__')).x }}",
        "{{ '{0.__class__.x}'.format(1) }}", "{{ namespace.__init__.__globals__ }}",
        "{{ x.append(1) }}", "{{ y.update({}) }}", "{{ y.pop('a') }}", "{{ y.setdefault('a', 1) }}",
        "{{ self._TemplateReference__context.x }}", "{{ m.__globals__.x }}",
        "{{ loop.__init__.x }}", "{{ lipsum.__globals__['os'] }}",
        "{{ cycler.__init__.__globals__ }}", "{{ namespace(__class__=1) }}"})
    EXPECT_NE(failure(source, {{"x", Json::array({1})}, {"y", {{"a", 1}}}}), "no error") << source;
}

TEST(HostileTemplate, WhatOutlivesItsBlockStaysAlive) {
  EXPECT_EQ(
      ChatTemplate("{% set n = namespace() %}"
                   "{% for a in [1, 2] %}{% set b = a * 10 %}{% macro m() %}{{ b }}{% endmacro %}"
                   "{% set n.m = m %}"
                   "{% for c in [a, 5, 7, 8] if c > b / 10 %}{% set n.loop = loop %}{% break %}"
                   "{% endfor %}{% endfor %}"
                   "{{ n.m is callable }}{{ n.loop.length }}{{ n.loop.index }}",
                   "t")
          .render(Json::object()),
      "True31");
  EXPECT_EQ(ChatTemplate("{% set n = namespace() %}{% with x = 'kept' %}"
                         "{% for a in [1] recursive %}{% if x %}{% set n.again = loop %}{% endif %}"
                         "{{ a }}{{ x }}{% endfor %}{% endwith %}{{ n.again([2]) }}",
                         "t")
                .render(Json::object()),
            "1kept2kept");
}

TEST(HostileTemplate, BrokenTextIsRefused) {
  EXPECT_THROW(ChatTemplate("\xff{{ 1 }}", "t"), Error);
  EXPECT_THROW(ChatTemplate(std::string(5u << 20, 'a'), "t"), Error);
  EXPECT_THAT(failure("{{ x }}", {{"x", "\xed\xa0\x80"}}), HasSubstr("not UTF-8"));
  EXPECT_NE(failure("{{ '\\ud800' }}"), "no error");
  EXPECT_EQ(ChatTemplate(std::string("a\0b{{ x }}", 10), "t").render({{"x", std::string("\0", 1)}}),
            std::string("a\0b\0", 4));
  EXPECT_EQ(ChatTemplate("{{ strftime_now('%1000000000d') | length < 10000 }}", "t")
                .render(Json::object()),
            "True");
}

TEST(HostileTemplate, TheVariablesMustBeAnObject) {
  EXPECT_THROW(ChatTemplate("x", "t").render(Json::array()), Error);
}

}  // namespace
}  // namespace farthing::text
