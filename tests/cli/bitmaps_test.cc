// Artefacts without their zeros, as a user makes, looks at and runs them.
#include <gmock/gmock.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

std::string tiny(const io::TempDir& dir) {
  return TinyLlama{}.write(dir, "model", [](const std::string&, std::vector<Bf16>&) {});
}

std::string logits(const io::TempDir& dir, const std::string& model) {
  const Outcome run =
      farthing({"logits", model, "--tokens", "5,9,33,100", "--out", dir.path("logits.npy")}, {});
  EXPECT_EQ(run.code, 0) << run.err;
  return io::read_text_file(dir.path("logits.npy"), 1 << 20);
}

class Bitmaps : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Bitmaps, TakeFewerBytesAndGiveTheSameLogitsAndTheSameFilesBack) {
  const io::TempDir dir;
  const std::string model = tiny(dir);
  std::vector<std::string> arguments = {"compress", model, dir.path("dense"), "--sparsity", "0.5"};
  arguments.insert(arguments.end(), GetParam().begin(), GetParam().end());
  const Outcome dense = farthing(arguments, {});
  ASSERT_EQ(dense.code, 0) << dense.err;
  arguments[2] = dir.path("thin");
  arguments.insert(arguments.end(), {"--bitmaps", "--json", dir.path("thin.json")});
  const Outcome thin = farthing(arguments, {});
  ASSERT_EQ(thin.code, 0) << thin.err;
  EXPECT_THAT(thin.out, HasSubstr("21 matrices as bitmaps"));
  EXPECT_THAT(thin.err, HasSubstr("bits a weight in the file"));
  EXPECT_FALSE(std::filesystem::exists(dir.path("thin.artefact")));
  const Json json = read_json_file(dir.path("thin.json")).at("bitmaps");
  EXPECT_LT(json.at("bytes").get<int>(), json.at("dense_bytes").get<int>());
  EXPECT_LT(files_of(dir.path("thin")).at("model.safetensors").size(),
            files_of(dir.path("dense")).at("model.safetensors").size());

  EXPECT_EQ(logits(dir, dir.path("thin")), logits(dir, dir.path("dense")));
  const Outcome look = farthing({"inspect", dir.path("thin")}, {});
  EXPECT_THAT(look.out, HasSubstr("bitmaps: 21 matrices, "));
  const Outcome back =
      farthing({"convert", dir.path("thin"), dir.path("back"), "--to", "dense"}, {});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(files_of(dir.path("back")), files_of(dir.path("dense")));
  const Outcome again =
      farthing({"convert", dir.path("dense"), dir.path("again"), "--to", "bitmaps"}, {});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(files_of(dir.path("again")), files_of(dir.path("thin")));
}

using Words = std::vector<std::string>;
INSTANTIATE_TEST_SUITE_P(Schemes, Bitmaps,
                         testing::Values(Words{"--method", "magnitude"},
                                         Words{"--scheme", "w4g32", "--method", "magnitude+rtn"},
                                         Words{"--scheme", "w8g32", "--method", "magnitude+rtn"},
                                         Words{"--scheme", "w8a8", "--method", "magnitude+rtn"}));

TEST(Bitmaps, SayWhereTheyGainNothing) {
  const io::TempDir dir;
  const Outcome none = farthing({"convert", tiny(dir), dir.path("out"), "--to", "bitmaps"}, {});
  EXPECT_EQ(none.code, 0);
  EXPECT_THAT(none.err, HasSubstr("bf16: no matrix gains a byte from a bitmap: the thinnest has "));
  EXPECT_THAT(none.err, HasSubstr("16 bits need more than 6.2 %"));
  const Outcome dense =
      farthing({"convert", dir.path("out"), dir.path("dense"), "--to", "dense"}, {});
  EXPECT_EQ(dense.code, 2);
  EXPECT_THAT(dense.err, HasSubstr("keeps no matrix by a bitmap; it is dense already"));
}

TEST(Bitmaps, RefuseWhatTheyCannotDo) {
  const io::TempDir dir;
  const std::string model = tiny(dir);
  const auto fails = [&](const Words& arguments, const std::string& sentence) {
    const Outcome run = farthing(arguments, {});
    EXPECT_NE(run.code, 0);
    EXPECT_THAT(run.err, HasSubstr(sentence));
  };
  fails({"compress", model, dir.path("o.gguf"), "--scheme", "q4_0", "--bitmaps"},
        "--bitmaps is for directories");
  fails({"convert", model, dir.path("o"), "--to", "bitmaps", "--type", "w4g64"},
        "--to bitmaps keeps every number, and --type would round");
  fails({"convert", std::string(FARTHING_SOURCE_DIR) + "/tests/golden/quantized/gptq-v2-asym",
         dir.path("o"), "--to", "bitmaps"},
        "its quant_method is gptq");
}

TEST(Bitmaps, AreWholeAndTheSameAfterAKill) {
  const io::TempDir dir;
  const std::string model = tiny(dir);
  const auto words = [&](const std::string& out) {
    return Words{"compress",  model,        dir.path(out), "--method",
                 "magnitude", "--sparsity", "0.5",         "--bitmaps"};
  };
  ASSERT_EQ(farthing(words("whole"), {}).code, 0);
  const auto whole = files_of(dir.path("whole"));
  for (const int moment : {10, 30, 60, 100, 150}) {
    const std::string out = "killed" + std::to_string(moment);
    farthing(words(out), {.kill_after = std::chrono::milliseconds(moment)});
    if (!std::filesystem::exists(dir.path(out))) {
      const Outcome again = farthing(words(out), {});
      ASSERT_EQ(again.code, 0) << again.err;
    }
    EXPECT_EQ(files_of(dir.path(out)), whole) << "killed after " << moment << " ms";
  }
}

// A disk that fills up leaves nothing at OUT, and the same command goes on once there is room.
TEST(Bitmaps, FullDiskLeavesNothingHalfWritten) {
  const io::TempDir dir;
  const Outcome dense = farthing(
      {"compress", tiny(dir), dir.path("dense"), "--method", "magnitude", "--sparsity", "0.5"}, {});
  ASSERT_EQ(dense.code, 0) << dense.err;
  const Words words = {"convert", dir.path("dense"), dir.path("out"), "--to", "bitmaps"};
  const Outcome full = farthing(words, {.file_size_limit = 50'000});
  EXPECT_EQ(full.code, 5) << full.err;
  EXPECT_FALSE(std::filesystem::exists(dir.path("out")));
  const Outcome whole = farthing(words, {});
  EXPECT_EQ(whole.code, 0) << whole.err;
}

}  // namespace
}  // namespace farthing::cli
