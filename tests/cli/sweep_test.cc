// compress --sweep as a user runs it.
#include <gmock/gmock.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

const std::string kModels = std::string(FARTHING_SOURCE_DIR) + "/models/demo/";

Outcome sweep(std::vector<std::string> places, const std::string& axes,
              std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"compress", kModels + "books-llama-8m"};
  arguments.insert(arguments.end(), places.begin(), places.end());
  for (const char* word : {"--scheme", "w4g64", "--method", "rtn", "--windows", "1", "--sweep"})
    arguments.emplace_back(word);
  arguments.push_back(axes);
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, {});
}

const std::vector<std::string> kText = {"--eval-text", kModels + "voyage-of-the-beagle.txt"};

std::vector<std::string> with(std::vector<std::string> more) {
  more.insert(more.end(), kText.begin(), kText.end());
  return more;
}

TEST(SweepVerb, KeepsTheBestAndSaysWhatAllAreWorth) {
  const io::TempDir dir;
  const std::string out = dir.path("best"), json = dir.path("sweep.json");
  const Outcome ran = sweep({out}, "scheme=w2g32|w6g64", with({"--json", json}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("best, scheme=w6g64"));
  std::ifstream file(json);
  const Json result = Json::parse(file);
  ASSERT_EQ(result.at("rows").size(), 2u);
  EXPECT_EQ(result.at("best"), 1);
  EXPECT_GT(result["rows"][0]["kld"]["mean"], result["rows"][1]["kld"]["mean"]);
  EXPECT_LT(result["rows"][0]["bytes"], result["rows"][1]["bytes"]);
  EXPECT_THAT(files_of(out).at("farthing.json"), HasSubstr("w6g64"));
  EXPECT_FALSE(std::filesystem::exists(out + ".sweep"));

  const Outcome again = sweep({out}, "scheme=w2g32", kText);
  EXPECT_EQ(again.code, 2) << again.err;
  EXPECT_THAT(again.err, HasSubstr("is there already"));
  const Outcome forced = sweep({out}, "scheme=w2g32", with({"--force"}));
  EXPECT_EQ(forced.code, 0) << forced.err;
  EXPECT_THAT(files_of(out).at("farthing.json"), HasSubstr("w2g32"));
}

TEST(SweepVerb, KeepsNothingWithoutOutAndReplacesNoStrangersDirectory) {
  const io::TempDir dir;
  const Outcome ran = sweep({}, "range=minmax", kText);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("range=minmax"));
  dir.write("mine/novel.txt", "chapter one");
  const Outcome forced = sweep({dir.path("mine")}, "range=search", with({"--force"}));
  EXPECT_EQ(forced.code, 2);
  EXPECT_THAT(forced.err, HasSubstr("was not written by Farthing"));
  EXPECT_EQ(files_of(dir.path("mine")).size(), 1u);
}

TEST(SweepVerb, NeedsATextToMeasureOn) {
  const Outcome ran = sweep({}, "range=search|minmax");
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("--eval-text"));
}

}  // namespace
}  // namespace farthing::cli
