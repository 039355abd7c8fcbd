#include "text/unicode.h"

#include <algorithm>
#include <memory>
#include <span>

#include "text/unicode_tables.h"

namespace farthing::text {
namespace {

std::uint32_t byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
}

// What the bytes at `at` are: a whole character, or the length of the longest start of one (the
// "maximal subpart"), at least 1.
struct Sequence {
  bool whole;
  std::uint32_t length;
  bool cut;  // not whole only because the text ends here
};
Sequence sequence_at(std::string_view text, std::size_t at) {
  const std::uint32_t lead = byte_at(text, at);
  if (lead < 0x80) return {true, 1, false};
  if (lead < 0xC2 || lead > 0xF4) return {false, 1, false};
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (std::uint32_t i = 1; i < length; ++i) {
    if (at + i >= text.size()) return {false, i, true};
    std::uint32_t low = 0x80, high = 0xBF;
    if (i == 1 && lead == 0xE0) low = 0xA0;
    if (i == 1 && lead == 0xED) high = 0x9F;
    if (i == 1 && lead == 0xF0) low = 0x90;
    if (i == 1 && lead == 0xF4) high = 0x8F;
    const std::uint32_t byte = byte_at(text, at + i);
    if (byte < low || byte > high) return {false, i, false};
  }
  return {true, length, false};
}

}  // namespace

Decoded decode_utf8(std::string_view text, std::size_t at) {
  const std::uint32_t lead = byte_at(text, at);
  if (lead < 0x80) return {lead, 1};
  const Sequence found = sequence_at(text, at);
  if (!found.whole) return {kReplacement, 1};
  const auto tail = [&](std::size_t i) { return byte_at(text, at + i) & 0x3Fu; };
  if (found.length == 2) return {(lead & 0x1F) << 6 | tail(1), 2};
  if (found.length == 3) return {(lead & 0xF) << 12 | tail(1) << 6 | tail(2), 3};
  return {(lead & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
}

std::string to_utf8(char32_t code) {
  std::string out;
  append_utf8(out, code);
  return out;
}

std::u32string to_utf32(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_utf8(text, at);
    out.push_back(next.code);
    at += next.length;
  }
  return out;
}

std::size_t previous_utf8(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && end - at < 4 && (byte_at(text, at) & 0xC0u) == 0x80u) --at;
  return at;
}

std::size_t unfinished_utf8(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, text.size()); ++length) {
    const std::size_t at = text.size() - length;
    if ((byte_at(text, at) & 0xC0u) == 0x80u) continue;
    const Sequence found = sequence_at(text, at);
    return found.cut && found.length == length ? length : 0;
  }
  return 0;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Sequence found = sequence_at(text, at);
    if (found.whole)
      out += text.substr(at, found.length);
    else
      append_utf8(out, kReplacement);
    at += found.length;
  }
  return out;
}

const CharacterTable& CharacterTable::get() {
  static const std::unique_ptr<const CharacterTable> table(new CharacterTable);
  return *table;
}

CharacterTable::CharacterTable() {
  using tables::CategoryRange;
  using tables::Range;
  bits_.fill(kCn);
  for (const CategoryRange& range : std::span(tables::kCategory, tables::kCategorySize))
    std::fill(bits_.begin() + range.first, bits_.begin() + range.last + 1,
              std::uint16_t{range.category});
  for (std::uint16_t& bits : bits_) {
    const unsigned found = bits;
    if (found <= kLo) bits |= kLetter | kEngineWord | kRustWord;
    if (found >= kMn && found <= kMe) bits |= kEngineWord | kRustWord;
    if (found >= kNd && found <= kNo) bits |= kNumber | kRustNumeric;
    if (found == kNd || found == kNl || found == kPc) bits |= kEngineWord | kRustWord;
    if (found >= kZs && found <= kZp) bits |= kSpace;
  }
  for (const char32_t code : {0x9, 0xA, 0xB, 0xC, 0xD, 0x85}) bits_[code] |= kSpace;
  const auto mark = [&](const Range* ranges, std::size_t count, std::uint16_t flag) {
    for (const Range& range : std::span(ranges, count))
      for (std::uint32_t code = range.first; code <= range.last; ++code) bits_[code] |= flag;
  };
  mark(tables::kRustWordOnly, tables::kRustWordOnlySize, text::kRustWord);
  mark(tables::kEngineWordOnly, tables::kEngineWordOnlySize, text::kEngineWord);
  mark(tables::kRustNumericOnly, tables::kRustNumericOnlySize, text::kRustNumeric);
  mark(tables::kRustPunctuation, tables::kRustPunctuationSize, text::kPunctuation);
  mark(tables::kAccents, tables::kAccentsSize, text::kAccent);
  mark(tables::kBertAccents, tables::kBertAccentsSize, text::kBertAccent);
  mark(tables::kBertRemoved, tables::kBertRemovedSize, text::kBertRemoved);
  mark(tables::kNotNormalised, tables::kNotNormalisedSize, text::kNotNormalised);
}

void append_lower(std::string& out, char32_t code) {
  if (code == 0x130) {
    out += "i\xCC\x87";  // i and a combining dot
    return;
  }
  const std::span runs(tables::kLower, tables::kLowerSize);
  auto run = std::upper_bound(runs.begin(), runs.end(), code,
                              [](char32_t c, const tables::LowerRun& r) { return c < r.first; });
  // Runs of stride 2 interleave, so an earlier one may hold the code too.
  for (int back = 0; back < 4 && run != runs.begin(); ++back) {
    --run;
    if (code <= run->last && (code - run->first) % run->stride == 0)
      return append_utf8(out, static_cast<char32_t>(static_cast<std::int64_t>(code) + run->delta));
  }
  append_utf8(out, code);
}

}  // namespace farthing::text
