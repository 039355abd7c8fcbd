// A recipe in YAML. What is read is written one way only, and that reads back as the same.
// Layer: compress
#include "compress/recipe.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const compress::Recipe recipe = compress::parse_recipe(fuzz::text_of(data, size), "fuzz.yaml");
    const std::string written = compress::recipe_text(recipe);
    if (compress::recipe_text(compress::parse_recipe(written, "again")) != written)
      __builtin_trap();
  });
  return 0;
}
