// config.json up to the model's configuration.
// Layer: model
#include "fuzz/fuzz.h"
#include "io/json.h"
#include "model/architecture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const Json json = parse_json(fuzz::text_of(data, size), "config.json");
    const model::Architecture& architecture = model::find_architecture(json);
    for (const bool gguf : {false, true})
      fuzz::expect_result_or_complaint(
          [&] { static_cast<void>(model::read_config(architecture, json, gguf)); });
  });
  return 0;
}
