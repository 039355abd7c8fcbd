#include "text/scanners.h"

#include <algorithm>

namespace farthing::text {
namespace {

using Here = Scan::Here;

bool is_letter(const Here& here) { return (here.bits & kLetter) != 0; }
bool is_number(const Here& here) { return (here.bits & kNumber) != 0; }
bool is_blank(const Here& here) { return (here.bits & kSpace) != 0; }
bool is_mark(const Here& here) { return in_categories(here.bits, kMn, kMe); }
bool is_symbol(const Here& here) { return in_categories(here.bits, kPc, kSo); }  // P or S
bool is_newline(const Here& here) { return here.code == '\r' || here.code == '\n'; }
bool is_other(const Here& here) { return (here.bits & (kSpace | kLetter | kNumber)) == 0; }

// Upper, title, modifier or other letter, or mark; and the same with lower for upper and title.
bool is_upper_like(const Here& here) {
  return (is_letter(here) && (here.bits & 31) != kLl) || is_mark(here);
}
bool is_lower_like(const Here& here) {
  return in_categories(here.bits, kLm, kMe) || ((here.bits & 31) == kLl && is_letter(here));
}

char lowered(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte; }

// 's|'t|'re|'ve|'m|'ll|'d; with `fold` also in capitals, and U+017F counts as an s.
std::size_t contraction(const Scan& scan, std::size_t at, bool fold) {
  if (scan.byte(at) != '\'') return at;
  const auto letter = [&](std::size_t i) {
    return fold ? lowered(scan.byte(at + i)) : scan.byte(at + i);
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return at + 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? at + 3 : at;
    case 'l':
      return letter(2) == 'l' ? at + 3 : at;
    case '\xC5':
      return fold && scan.byte(at + 2) == '\xBF' ? at + 3 : at;
    default:
      return at;
  }
}

// \s+(?!\S)|\s+ on a run that ends at `end`: a run before a word leaves it its last blank.
std::size_t leave_last(const Scan& scan, std::size_t at, std::size_t end) {
  if (scan.ends(end) || end == at) return end;
  const std::size_t last = previous_utf8(scan.text(), end);
  return last > at ? last : end;
}

}  // namespace

std::size_t scan_gpt2(const Scan& scan, std::size_t at) {
  if (const std::size_t end = contraction(scan, at, false); end > at) return end;
  const std::size_t start = scan.byte(at) == ' ' ? at + 1 : at;
  const Here first = scan.at(start);
  if (!scan.ends(start)) {
    if (is_letter(first)) return scan.run(first.next, is_letter);
    if (is_number(first)) return scan.run(first.next, is_number);
    if (is_other(first)) return scan.run(first.next, is_other);
  }
  return leave_last(scan, at, scan.run(at, is_blank));
}

std::size_t scan_spaces(const Scan& scan, std::size_t at) {
  std::size_t end = at, newline = at;
  while (!scan.ends(end)) {
    const Here here = scan.at(end);
    if (!is_blank(here)) break;
    end = here.next;
    if (is_newline(here)) newline = end;
  }
  return newline > at ? newline : leave_last(scan, at, end);
}

std::size_t scan_words(const Scan& scan, std::size_t at, const WordRules& rules) {
  const auto in_word = [&](const Here& h) { return is_letter(h) || (rules.marks && is_mark(h)); };
  const auto in_symbols = [&](const Here& h) {
    return is_other(h) && !(rules.marks && is_mark(h));
  };
  if (rules.contractions)
    if (const std::size_t end = contraction(scan, at, true); end > at) return end;
  const Here first = scan.at(at);
  if (in_word(first)) return scan.run(first.next, in_word);
  if (!is_newline(first) && !is_number(first)) {
    const std::size_t end = scan.run(first.next, in_word);
    if (end > first.next) return end;
  }
  if (is_number(first)) return scan.run(at, is_number, rules.digits);
  const std::size_t start = first.code == ' ' ? first.next : at;
  const std::size_t symbols = scan.run(start, in_symbols);
  if (symbols > start) return scan.run(symbols, is_newline);
  return scan_spaces(scan, at);
}

namespace {

// The two word alternatives of scan_cased_words from `at`, without the optional first character.
// The first wants a lower-case-like ending, given back by the greedy upper-case run if need be.
std::size_t cased_word(const Scan& scan, std::size_t at) {
  std::size_t end = at, ending = at;  // ending: behind the last character that is both
  while (!scan.ends(end)) {
    const Here here = scan.at(end);
    if (!is_upper_like(here)) break;
    end = here.next;
    if (is_lower_like(here)) ending = end;
  }
  const std::size_t lower = scan.run(end, is_lower_like);
  return lower > end ? lower : ending;
}

}  // namespace

std::size_t scan_cased_words(const Scan& scan, std::size_t at, const WordRules& rules) {
  const auto finish = [&](std::size_t end) {
    return rules.contractions ? contraction(scan, end, true) : end;
  };
  const Here first = scan.at(at);
  const bool leads = !is_newline(first) && !is_letter(first) && !is_number(first);
  if (leads)
    if (const std::size_t end = cased_word(scan, first.next); end > first.next) return finish(end);
  if (const std::size_t end = cased_word(scan, at); end > at) return finish(end);
  if (leads)
    if (const std::size_t end = scan.run(first.next, is_upper_like); end > first.next)
      return finish(end);
  if (const std::size_t end = scan.run(at, is_upper_like); end > at) return finish(end);
  if (is_number(first)) return scan.run(at, is_number, rules.digits);
  const std::size_t start = first.code == ' ' ? first.next : at;
  const std::size_t symbols = scan.run(start, is_other);
  if (symbols > start)
    return scan.run(symbols, [](const Here& h) { return is_newline(h) || h.code == '/'; });
  return scan_spaces(scan, at);
}

std::size_t scan_deepseek3(const Scan& scan, std::size_t at) {
  const auto in_word = [](const Here& h) { return is_letter(h) || is_mark(h); };
  const auto ascii_letter = [](const Here& h) { return h.code < 0x80 && is_letter(h); };
  const Here first = scan.at(at);
  if (first.code > 0x20 && first.code < 0x7F && is_symbol(first)) {
    const std::size_t end = scan.run(first.next, ascii_letter);
    if (end > first.next) return end;
  }
  if (in_word(first)) return scan.run(first.next, in_word);
  if (!is_newline(first) && !is_symbol(first)) {
    const std::size_t end = scan.run(first.next, in_word);
    if (end > first.next) return end;
  }
  const std::size_t start = first.code == ' ' ? first.next : at;
  const std::size_t symbols = scan.run(start, is_symbol);
  if (symbols > start) return scan.run(symbols, is_newline);
  return scan_spaces(scan, at);
}

std::size_t scan_bloom(const Scan& scan, std::size_t at) {
  const auto taken = [](const Here& h) {
    switch (h.code) {
      case '(':
      case ')':
      case '|':
      case '.':
      case ',':
      case '!':
      case '?':
      case 0x2026:
      case 0x3002:
      case 0xFF0C:
      case 0x3001:
      case 0x964:
      case 0x6D4:
      case 0x60C:
        return false;
      default:
        return !is_blank(h);
    }
  };
  const std::size_t start = scan.byte(at) == ' ' ? at + 1 : at;
  const std::size_t end = scan.run(start, taken);
  return end > start ? end : at;
}

}  // namespace farthing::text
