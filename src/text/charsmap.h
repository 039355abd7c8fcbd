// SentencePiece's precompiled character map: a trie of byte strings (darts-clone's double array)
// and what each becomes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalizer.h"

namespace farthing::text {

class Charsmap {
 public:
  // Layout: u32 bytes of the trie, the trie's u32 units, then NUL-terminated strings. Error: bad
  // input when the sizes do not fit.
  Charsmap(std::string_view bytes, std::string_view where);

  struct Found {
    std::size_t length;            // bytes of the text that are replaced
    std::string_view replacement;  // by this
  };
  std::optional<Found> shortest(std::string_view text) const { return search(text, true); }
  std::optional<Found> longest(std::string_view text) const { return search(text, false); }

 private:
  std::optional<Found> search(std::string_view text, bool first_only) const;
  std::vector<std::uint32_t> units_;
  std::string strings_;
};

// As `tokenizers` applies it: by grapheme when one is shorter than six bytes, else by character,
// each replaced by what its shortest known start becomes.
NormalizerPtr make_precompiled(Charsmap charsmap);

std::string decode_base64(std::string_view text, std::string_view where);

}  // namespace farthing::text
