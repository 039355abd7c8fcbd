// A tokenizer.json; what follows a zero byte is the text that it encodes. The ids are decoded whole
// and as a stream.
// Layer: text
#include "fuzz/tokens.h"
#include "text/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t end = input.find('\0');
  fuzz::expect_result_or_complaint([&] {
    fuzz::encode_and_decode(text::read_tokenizer_json(input.substr(0, end), "fuzz.json"),
                            end == std::string_view::npos ? "" : input.substr(end + 1));
  });
  return 0;
}
