// vocab.json, a zero byte, merges.txt; without one, a list of pieces with scores or of characters.
// Layer: text
#include "fuzz/tokens.h"
#include "text/vocab_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t end = input.find('\0');
  constexpr std::string_view kText = "ab a\xCC\x81 \xE4\xBD\xA0<s>\n";
  if (end != std::string_view::npos) {
    fuzz::expect_result_or_complaint([&] {
      fuzz::encode_and_decode(text::read_vocab_and_merges(input.substr(0, end),
                                                          input.substr(end + 1), true, "fuzz.json"),
                              kText);
    });
    return 0;
  }
  fuzz::expect_result_or_complaint(
      [&] { fuzz::encode_and_decode(text::read_scored_pieces(input, "fuzz.json"), kText); });
  fuzz::expect_result_or_complaint(
      [&] { fuzz::encode_and_decode(text::read_characters(input, "fuzz.json"), kText); });
  return 0;
}
