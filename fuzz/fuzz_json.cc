// JSON text, under limits small enough that a fuzzer can reach them.
// Layer: io
#include "fuzz/fuzz.h"
#include "io/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const Json json = parse_json(fuzz::text_of(data, size), "fuzz.json",
                                 {.bytes = 1 << 16, .depth = 8, .values = 1000});
    // What was accepted is JSON: written and read again it is the same.
    if (parse_json(json.dump(), "again") != json) __builtin_trap();
  });
  return 0;
}
