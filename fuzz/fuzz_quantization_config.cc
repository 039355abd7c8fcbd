// quantization_config, its expressions on a few names, and farthing.json.
// Layer: io
#include "fuzz/fuzz.h"
#include "io/artefact.h"
#include "io/quantization_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const Json json = parse_json(fuzz::text_of(data, size), "fuzz.json");
    fuzz::expect_result_or_complaint([&] {
      const auto config = io::QuantizationConfig::parse(json, "fuzz.json");
      for (const char* name : {"model.layers.0.self_attn.q_proj", "lm_head", "model.embed_tokens"})
        static_cast<void>(config.find(name));
    });
    const io::Artefact artefact = io::parse_artefact(fuzz::text_of(data, size), "fuzz.json");
    const std::string written = io::write_artefact(artefact);
    if (io::write_artefact(io::parse_artefact(written, "again")) != written) __builtin_trap();
  });
  return 0;
}
