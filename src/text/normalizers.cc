#include <utility>

#include "text/byte_alphabet.h"
#include "text/normalizer.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

// Rewrites a text character by character: each(code, out) appends what the character becomes.
template <class Each>
void map_characters(NormalText& text, const Each& each) {
  std::string out;
  out.reserve(text.text.size());
  for (std::size_t at = 0; at < text.text.size();) {
    const Decoded next = decode_utf8(text.text, at);
    each(next.code, out);
    at += next.length;
    check_growth(out.size(), text);
    if (out.empty()) text.starts_input = false;  // the first character is gone
  }
  text.text = std::move(out);
}

template <class Each>
class CharacterMap final : public Normalizer {
 public:
  explicit CharacterMap(Each each) : each_(std::move(each)) {}
  void apply(NormalText& text) const override { map_characters(text, each_); }

 private:
  Each each_;
};
template <class Each>
NormalizerPtr make_character_map(Each each) {
  return std::make_unique<CharacterMap<Each>>(std::move(each));
}

bool is_chinese(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B81F) ||
         (code >= 0x2B920 && code <= 0x2CEAF) || (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0x2F800 && code <= 0x2FA1F);
}

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(NormalText& text) const override {
    std::size_t begin = 0, end = text.text.size();
    while (left_ && begin < end) {
      const Decoded next = decode_utf8(text.text, begin);
      if (!is_space(next.code)) break;
      begin += next.length;
    }
    while (right_ && begin < end) {
      const std::size_t last = previous_utf8(text.text, end);
      if (!is_space(decode_utf8(text.text, last).code)) break;
      end = last;
    }
    if (begin > 0) text.starts_input = false;
    text.text = text.text.substr(begin, end - begin);
  }

 private:
  bool left_, right_;
};

class Replace final : public Normalizer {
 public:
  Replace(std::shared_ptr<const Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(NormalText& text) const override {
    std::vector<Match> matches;
    pattern_->find(text.text, matches);
    if (matches.empty()) return;
    std::string out;
    std::size_t at = 0;
    for (const Match& match : matches) {
      out.append(text.text, at, match.begin - at);
      out += content_;
      at = match.end;
      check_growth(out.size(), text);
      if (out.empty()) text.starts_input = false;
    }
    out.append(text.text, at);
    text.text = std::move(out);
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(NormalText& text) const override {
    check_growth(text.text.size() + prefix_.size(), text);
    if (!text.text.empty()) text.text.insert(0, prefix_);
  }

 private:
  std::string prefix_;
};

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<NormalizerPtr> parts) : parts_(std::move(parts)) {}
  void apply(NormalText& text) const override {
    for (const auto& part : parts_) part->apply(text);
  }

 private:
  std::vector<NormalizerPtr> parts_;
};

class Bert final : public Normalizer {
 public:
  explicit Bert(BertOptions options) : options_(options) {}
  void apply(NormalText& text) const override {
    if (options_.clean_text) map_characters(text, clean);
    if (options_.handle_chinese) map_characters(text, space_out_chinese);
    if (options_.strip_accents) {
      text.text = normalize_form(text.text, {.compatibility = false, .compose = false});
      map_characters(text, [](char32_t code, std::string& out) {
        if ((properties(code) & kBertAccent) == 0) append_utf8(out, code);
      });
    }
    if (options_.lowercase) map_characters(text, append_to_lower);
  }

 private:
  static void clean(char32_t code, std::string& out) {
    const std::uint16_t bits = properties(code);
    if ((bits & kBertRemoved) != 0) return;
    append_utf8(out, (bits & kSpace) != 0 ? U' ' : code);
  }
  static void space_out_chinese(char32_t code, std::string& out) {
    const bool chinese = is_chinese(code);
    if (chinese) out += ' ';
    append_utf8(out, code);
    if (chinese) out += ' ';
  }
  static void append_to_lower(char32_t code, std::string& out) { append_lower(out, code); }
  BertOptions options_;
};

}  // namespace

NormalizerPtr make_lowercase() {
  return make_character_map([](char32_t code, std::string& out) { append_lower(out, code); });
}
NormalizerPtr make_strip_accents() {
  return make_character_map([](char32_t code, std::string& out) {
    if ((properties(code) & kAccent) == 0) append_utf8(out, code);
  });
}
NormalizerPtr make_nmt() {
  return make_character_map([](char32_t code, std::string& out) {
    if ((code >= 0x01 && code <= 0x08) || code == 0x0B || (code >= 0x0E && code <= 0x1F) ||
        code == 0x7F || code == 0x8F || code == 0x9F)
      return;
    const bool blank = code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D ||
                       code == 0x1680 || (code >= 0x200B && code <= 0x200F) || code == 0x2028 ||
                       code == 0x2029 || code == 0x2581 || code == 0xFEFF || code == 0xFFFD;
    append_utf8(out, blank ? U' ' : code);
  });
}
NormalizerPtr make_byte_level_normalizer() {
  return make_character_map([](char32_t code, std::string& out) {
    for (const char byte : to_utf8(code))
      out += ByteAlphabet::get().spelling(static_cast<unsigned char>(byte));
  });
}
NormalizerPtr make_strip(bool left, bool right) { return std::make_unique<Strip>(left, right); }
NormalizerPtr make_replace(std::shared_ptr<const Pattern> pattern, std::string content) {
  return std::make_unique<Replace>(std::move(pattern), std::move(content));
}
NormalizerPtr make_prepend(std::string prefix) {
  return std::make_unique<Prepend>(std::move(prefix));
}
NormalizerPtr make_normalizer_sequence(std::vector<NormalizerPtr> parts) {
  return std::make_unique<NormalizerSequence>(std::move(parts));
}
NormalizerPtr make_bert_normalizer(BertOptions options) { return std::make_unique<Bert>(options); }

}  // namespace farthing::text
