// model.safetensors.index.json: no accepted name may lead out of the directory.
// Layer: io
#include "fuzz/fuzz.h"
#include "io/hf_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const io::ShardIndex index = io::parse_shard_index(fuzz::text_of(data, size), "fuzz.json");
    for (const std::string& file : index.files)
      if (file.empty() || file.find('/') != std::string::npos || file[0] == '.') __builtin_trap();
  });
  return 0;
}
