// farthing sensitivity as a user runs it, on the demo model with few tokens.
#include <gmock/gmock.h>

#include <map>

#include "io/json.h"
#include "tests/cli/process.h"

namespace farthing::cli {
namespace {

using ::testing::HasSubstr;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";
const std::string kText =
    std::string(FARTHING_SOURCE_DIR) + "/models/demo/voyage-of-the-beagle.txt";

// Runs the verb with these options in the place of or beside the usual ones; "" leaves a flag
// alone.
Outcome sensitivity(const io::TempDir& dir, const std::map<std::string, std::string>& changed,
                    ProcessOptions options = {}) {
  std::map<std::string, std::string> all = {{"--schemes", "w4g64,w3g64"},  {"--caches", "int4"},
                                            {"--method", "minmax"},        {"--text", kText},
                                            {"--context", "48"},           {"--probe-tokens", "96"},
                                            {"--cache", dir.path("cache")}};
  for (const auto& [name, value] : changed) all[name] = value;
  // One thread: tests run beside one another.
  std::vector<std::string> arguments = {"sensitivity", kDemo, "--threads", "1"};
  for (const auto& [name, value] : all) {
    arguments.push_back(name);
    if (!value.empty()) arguments.push_back(value);
  }
  return farthing(arguments, options);
}

// Name, scheme -> KL.
std::map<std::string, double> measured(const Json& result) {
  std::map<std::string, double> all;
  for (const Json& unit : result["units"])
    for (const Json& entry : unit["alternatives"])
      if (entry["measured"] == true)
        all[unit["name"].get<std::string>() + " " + entry["scheme"].get<std::string>()] =
            entry["kld"].get<double>();
  return all;
}

TEST(SensitivityVerb, MeasuresEveryUnitAndPredictsTheRest) {
  const io::TempDir dir;
  const Outcome all = sensitivity(dir, {{"--all", ""}, {"--json", dir.path("all.json")}});
  ASSERT_EQ(all.code, 0) << all.err;
  const Json result = read_json_file(dir.path("all.json"));
  EXPECT_EQ(result["schema"], 1);
  EXPECT_EQ(result["units"].size(), 8u * 7 + 3);
  EXPECT_EQ(result["text"]["positions"], 94);
  const auto truth = measured(result);
  EXPECT_EQ(truth.size(), (8u * 7 + 2) * 3 + 1);
  EXPECT_GT(truth.at("lm_head w3g64"), truth.at("lm_head w4g64"));
  EXPECT_GT(truth.at("lm_head w4g64"), 0);
  EXPECT_EQ(truth.at("lm_head keep"), 0);
  EXPECT_GT(truth.at("kv int4"), 0);

  // Screening measures half of the entries, and reads the others off to the right size.
  const Outcome some =
      sensitivity(dir, {{"--cache", dir.path("other")}, {"--json", dir.path("some.json")}});
  ASSERT_EQ(some.code, 0) << some.err;
  int read_off = 0;
  double predicted = 0, expected = 0;
  const Json screened = read_json_file(dir.path("some.json"));
  for (const Json& unit : screened["units"])
    for (const Json& entry : unit["alternatives"]) {
      const double kld = entry["kld"].get<double>(),
                   exact = truth.at(unit["name"].get<std::string>() + " " +
                                    entry["scheme"].get<std::string>());
      if (entry["measured"] == true) {
        EXPECT_DOUBLE_EQ(kld, exact);
        continue;
      }
      ++read_off;
      predicted += kld, expected += exact;
    }
  EXPECT_EQ(read_off, 8 * 7);
  EXPECT_NEAR(predicted / expected, 1, 0.3);
}

TEST(SensitivityVerb, GoesOnAfterAKillAndGivesTheSame) {
  const io::TempDir dir;
  const auto all = [&](const std::string& json) {
    return std::map<std::string, std::string>{
        {"--schemes", "w4g64"}, {"--all", ""}, {"--json", dir.path(json)}};
  };
  sensitivity(dir, all("killed.json"),
              {.kill_after = std::chrono::milliseconds(1500), .file_size_limit = {}});
  ASSERT_EQ(sensitivity(dir, all("resumed.json")).code, 0);
  const Outcome again = sensitivity(dir, all("again.json"));
  EXPECT_THAT(again.err, HasSubstr("goes on: 117 of 117 entries are known"));
  auto fresh = all("fresh.json");
  fresh["--cache"] = dir.path("another");
  ASSERT_EQ(sensitivity(dir, fresh).code, 0);
  const auto truth = measured(read_json_file(dir.path("fresh.json")));
  EXPECT_EQ(measured(read_json_file(dir.path("resumed.json"))), truth);
  EXPECT_EQ(measured(read_json_file(dir.path("again.json"))), truth);
}

TEST(SensitivityVerb, RefusesWhatItCannotMeasure) {
  const io::TempDir dir;
  const auto refused = [&](const std::string& option, const std::string& value, int code,
                           std::string_view why) {
    const Outcome outcome = sensitivity(dir, {{option, value}});
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
  };
  refused("--text", dir.write("empty.txt", ""), 3, "fewer than one window");
  refused("--text", dir.path("none.txt"), 3, "none.txt");
  refused("--context", "100000", 2, "longer than the 256 positions");
  refused("--schemes", "w9g64", 2, "unknown scheme");
  refused("--caches", "int3", 2, "key-value cache is one of");
  refused("--method", "magic", 2, "unknown method");
  // A folder that is a file: what was measured cannot be kept.
  refused("--cache", dir.write("file", "x") + "/sub", 3, "file");
}

}  // namespace
}  // namespace farthing::cli
