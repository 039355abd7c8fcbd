// Normalisers, pre-tokenizers and decoders may be chained by the file, so a few lines of it could
// make terabytes of a short text. What grows beyond its limit is refused.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/error.h"
#include "core/text.h"

namespace farthing::text {

// Bytes that a text of `size` bytes may become: far more than any real tokenizer makes of it.
inline std::size_t growth_limit(std::size_t size) { return (std::size_t{16} << 20) + size * 64; }

// Error: bad input naming `part` of the tokenizer, when the text has outgrown its limit.
inline void check_growth(std::string_view part, std::size_t size, std::size_t limit) {
  if (size > limit)
    bad_input("the tokenizer's {} makes {} of a text that came in far smaller", part,
              human_bytes(size));
}

}  // namespace farthing::text
