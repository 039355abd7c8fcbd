#include "core/error.h"
#include "text/tokenizer.h"

namespace farthing::text {

std::unique_ptr<Tokenizer> Tokenizer::from_sentencepiece(std::string_view, std::string_view where) {
  unsupported("{}: SentencePiece models are not read yet", where);
}

}  // namespace farthing::text
