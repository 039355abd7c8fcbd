// Cutting normalised text into the pieces that a model sees one by one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/growth.h"
#include "text/pattern.h"

namespace farthing::text {

struct Piece {
  std::size_t begin, end;  // bytes of Pieces::text
  bool starts_input;       // it begins where the whole input begins
};

// Cutting moves no text: pieces are ranges, in order, and may leave gaps.
struct Pieces {
  std::string text;
  std::vector<Piece> list;
  std::size_t limit = growth_limit(text.size());
  std::string_view of(const Piece& piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Pieces& pieces) const = 0;
};

// What becomes of a match: a piece of its own, dropped, or joined to a neighbour.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// `invert` swaps matches and what lies between them.
std::unique_ptr<PreTokenizer> make_split(std::shared_ptr<const Pattern> pattern,
                                         SplitBehavior behavior, bool invert);
// Bytes become printable characters (byte_alphabet.h), after cutting by GPT-2's pattern if asked.
std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex);

enum class PrependScheme { kAlways, kFirst, kNever };
// Spaces become `replacement`, which may also go in front; then cuts before each.
std::unique_ptr<PreTokenizer> make_metaspace(char32_t replacement, PrependScheme scheme,
                                             bool split);
std::unique_ptr<PreTokenizer> make_pre_tokenizer_sequence(
    std::vector<std::unique_ptr<PreTokenizer>> parts);

std::unique_ptr<PreTokenizer> make_whitespace();        // \w+|[^\w\s]+
std::unique_ptr<PreTokenizer> make_whitespace_split();  // blanks dropped
std::unique_ptr<PreTokenizer> make_punctuation(SplitBehavior behavior);
std::unique_ptr<PreTokenizer> make_digits(bool individual);
std::unique_ptr<PreTokenizer> make_delimiter(char32_t delimiter);
std::unique_ptr<PreTokenizer> make_fixed_length(std::size_t characters);

}  // namespace farthing::text
