#include "text/sentencepiece_normalizer.h"

#include <optional>
#include <utility>

#include "text/charsmap.h"
#include "text/trie.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581

class SentencePieceNormalizer final : public Normalizer {
 public:
  SentencePieceNormalizer(SentencePieceRules rules, std::string_view where)
      : rules_(std::move(rules)), space_(rules_.escape_whitespaces ? kMark : " ") {
    if (!rules_.charsmap.empty()) charsmap_.emplace(rules_.charsmap, where);
    std::vector<std::pair<std::string_view, Token>> pieces;
    for (const std::string& piece : rules_.user_defined)
      if (!piece.empty()) pieces.emplace_back(piece, 0);
    user_defined_ = Trie(std::move(pieces));
  }

  void apply(NormalText& text) const override {
    std::string_view rest = text.text;
    if (rules_.remove_extra_whitespaces)
      while (!rest.empty()) {
        const Step step = next(rest);
        if (step.text != " ") break;
        rest.remove_prefix(step.length);
      }
    std::string out;
    out.reserve(text.text.size() * 2);
    const bool prefix = rules_.add_dummy_prefix &&
                        (text.starts_input || rules_.prefix_every_section) && !rest.empty();
    if (prefix) out += space_;
    bool after_space = rules_.remove_extra_whitespaces;
    while (!rest.empty()) {
      Step step = next(rest);
      rest.remove_prefix(step.length);
      while (after_space && step.text.starts_with(' ')) step.text.remove_prefix(1);
      for (const char byte : step.text) {
        if (byte == ' ')
          out += space_;
        else
          out += byte;
      }
      check_growth(out.size(), text);
      if (!step.text.empty())
        after_space = rules_.remove_extra_whitespaces && step.text.ends_with(' ');
    }
    if (rules_.remove_extra_whitespaces)
      while (out.ends_with(space_)) out.resize(out.size() - space_.size());
    text.text = std::move(out);
  }

 private:
  struct Step {
    std::string_view text;  // what `length` bytes of the input become
    std::size_t length;
  };
  Step next(std::string_view rest) const {
    if (const Trie::Found found = user_defined_.longest(rest, 0); found.length > 0)
      return {rest.substr(0, found.length), found.length};
    if (charsmap_)
      if (const auto found = charsmap_->longest(rest)) return {found->replacement, found->length};
    const std::size_t length = decode_utf8(rest, 0).length;
    return {rest.substr(0, length), length};
  }

  SentencePieceRules rules_;
  std::string space_;
  std::optional<Charsmap> charsmap_;
  Trie user_defined_;
};

}  // namespace

NormalizerPtr make_sentencepiece_normalizer(SentencePieceRules rules, std::string_view where) {
  return std::make_unique<SentencePieceNormalizer>(std::move(rules), where);
}

}  // namespace farthing::text
