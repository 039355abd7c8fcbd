#include "core/text.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace farthing::text {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string StreamDecoder::push(Token id) {
  if (skip_special_ && tokenizer_.is_special(id)) return "";
  ids_.push_back(id);
  const std::string text = tokenizer_.decode_bytes(ids_, skip_special_);
  if (text.size() <= given_) return "";
  const std::size_t held = unfinished_utf8(text);
  const std::size_t ready = std::max(given_, text.size() - held);
  const std::string fresh = repair_utf8(std::string_view(text).substr(given_, ready - given_));
  given_ = ready;
  if (held == 0) {
    // All is out. The last token stays, so that the next one is not taken for the first of a text
    // (which loses its space).
    ids_.erase(ids_.begin(), ids_.end() - 1);
    given_ = tokenizer_.decode_bytes(ids_, skip_special_).size();
  }
  return fresh;
}

std::string StreamDecoder::finish() {
  const std::string text = tokenizer_.decode_bytes(ids_, skip_special_);
  std::string rest;
  if (text.size() > given_) rest = repair_utf8(std::string_view(text).substr(given_));
  ids_.clear();
  given_ = 0;
  return rest;
}

}  // namespace farthing::text
