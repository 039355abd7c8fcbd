// From the spellings of tokens back to text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/growth.h"
#include "text/pattern.h"

namespace farthing::text {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Rewrites the list of spellings; in the end they are joined. `raw` leaves bytes that are not
  // UTF-8 as they are (for streams, which see characters in parts) instead of making them U+FFFD.
  // The list may grow to `limit` bytes.
  virtual void apply(std::vector<std::string>& tokens, bool raw, std::size_t limit) const = 0;
};
using DecoderPtr = std::unique_ptr<Decoder>;

DecoderPtr make_byte_level_decoder();
DecoderPtr make_metaspace_decoder(char32_t replacement, bool drops_first);
DecoderPtr make_word_piece_decoder(std::string prefix, bool cleanup);
DecoderPtr make_bpe_decoder(std::string suffix);
DecoderPtr make_byte_fallback_decoder();
DecoderPtr make_fuse_decoder();
DecoderPtr make_strip_decoder(char32_t content, std::size_t start, std::size_t stop);
DecoderPtr make_replace_decoder(std::shared_ptr<const Pattern> pattern, std::string content);
DecoderPtr make_ctc_decoder(std::string pad, std::string delimiter, bool cleanup);
DecoderPtr make_decoder_sequence(std::vector<DecoderPtr> parts);

}  // namespace farthing::text
