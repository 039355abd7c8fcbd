// Patterns that no hand-written scanner knows: PCRE2, bounded.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

// A match may take this many steps: more than any sane pattern needs, less than a second.
constexpr std::uint32_t kStepLimit = 2'000'000;
constexpr std::uint32_t kHeapKilobytes = 64 << 10;
constexpr std::size_t kExpressionLimit = 1u << 16;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Code = std::unique_ptr<pcre2_code, Freed<pcre2_code_free_8>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free_8>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free_8>>;

std::string pcre_message(int code) {
  PCRE2_UCHAR text[256];
  if (pcre2_get_error_message(code, text, sizeof text) < 0) return "unknown error";
  return reinterpret_cast<const char*>(text);
}

// The originals' engine (Oniguruma) writes some things otherwise than PCRE2. \s follows the
// White_Space property (PCRE2's has U+180E too), \h is a hexadecimal digit, and a [ or && inside a
// class makes sets, which PCRE2 10.42 would silently read as characters.
std::string translate(std::string_view expression, std::string_view where) {
  constexpr std::string_view kBlanks =
      "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
      "\\x{205f}\\x{3000}";
  constexpr std::string_view kDigits = "0-9A-Fa-f";
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    const char next = i + 1 < expression.size() ? expression[i + 1] : '\0';
    if (c == '\\') {
      ++i;
      const std::string_view set = next == 's' || next == 'S' ? kBlanks : kDigits;
      if (next == 's' || next == 'h')
        out += in_class ? std::string(set) : fmt::format("[{}]", set);
      else if ((next == 'S' || next == 'H') && !in_class)
        out += fmt::format("[^{}]", set);
      else
        out.append(expression, i - 1, 2);
      continue;
    }
    if (in_class && ((c == '[' && next != ':') || (c == '&' && next == '&')))
      unsupported("{}: the pattern \"{}\" has a set inside a character class at byte {}", where,
                  printable(expression), i);
    if (in_class && c == '[') {  // [:name:]
      const std::size_t end = expression.find(":]", i);
      if (end == std::string_view::npos) break;
      out.append(expression, i, end + 2 - i);
      i = end + 1;
      continue;
    }
    out += c;
    if (c == '[' && !in_class) {
      in_class = true;
      if (next == '^') out += expression[++i];
      if (i + 1 < expression.size() && expression[i + 1] == ']') out += expression[++i];
    } else if (c == ']') {
      in_class = false;
    }
  }
  return out;
}

class PcrePattern final : public Pattern {
 public:
  PcrePattern(std::string_view expression, std::string_view where)
      : expression_(expression), where_(where) {
    if (expression.size() > kExpressionLimit)
      bad_input("{}: a pattern of {} bytes; the limit is {}", where, expression.size(),
                kExpressionLimit);
    const std::string translated = translate(expression, where);
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                              &error, &at, nullptr));
    if (code_ == nullptr)
      unsupported("{}: the pattern \"{}\" is not understood at byte {}: {}", where,
                  printable(expression), at, pcre_message(error));
    context_.reset(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(context_.get(), kStepLimit);
    pcre2_set_heap_limit(context_.get(), kHeapKilobytes);
  }

  void find(std::string_view text, std::vector<Match>& matches) const override {
    const MatchData data(pcre2_match_data_create(1, nullptr));
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    std::size_t from = 0, last_end = std::string_view::npos;
    while (from <= text.size()) {
      const int found = pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                                    data.get(), context_.get());
      if (found == PCRE2_ERROR_NOMATCH) return;
      if (found < 0)
        bad_input(
            "{}: the pattern \"{}\" needs too many steps on this text ({}); it backtracks without "
            "bound",
            where_, printable(expression_), pcre_message(found));
      const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
      const std::size_t begin = span[0], end = span[1];
      if (begin > end)
        unsupported("{}: the pattern \"{}\" uses \\K in a lookahead", where_,
                    printable(expression_));
      if (begin == end && begin == last_end) {  // no empty match right behind another
        if (end >= text.size()) return;
        from = end + decode_utf8(text, end).length;
        continue;
      }
      matches.push_back({begin, end});
      from = last_end = end;
    }
  }

 private:
  std::string expression_, where_;
  Code code_;
  MatchContext context_;
};

class LiteralPattern final : public Pattern {
 public:
  explicit LiteralPattern(std::string_view literal) : literal_(literal) {}
  void find(std::string_view text, std::vector<Match>& matches) const override {
    if (literal_.empty()) return;
    for (std::size_t at = text.find(literal_); at != std::string_view::npos;
         at = text.find(literal_, at + literal_.size()))
      matches.push_back({at, at + literal_.size()});
  }

 private:
  std::string literal_;
};

}  // namespace

std::unique_ptr<Pattern> make_literal_pattern(std::string_view literal) {
  return std::make_unique<LiteralPattern>(literal);
}

std::unique_ptr<Pattern> make_pcre_pattern(std::string_view expression, std::string_view where) {
  return std::make_unique<PcrePattern>(expression, where);
}

std::unique_ptr<Pattern> make_regex_pattern(std::string_view expression, std::string_view where) {
  if (auto scanner = make_scanner(expression)) return scanner;
  return make_pcre_pattern(expression, where);
}

}  // namespace farthing::text
