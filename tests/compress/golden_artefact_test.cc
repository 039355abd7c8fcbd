// tests/golden/artefact, made by tools/goldens/make_artefact.py: what compressed-tensors' own
// reader makes of an artefact of ours.
#include <gmock/gmock.h>

#include "compress/compress.h"
#include "core/sha256.h"
#include "io/artefact.h"
#include "io/mapped_file.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

const std::string kGolden = FARTHING_SOURCE_DIR "/tests/golden/artefact";

std::string hash_of(const std::vector<float>& numbers) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(numbers)));
  return hash.hex();
}

TEST(GoldenArtefact, HoldsTheNumbersThatCompressedTensorsReads) {
  const Json golden = read_json_file(kGolden + "/decompressed.json");
  const OpenModel artefact(kGolden);
  EXPECT_EQ(artefact.checkpoint->config()["quantization_config"]["quant_method"],
            "compressed-tensors");
  int matrices = 0;
  for (const auto& [tensor, hash] : golden["sha256_of_fp32"].items()) {
    const std::string base = tensor.substr(0, tensor.rfind('.'));
    EXPECT_EQ(Json(hash_of(artefact.floats(base))), hash) << base;
    ++matrices;
  }
  EXPECT_EQ(matrices, 21);
}

TEST(GoldenArtefact, ItsRecipeGivesTheSameLayoutToday) {
  const io::Artefact made =
      io::parse_artefact(io::read_text_file(kGolden + "/farthing.json"), "farthing.json");
  const Json golden = read_json_file(kGolden + "/decompressed.json");
  const io::TempDir dir;
  Runtime runtime(1);
  SilentProgress progress;
  const auto source = io::Checkpoint::open(std::string(FARTHING_SOURCE_DIR "/") +
                                           golden["source"].get<std::string>());
  compress(runtime, *source, dir.path("out"), parse_recipe(made.recipe, "farthing.json"), {},
           progress);
  EXPECT_EQ(io::read_text_file(dir.path("out/config.json")),
            io::read_text_file(kGolden + "/config.json"));
  const auto now = io::Checkpoint::open(dir.path("out")), then = io::Checkpoint::open(kGolden);
  ASSERT_EQ(now->tensors().size(), then->tensors().size());
  for (const io::TensorInfo& tensor : then->tensors()) {
    const io::TensorInfo* found = now->find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
  }
}

}  // namespace
}  // namespace farthing::compress
