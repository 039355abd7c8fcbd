// farthing calibrate, as a user runs it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "run_binary.h"

namespace farthing::testing {
namespace {

using ::testing::HasSubstr;

const std::string kModel = source_path("models/demo/books-llama-8m");

TEST(Calibrate, ExaminesTheBuiltInTextsWithoutAnyOption) {
  const Ran ran = run_farthing("calibrate " + kModel + " --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["tokens"], 128 * 256);
  EXPECT_EQ(json["verdict"], "good");
}

TEST(Calibrate, FindsThatTheDataHoldsTheEvaluationText) {
  const Folder folder;
  const std::string text = source_path("data/calibration/fiction.txt");
  const Ran ran = run_farthing("calibrate " + kModel + " --check --text " + text +
                               " --samples 32 --length 256 --eval-text " + text);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("warning: the data holds"));
}

TEST(Calibrate, SelectedSamplesAreReadAgainAsTheyWere) {
  const Folder folder;
  const std::string out = (folder / "chosen.jsonl").string();
  const Ran chosen = run_farthing("calibrate " + kModel +
                                  " --samples 24 --length 64 --select 6 --json - --out " + out);
  ASSERT_EQ(chosen.code, 0) << chosen.err;
  const auto first = nlohmann::json::parse(chosen.out);
  EXPECT_EQ(first["selection"]["candidates"], 24);
  EXPECT_EQ(first["samples"], 6);
  const Ran again =
      run_farthing("calibrate " + kModel + " --samples 6 --length 64 --json - --text " + out);
  ASSERT_EQ(again.code, 0) << again.err;
  const auto second = nlohmann::json::parse(again.out);
  EXPECT_EQ(second["tokens"], 6 * 64);
  EXPECT_EQ(second["distinct"], first["distinct"]);
}

TEST(Calibrate, RefusesUnfitDataAfterSayingWhatIsWrong) {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += "The same old song of the same old sea. ";
  std::ofstream(folder / "song.txt") << text;
  const Ran ran = run_farthing("calibrate " + kModel + " --samples 8 --length 128 --text " +
                               (folder / "song.txt").string());
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr("fatal: "));
  EXPECT_THAT(ran.err, HasSubstr("repeats what came before"));
}

TEST(Calibrate, OptionsWithoutSenseAreUsageErrors) {
  for (const char* options : {"--select 9 --samples 4", "--out x", "--length 3", "--samples 0",
                              "--text a.txt=0", "--select -1"})
    EXPECT_EQ(run_farthing("calibrate " + kModel + " " + options).code, 2) << options;
  EXPECT_EQ(run_farthing("calibrate " + kModel + " --text /nonexistent.txt").code, 3);
}

}  // namespace
}  // namespace farthing::testing
