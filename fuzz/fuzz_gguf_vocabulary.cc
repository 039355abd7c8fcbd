// The vocabulary in a GGUF file's metadata.
// Layer: text
#include "fuzz/tokens.h"
#include "io/gguf.h"
#include "text/gguf_vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const io::Gguf file = io::parse_gguf(fuzz::bytes_of(data, size), "fuzz.gguf");
    fuzz::encode_and_decode(text::read_gguf_vocabulary(file.metadata, "fuzz.gguf"),
                            "ab a\xCC\x81 \xE4\xBD\xA0<s>\n");
  });
  return 0;
}
