// SentencePiece's own normaliser: character map, white space, the dummy prefix.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/normalizer.h"

namespace farthing::text {

struct SentencePieceRules {
  std::string charsmap;                   // as in charsmap.h; "" for none
  std::vector<std::string> user_defined;  // pass through untouched
  bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
  bool prefix_every_section;  // also after added tokens, not only where the input begins
};

NormalizerPtr make_sentencepiece_normalizer(SentencePieceRules rules, std::string_view where);

}  // namespace farthing::text
