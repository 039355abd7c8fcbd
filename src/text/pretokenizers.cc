#include <algorithm>

#include "text/byte_alphabet.h"
#include "text/pretokenizer.h"
#include "text/scanners.h"
#include "text/unicode.h"

namespace farthing::text {
namespace {

struct Segment {
  std::size_t begin, end;
  bool matched;
};

// Matches and what lies between them, covering the text.
std::vector<Segment> cover(std::string_view text, const std::vector<Match>& matches, bool invert) {
  std::vector<Segment> segments;
  segments.reserve(matches.size() + 1);
  std::size_t at = 0;
  for (const Match& match : matches) {
    if (match.begin > at) segments.push_back({at, match.begin, invert});
    segments.push_back({match.begin, match.end, !invert});
    at = match.end;
  }
  if (at < text.size()) segments.push_back({at, text.size(), invert});
  return segments;
}

void merge_with_previous(std::vector<Segment>& segments) {
  std::vector<Segment> out;
  bool previous_matched = false;
  for (const Segment& segment : segments) {
    if (segment.matched && !previous_matched && !out.empty())
      out.back().end = segment.end;
    else
      out.push_back(segment);
    previous_matched = segment.matched;
  }
  segments = std::move(out);
}

void merge_with_next(std::vector<Segment>& segments) {
  std::vector<Segment> out;
  bool next_matched = false;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (segment->matched && !next_matched && !out.empty())
      out.back().begin = segment->begin;
    else
      out.push_back(*segment);
    next_matched = segment->matched;
  }
  std::reverse(out.begin(), out.end());
  segments = std::move(out);
}

void join_equal_neighbours(std::vector<Segment>& segments) {
  std::vector<Segment> out;
  for (const Segment& segment : segments) {
    if (!out.empty() && out.back().matched == segment.matched)
      out.back().end = segment.end;
    else
      out.push_back(segment);
  }
  segments = std::move(out);
}

// Calls push(begin, end) for each non-empty piece of the text.
template <class Push>
void split_text(std::string_view text, const Pattern& pattern, SplitBehavior behavior, bool invert,
                const Push& push) {
  std::vector<Match> matches;
  pattern.find(text, matches);
  std::vector<Segment> segments = cover(text, matches, invert);
  if (behavior == SplitBehavior::kMergedWithPrevious) merge_with_previous(segments);
  if (behavior == SplitBehavior::kMergedWithNext) merge_with_next(segments);
  if (behavior == SplitBehavior::kContiguous) join_equal_neighbours(segments);
  for (const Segment& segment : segments)
    if (segment.end > segment.begin && !(behavior == SplitBehavior::kRemoved && segment.matched))
      push(segment.begin, segment.end);
}

class Split final : public PreTokenizer {
 public:
  Split(std::shared_ptr<const Pattern> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(Pieces& pieces) const override {
    std::vector<Piece> list;
    list.reserve(pieces.list.size());
    for (const Piece& piece : pieces.list)
      split_text(pieces.of(piece), *pattern_, behavior_, invert_,
                 [&](std::size_t begin, std::size_t end) {
                   list.push_back(
                       {piece.begin + begin, piece.begin + end, piece.starts_input && begin == 0});
                 });
    pieces.list = std::move(list);
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

// Rewrites each piece: rewrite(text of the piece, starts_input, out) appends to out.
template <class Rewrite>
void rewrite_pieces(Pieces& pieces, const Rewrite& rewrite) {
  std::string text;
  text.reserve(pieces.text.size() + pieces.text.size() / 4);
  for (Piece& piece : pieces.list) {
    const std::size_t begin = text.size();
    rewrite(pieces.of(piece), piece.starts_input, text);
    check_growth("pre-tokenizer", text.size(), pieces.limit);
    piece.begin = begin;
    piece.end = text.size();
  }
  pieces.text = std::move(text);
}

class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, std::unique_ptr<PreTokenizer> words)
      : add_prefix_space_(add_prefix_space), words_(std::move(words)) {}

  void apply(Pieces& pieces) const override {
    if (add_prefix_space_)
      rewrite_pieces(pieces, [](std::string_view text, bool, std::string& out) {
        if (!text.starts_with(' ')) out += ' ';
        out += text;
      });
    if (words_) words_->apply(pieces);
    const ByteAlphabet& alphabet = ByteAlphabet::get();
    rewrite_pieces(pieces, [&](std::string_view text, bool, std::string& out) {
      for (const char byte : text) out += alphabet.spelling(static_cast<unsigned char>(byte));
    });
  }

 private:
  bool add_prefix_space_;
  std::unique_ptr<PreTokenizer> words_;
};

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(char32_t replacement, PrependScheme scheme, bool split)
      : replacement_(to_utf8(replacement)), scheme_(scheme) {
    if (split)
      split_ =
          make_split(make_literal_pattern(replacement_), SplitBehavior::kMergedWithNext, false);
  }

  void apply(Pieces& pieces) const override {
    rewrite_pieces(pieces, [&](std::string_view text, bool starts_input, std::string& out) {
      const bool starts = text.starts_with(' ') || text.starts_with(replacement_);
      if (!starts &&
          (scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && starts_input)))
        out += replacement_;
      for (const char byte : text) {
        if (byte == ' ')
          out += replacement_;
        else
          out += byte;
      }
    });
    if (split_) split_->apply(pieces);
  }

 private:
  std::string replacement_;
  PrependScheme scheme_;
  std::unique_ptr<PreTokenizer> split_;
};

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<PreTokenizer>> parts)
      : parts_(std::move(parts)) {}
  void apply(Pieces& pieces) const override {
    for (const auto& part : parts_) part->apply(pieces);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

// Each character with one of the flags is a match.
class FlagPattern final : public Pattern {
 public:
  explicit FlagPattern(std::uint16_t flags) : flags_(flags) {}
  void find(std::string_view text, std::vector<Match>& matches) const override {
    const Scan scan(text, CharacterTable::get());
    for (std::size_t at = 0; at < text.size();) {
      const Scan::Here here = scan.at(at);
      if ((here.bits & flags_) != 0) matches.push_back({at, here.next});
      at = here.next;
    }
  }

 private:
  std::uint16_t flags_;
};

// \w+|[^\w\s]+ with the classes of Rust's regex crate
class WordOrSymbols final : public Pattern {
 public:
  void find(std::string_view text, std::vector<Match>& matches) const override {
    const Scan scan(text, CharacterTable::get());
    const auto word = [](const Scan::Here& h) { return (h.bits & kRustWord) != 0; };
    const auto symbol = [](const Scan::Here& h) { return (h.bits & (kRustWord | kSpace)) == 0; };
    for (std::size_t at = 0; at < text.size();) {
      const Scan::Here here = scan.at(at);
      const std::size_t end = word(here)     ? scan.run(at, word)
                              : symbol(here) ? scan.run(at, symbol)
                                             : at;
      if (end > at) matches.push_back({at, end});
      at = std::max(end, here.next);
    }
  }
};

class FixedLength final : public Pattern {
 public:
  explicit FixedLength(std::size_t characters) : characters_(characters) {}
  void find(std::string_view text, std::vector<Match>& matches) const override {
    const Scan scan(text, CharacterTable::get());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = scan.run(at, [](const Scan::Here&) { return true; }, characters_);
      matches.push_back({at, end});
      at = end;
    }
  }

 private:
  std::size_t characters_;
};

std::unique_ptr<PreTokenizer> flag_split(std::uint16_t flags, SplitBehavior behavior) {
  return make_split(std::make_shared<FlagPattern>(flags), behavior, false);
}

}  // namespace

std::unique_ptr<PreTokenizer> make_split(std::shared_ptr<const Pattern> pattern,
                                         SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(pattern), behavior, invert);
}

std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex) {
  std::unique_ptr<PreTokenizer> words;
  if (use_regex)
    words = make_split(
        make_scanner(
            R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"),
        SplitBehavior::kIsolated, false);
  return std::make_unique<ByteLevel>(add_prefix_space, std::move(words));
}

std::unique_ptr<PreTokenizer> make_metaspace(char32_t replacement, PrependScheme scheme,
                                             bool split) {
  return std::make_unique<Metaspace>(replacement, scheme, split);
}

std::unique_ptr<PreTokenizer> make_pre_tokenizer_sequence(
    std::vector<std::unique_ptr<PreTokenizer>> parts) {
  return std::make_unique<PreTokenizerSequence>(std::move(parts));
}

std::unique_ptr<PreTokenizer> make_whitespace() {
  return make_split(std::make_shared<WordOrSymbols>(), SplitBehavior::kRemoved, true);
}
std::unique_ptr<PreTokenizer> make_whitespace_split() {
  return flag_split(kSpace, SplitBehavior::kRemoved);
}
std::unique_ptr<PreTokenizer> make_punctuation(SplitBehavior behavior) {
  return flag_split(kPunctuation, behavior);
}
std::unique_ptr<PreTokenizer> make_digits(bool individual) {
  return flag_split(kRustNumeric,
                    individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}
std::unique_ptr<PreTokenizer> make_delimiter(char32_t delimiter) {
  return make_split(make_literal_pattern(to_utf8(delimiter)), SplitBehavior::kRemoved, false);
}
std::unique_ptr<PreTokenizer> make_fixed_length(std::size_t characters) {
  return make_split(std::make_shared<FixedLength>(characters), SplitBehavior::kIsolated, false);
}

}  // namespace farthing::text
