// Calibrated compression of the demo model as a user runs it.
#include <gmock/gmock.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";

Outcome compress(const std::string& out, std::vector<std::string> more,
                 ProcessOptions options = {}) {
  std::vector<std::string> arguments = {"compress", kDemo,          out,   "--scheme",
                                        "w4g64",    "--shard-size", "1MB", "--samples",
                                        "6",        "--length",     "64"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, options);
}

TEST(CalibratedCompress, GivesTheSameBytesOnAnyNumberOfThreadsAndAfterAKill) {
  const io::TempDir dir;
  const std::vector<std::string> method = {"--method", "smooth+gptaq"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), method.begin(), method.end());
    return more;
  };
  ASSERT_EQ(compress(dir.path("one"), with({"--threads", "1"})).code, 0);
  const auto whole = files_of(dir.path("one"));
  EXPECT_THAT(whole.at("farthing.json"), HasSubstr("text: [builtin], samples: 6"));
  const Outcome two = compress(dir.path("two"), with({"--threads", "2"}));
  ASSERT_EQ(two.code, 0) << two.err;
  EXPECT_EQ(files_of(dir.path("two")), whole);

  int killed = 0;
  for (const int moment : {400, 900, 1500}) {
    const std::string out = dir.path("killed" + std::to_string(moment));
    const Outcome first = compress(
        out, with({}), {.kill_after = std::chrono::milliseconds(moment), .file_size_limit = {}});
    killed += first.code == -SIGKILL ? 1 : 0;
    if (!io::file_exists(out)) {
      const Outcome again = compress(out, with({}));
      ASSERT_EQ(again.code, 0) << again.err;
    }
    EXPECT_EQ(files_of(out), whole) << "killed after " << moment << " ms";
  }
  EXPECT_GE(killed, 1);
}

// "q4_k" of GGUF: its scales as they are without data, its codes by GPTQ.
TEST(CalibratedCompress, ChoosesCodesOfGgufFilesAndSaysWhereTheTimeWent) {
  const io::TempDir dir;
  const std::string out = dir.path("made.gguf"), json = dir.path("json");  // a file keeps its name
  const auto made = [&](const std::string& method, const std::string& threads) {
    const Outcome run =
        farthing({"compress", kDemo, out, "--scheme", "q4_k", "--method", method, "--samples", "6",
                  "--length", "64", "--threads", threads, "--json", json, "--force"});
    EXPECT_EQ(run.code, 0) << run.err;
    if (method == "gptq") {
      EXPECT_THAT(run.err, HasSubstr("time: forward passes"));
    }
    return io::read_text_file(out);
  };
  const std::string one = made("gptq", "1"), two = made("gptq", "2");
  EXPECT_TRUE(one == two);
  const Json work = Json::parse(io::read_text_file(json)).at("seconds_by_work");
  for (const char* part : {"forward", "statistics", "factors", "rounding", "rounding_products"})
    EXPECT_GT(work.at(part).get<double>(), 0) << part;
  const std::string nearest = made("rtn", "2");
  EXPECT_NEAR(static_cast<double>(nearest.size()), static_cast<double>(one.size()), 1000)
      << "only the recipe in the metadata is of another length";
}

TEST(CalibratedCompress, RefusesDataThatCannotServe) {
  const io::TempDir dir;
  const std::string tiny = dir.write("tiny.txt", "three words only");
  const Outcome refused = compress(dir.path("a"), {"--method", "gptq", "--text", tiny});
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("tiny.txt"));
  const Outcome missing = compress(dir.path("a"), {"--method", "gptq", "--text", dir.path("no")});
  EXPECT_EQ(missing.code, 3) << missing.err;
  std::string song;
  for (int i = 0; i < 400; ++i) song += "The same old song of the same old sea. ";
  const Outcome repeats =
      compress(dir.path("a"), {"--method", "gptq", "--text", dir.write("song.txt", song)});
  EXPECT_EQ(repeats.code, 3) << repeats.err;
  EXPECT_THAT(repeats.err, HasSubstr("repeats what came before"));
}

TEST(CalibratedCompress, SaysWhatIsMissingWhenActivationsDoNotFitOnDisk) {
  const io::TempDir dir;
  const Outcome full =
      farthing({"compress", kDemo, dir.path("out"), "--scheme", "w4g64", "--method", "gptq",
                "--samples", "128", "--length", "256", "--memory-limit", "80MB"},
               {.kill_after = {}, .file_size_limit = 1'000'000});
  EXPECT_EQ(full.code, 5) << full.err;
  EXPECT_THAT(full.err, HasSubstr("calibration activations need"));
  EXPECT_THAT(full.err, HasSubstr("make room"));
  EXPECT_FALSE(std::filesystem::exists(dir.path("out")));
}

// The forecast is of what is allocated; the heap and the threads' own take some per cent beside it.
TEST(CalibratedCompress, TakesTheMemoryThatItForecast) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  const io::TempDir dir;
  const std::string json = dir.path("report.json");
  using Words = std::vector<std::string>;
  for (const Words& recipe : {Words{"--scheme", "w4g64", "--method", "gptq"},
                              Words{"--scheme", "w4g64", "--method", "gptaq"},
                              Words{"--scheme", "w8a8", "--method", "smooth"}}) {
    Words words = {"compress",  kDemo, dir.path("out"), "--force", "--samples", "8",
                   "--threads", "2",   "--json",        json};
    words.insert(words.end(), recipe.begin(), recipe.end());
    const Outcome ran = farthing(words, {});
    ASSERT_EQ(ran.code, 0) << ran.err;
    std::ifstream file(json);
    const Json report = Json::parse(file);
    const double ratio =
        report["peak_rss_bytes"].get<double>() / report["memory_forecast_bytes"].get<double>();
    EXPECT_NEAR(ratio, 1, 0.08) << recipe.back();
  }
}

}  // namespace
}  // namespace farthing::cli
