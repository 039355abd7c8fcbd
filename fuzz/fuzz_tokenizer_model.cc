// A tokenizer.model: SentencePiece's protocol buffer, or tiktoken's lines of base64.
// Layer: text
#include "fuzz/tokens.h"
#include "text/sentencepiece_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    fuzz::encode_and_decode(text::read_tokenizer_model(fuzz::text_of(data, size), "fuzz.model"),
                            "ab a\xCC\x81 \xE4\xBD\xA0<s>\n");
  });
  return 0;
}
