#include "text/charsmap.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "core/cursor.h"
#include "core/text.h"
#include "text/unicode.h"

namespace farthing::text {

// No character needs more; a hostile map could blow up every text.
constexpr std::size_t kLongestReplacement = 256;

Charsmap::Charsmap(std::string_view bytes, std::string_view where) {
  Cursor cursor(std::as_bytes(std::span(bytes)), where);
  const auto size = cursor.read<std::uint32_t>("precompiled_charsmap");
  if (size % 4 != 0)
    bad_input("{}: precompiled_charsmap has a trie of {} bytes, which is no multiple of 4", where,
              size);
  const ByteSpan trie = cursor.take(size, "precompiled_charsmap");
  units_.resize(size / 4);
  if (size > 0) std::memcpy(units_.data(), trie.data(), size);
  strings_ = cursor.text(cursor.remaining(), "precompiled_charsmap");
}

std::optional<Charsmap::Found> Charsmap::search(std::string_view text, bool first_only) const {
  const auto offset = [](std::uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); };
  std::optional<Found> found;
  if (units_.empty()) return found;
  std::uint32_t node = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint32_t byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size()) break;
    const std::uint32_t unit = units_[node];
    if ((unit & (1u << 31 | 0xFFu)) != byte) break;
    node ^= offset(unit);
    if ((unit >> 8 & 1u) == 0) continue;  // no string ends here
    if (node >= units_.size()) break;
    const std::uint32_t at = units_[node] & 0x7FFFFFFFu;
    if (at >= strings_.size()) break;
    const std::string_view rest = std::string_view(strings_).substr(at);
    const std::string_view replacement = rest.substr(0, std::min(rest.find('\0'), rest.size()));
    if (replacement.size() > kLongestReplacement || !is_utf8(replacement)) continue;
    if (i + 1 < text.size() && (text[i + 1] & 0xC0) == 0x80) continue;  // inside of a character
    found = {i + 1, replacement};
    if (first_only) break;
  }
  return found;
}

namespace {

// Marks that are newer than utf8proc's tables extend what is before them.
bool extends(char32_t before, char32_t mark) {
  const Category kind = category(mark), last = category(before);
  return (kind == kMn || kind == kMc || kind == kMe) &&
         utf8proc_category(static_cast<utf8proc_int32_t>(mark)) == UTF8PROC_CATEGORY_CN &&
         last != kCc && last != kCf && last != kZl && last != kZp;
}

// The end of the grapheme at `at`.
std::size_t grapheme_end(std::string_view text, std::size_t at) {
  Decoded last = decode_utf8(text, at);
  std::size_t end = at + last.length;
  utf8proc_int32_t state = 0;
  while (end < text.size()) {
    const Decoded next = decode_utf8(text, end);
    const bool breaks = utf8proc_grapheme_break_stateful(
        static_cast<utf8proc_int32_t>(last.code), static_cast<utf8proc_int32_t>(next.code), &state);
    if (breaks && !extends(last.code, next.code)) break;
    last = next;
    end += next.length;
  }
  return end;
}

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(Charsmap charsmap) : charsmap_(std::move(charsmap)) {}

  void apply(NormalText& text) const override {
    std::string out;
    out.reserve(text.text.size());
    for (std::size_t at = 0; at < text.text.size();) {
      const std::size_t end = grapheme_end(text.text, at);
      replace_grapheme(std::string_view(text.text).substr(at, end - at), out);
      check_growth(out.size(), text);
      if (out.empty()) text.starts_input = false;
      at = end;
    }
    text.text = std::move(out);
  }

 private:
  void replace_grapheme(std::string_view grapheme, std::string& out) const {
    if (grapheme.size() < 6) {
      if (const auto found = charsmap_.shortest(grapheme)) {
        out += found->replacement;
        return;
      }
    }
    for (std::size_t at = 0; at < grapheme.size();) {
      const std::string_view character = grapheme.substr(at, decode_utf8(grapheme, at).length);
      const auto found = charsmap_.shortest(character);
      out += found ? found->replacement : character;
      at += character.size();
    }
  }

  Charsmap charsmap_;
};

}  // namespace

NormalizerPtr make_precompiled(Charsmap charsmap) {
  return std::make_unique<Precompiled>(std::move(charsmap));
}

std::string decode_base64(std::string_view text, std::string_view where) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::uint32_t value = c >= 'A' && c <= 'Z'   ? static_cast<std::uint32_t>(c - 'A')
                                : c >= 'a' && c <= 'z' ? static_cast<std::uint32_t>(c - 'a' + 26)
                                : c >= '0' && c <= '9' ? static_cast<std::uint32_t>(c - '0' + 52)
                                : c == '+'             ? 62u
                                : c == '/'             ? 63u
                                                       : 64u;
    if (value == 64)
      bad_input("{}: base64 text holds the byte {:#04x}", where, static_cast<unsigned char>(c));
    bits = bits << 6 | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held & 0xFF));
  }
  return out;
}

}  // namespace farthing::text
