// Which expressions have a hand-written scanner.
#include <array>
#include <string>

#include "text/pattern.h"
#include "text/scanners.h"

namespace farthing::text {
namespace {

using Here = Scan::Here;
using ScanFunction = std::size_t (*)(const Scan&, std::size_t);

class ScannerPattern final : public Pattern {
 public:
  explicit ScannerPattern(ScanFunction scan) : scan_(scan) {}
  void find(std::string_view text, std::vector<Match>& matches) const override {
    const Scan scan(text, CharacterTable::get());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = scan_(scan, at);
      if (end > at) {
        matches.push_back({at, end});
        at = end;
      } else {
        at = scan.at(at).next;
      }
    }
  }

 private:
  ScanFunction scan_;
};

template <std::size_t digits, bool marks, bool contractions>
std::size_t words(const Scan& scan, std::size_t at) {
  return scan_words(scan, at, {digits, marks, contractions});
}
template <std::size_t digits, bool contractions>
std::size_t cased_words(const Scan& scan, std::size_t at) {
  return scan_cased_words(scan, at, {digits, false, contractions});
}

bool number(const Here& here) { return (here.bits & kNumber) != 0; }
bool letter(const Here& here) { return (here.bits & kLetter) != 0; }
bool punctuation(const Here& here) { return in_categories(here.bits, kPc, kPo); }
// What llama.cpp's "default" and "falcon" cut off before GPT-2's pattern sees it.
bool wide_punctuation(const Here& here) {
  return punctuation(here) || here.code == '$' || here.code == '+' || here.code == '<' ||
         here.code == '=' || here.code == '>' || here.code == '^' || here.code == '~' ||
         here.code == '|';
}
bool falcon_punctuation(const Here& here) { return wide_punctuation(here) || here.code == '`'; }
bool newline(const Here& here) { return here.code == '\r' || here.code == '\n'; }
bool ascii_digit(const Here& here) { return here.code >= '0' && here.code <= '9'; }
bool blank(const Here& here) { return (here.bits & kSpace) != 0; }
bool han_or_kana(const Here& here) {
  return (here.code >= 0x4E00 && here.code <= 0x9FA5) ||
         (here.code >= 0x3040 && here.code <= 0x30FF);
}
bool not_cased_script(const Here& here) {  // DeepSeek LLM's class of Asian scripts
  return (here.code >= 0x4E00 && here.code <= 0x9FA5) ||
         (here.code >= 0x0800 && here.code <= 0x4E00) ||
         (here.code >= 0xAC00 && here.code <= 0xD7FF);
}

// member{1,limit}
template <bool (*member)(const Here&), std::size_t limit>
std::size_t class_run(const Scan& scan, std::size_t at) {
  return scan.run(at, member, limit);
}
// \s?member+
template <bool (*member)(const Here&)>
std::size_t blank_then_run(const Scan& scan, std::size_t at) {
  const Here first = scan.at(at);
  if (blank(first)) {
    const std::size_t end = scan.run(first.next, member);
    return end > first.next ? end : at;
  }
  return scan.run(at, member);
}
std::size_t three_digits(const Scan& scan, std::size_t at) {
  return scan.run(at, ascii_digit, 3) == at + 3 ? at + 3 : at;
}

constexpr std::size_t kAll = std::string_view::npos;

struct Known {
  std::string_view expression;
  ScanFunction scan;
};

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define SYMBOLS R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define UPPER R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"

constexpr Known kKnown[] = {
    // GPT-2, StarCoder, SmolLM, Falcon
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", scan_gpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", scan_gpt2},
    // Llama 3
    {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})" SYMBOLS TAIL, words<3, false, true>},
    // cl100k (GPT-4), OLMo, Phi-4, DBRX: possessive where it makes no difference
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
     words<3, false, true>},
    // Qwen 2 and 3, StableLM 2
    {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" SYMBOLS TAIL, words<1, false, true>},
    // Qwen 3.5
    {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" TAIL,
     words<1, true, true>},
    // o200k (GPT-4o, gpt-oss)
    {UPPER "*" LOWER "+" CONTRACTIONS "?|" UPPER "+" LOWER "*" CONTRACTIONS
           R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" TAIL,
     cased_words<3, true>},
    // Tekken (Mistral NeMo)
    {UPPER "*" LOWER "+|" UPPER "+" LOWER R"(*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*)" TAIL,
     cased_words<1, false>},
    // DeepSeek 2 and 3: three splits
    {R"(\p{N}{1,3})", class_run<number, 3>},
    {"[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+",
     class_run<han_or_kana, kAll>},
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" TAIL,
     scan_deepseek3},
    // DeepSeek LLM and Coder
    {R"([\r\n])", class_run<newline, 1>},
    {R"(\s?\p{L}+)", blank_then_run<letter>},
    {R"(\s?\p{P}+)", blank_then_run<punctuation>},
    {"[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-\xED\x9F\xBF]+",
     class_run<not_cased_script, kAll>},
    {R"(\p{N}+)", class_run<number, kAll>},
    {R"(\p{N})", class_run<number, 1>},
    // Falcon
    {"[0-9][0-9][0-9]", three_digits},
    {R"([\p{P}\$\+<=>\^~\|]+)", class_run<wide_punctuation, kAll>},
    {R"([\p{P}\$\+<=>\^~\|`]+)", class_run<falcon_punctuation, kAll>},
    // BLOOM
    {" ?[^(\\s|[.,!?\xE2\x80\xA6\xE3\x80\x82\xEF\xBC\x8C\xE3\x80\x81\xE0\xA5\xA4\xDB\x94\xD8\x8C])]"
     "+",
     scan_bloom},
};

}  // namespace

std::unique_ptr<Pattern> make_scanner(std::string_view expression) {
  for (const Known& known : kKnown)
    if (known.expression == expression) return std::make_unique<ScannerPattern>(known.scan);
  return nullptr;
}

}  // namespace farthing::text
