// tune, verify and diff as a user runs them, on the demo model with few tokens.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "io/json.h"
#include "tests/cli/process.h"

namespace farthing::cli {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";
const std::string kText =
    std::string(FARTHING_SOURCE_DIR) + "/models/demo/voyage-of-the-beagle.txt";

// Two schemes, rounded the quickest way, judged by few tokens.
Outcome tune(const io::TempDir& dir, const std::map<std::string, std::string>& changed,
             std::vector<std::string> places, ProcessOptions options = {}) {
  std::map<std::string, std::string> all = {
      {"--schemes", "w8g64,w4g64"},  {"--method", "minmax"}, {"--text", kText},
      {"--context", "64"},           {"--windows", "6"},     {"--probe-tokens", "128"},
      {"--cache", dir.path("cache")}};
  for (const auto& [name, value] : changed) all[name] = value;
  // One thread: tests run beside one another.
  std::vector<std::string> arguments = {"tune", kDemo, "--threads", "1"};
  arguments.insert(arguments.end(), places.begin(), places.end());
  for (const auto& [name, value] : all) {
    arguments.push_back(name);
    if (!value.empty()) arguments.push_back(value);
  }
  return farthing(arguments, options);
}

TEST(Tune, HoldsItsFloorAndVerifyAndDiffSaySo) {
  const io::TempDir dir;
  const std::string out = dir.path("out");
  // Bytes, not time: the answer must not depend on how busy this machine is.
  const Outcome tuned = tune(
      dir, {{"--max-kld", "0.006"}, {"--minimise", "bytes"}, {"--json", dir.path("tune.json")}},
      {out});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_THAT(tuned.out, HasSubstr("the least sensitive first"));
  const Json json = read_json_file(dir.path("tune.json"));
  const double kld = json["chosen"]["quality"]["kld"]["mean"].get<double>(),
               error = json["chosen"]["quality"]["kld"]["stderr"].get<double>();
  EXPECT_LE(kld + error, 0.006);
  EXPECT_GT(kld, 0.0006);  // and it uses what the floor leaves
  EXPECT_EQ(json["layers"].size(), 8u * 7 + 3);
  EXPECT_FALSE(json["walk"].empty());
  EXPECT_EQ(json, read_json_file(out + "/farthing.tune.json"));
  int eight = 0, four = 0;
  for (const Json& layer : json["layers"]) {
    eight += layer["scheme"] == "w8g64" ? 1 : 0;
    four += layer["scheme"] == "w4g64" ? 1 : 0;
  }
  EXPECT_GT(eight + four, 40);

  // What eval says of the artefact is what the contract says, to the last bit.
  const Outcome evaluated =
      farthing({"eval", out, "--reference", kDemo, "--text", kText, "--context", "64", "--windows",
                "6", "--json", dir.path("eval.json")});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const Json text = read_json_file(dir.path("eval.json"))["texts"]["voyage-of-the-beagle.txt"];
  EXPECT_EQ(text["kld"]["mean"].get<double>(), kld);
  const Json contract = read_json_file(out + "/farthing.json")["contract"];
  EXPECT_EQ(contract["proven"]["kld"]["mean"].get<double>(), kld);
  EXPECT_EQ(contract["text"]["sha256"], text["text_sha256"]);

  const Outcome verified = farthing({"verify", out, "--json", dir.path("verify.json")});
  EXPECT_EQ(verified.code, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("the contract holds here"));
  EXPECT_EQ(read_json_file(dir.path("verify.json"))["measured"]["kld"]["mean"].get<double>(), kld);

  const Outcome differs = farthing({"diff", kDemo, out, "--json", dir.path("diff.json")});
  ASSERT_EQ(differs.code, 0) << differs.err;
  const Json diff = read_json_file(dir.path("diff.json"));
  EXPECT_EQ(diff["layers"].size(), 58u);
  EXPECT_EQ(diff["changed_vectors"].size(), 0u);
  for (const Json& layer : diff["layers"])
    if (layer["b"].contains("error")) {
      // farthing.json has the same distance, from when the matrix was rounded.
      EXPECT_NEAR(layer["distance"].get<double>(), layer["b"]["error"].get<double>(),
                  1e-3 * layer["distance"].get<double>() + 1e-12)
          << layer["name"];
    }
  EXPECT_THAT(farthing({"diff", out, out}).out, HasSubstr("58 of 58 matrices are the same"));

  // The promise can be broken: a floor that the artefact does not keep.
  Json spoiled = read_json_file(out + "/farthing.json");
  spoiled["contract"]["floor"]["max_kld"] = kld / 2;
  dir.write("out/farthing.json", spoiled.dump());
  const Outcome broken = farthing({"verify", out});
  EXPECT_EQ(broken.code, 3);
  EXPECT_THAT(broken.err, HasSubstr("does not keep its accuracy contract"));
  EXPECT_EQ(
      farthing({"verify", out, "--text", dir.write("other.txt", std::string(9000, 'x'))}).code, 3);
  EXPECT_THAT(farthing({"verify", kDemo}).err, HasSubstr("no accuracy contract"));
}

TEST(Tune, GivesRowsOfTheVocabularyTheirOwnPrecision) {
  const io::TempDir dir;
  const std::string out = dir.path("out");
  const Outcome tuned = tune(dir,
                             {{"--max-kld", "0.02"},
                              {"--minimise", "bytes"},
                              {"--rounds", "2"},
                              {"--method", "split-vocabulary+minmax"},
                              {"--json", dir.path("tune.json")}},
                             {out});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const Json json = read_json_file(dir.path("tune.json"));
  EXPECT_EQ(json["layers"].size(), 8u * 7 + 2 * 5 + 1);
  int embeddings = 0, heads = 0;
  for (const Json& layer : json["layers"]) {
    embeddings += layer["kind"] == "embedding" ? 1 : 0;
    heads += layer["kind"] == "head" ? 1 : 0;
  }
  EXPECT_EQ(embeddings, 5);
  EXPECT_EQ(heads, 5);
  const Outcome verified = farthing({"verify", out});
  EXPECT_EQ(verified.code, 0) << verified.err;
  // The original has whole matrices; they are compared part by part.
  for (const auto& pair : {std::pair(kDemo, out), std::pair(out, kDemo)}) {
    const Outcome differs =
        farthing({"diff", pair.first, pair.second, "--json", dir.path("diff.json")});
    ASSERT_EQ(differs.code, 0) << differs.err;
    const Json diff = read_json_file(dir.path("diff.json"));
    EXPECT_EQ(diff["layers"].size(), 8u * 7 + 10);
    EXPECT_EQ(diff["layers"][1]["name"], "model.embed_tokens.rows.1");
    for (const Json& layer : diff["layers"])
      EXPECT_LT(layer["distance"].get<double>(), 0.02) << layer["name"];
  }
  EXPECT_EQ(farthing({"report", out, "--out", dir.path("report.html")}).code, 0);
  const Outcome again = farthing({"tune", out, dir.path("o3"), "--max-kld", "0.1", "--method",
                                  "split-vocabulary+minmax"});
  EXPECT_EQ(again.code, 4);
  EXPECT_THAT(again.err, HasSubstr("is compressed already"));
  const Outcome smaller =
      tune(dir, {{"--max-kld", "0.02"}, {"--method", "drop-layers"}}, {dir.path("o2")});
  EXPECT_EQ(smaller.code, 4);
  EXPECT_THAT(smaller.err, HasSubstr("makes a smaller model"));
}

// Multiple choice that the demo model can answer now and then.
std::string some_documents(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i)
    lines += "{\"query\": \"We saw " + std::to_string(i) +
             " birds fly over the\", \"choices\": [\"sea\", \"spoon\"], \"gold\": 0}\n";
  return lines;
}

TEST(Tune, HoldsAFloorOnATask) {
  const io::TempDir dir;
  const std::string out = dir.path("out"), tasks = dir.write("birds.jsonl", some_documents(60));
  const Outcome tuned = tune(dir,
                             {{"--max-task-drop", "0.2"},
                              {"--tasks", tasks},
                              {"--minimise", "bytes"},
                              {"--rounds", "2"},
                              {"--json", dir.path("tune.json")}},
                             {out});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const Json chosen = read_json_file(dir.path("tune.json"))["chosen"];
  ASSERT_EQ(chosen["checks"].size(), 1u);
  EXPECT_EQ(chosen["checks"][0]["name"], "task_drop");
  EXPECT_EQ(chosen["checks"][0]["task"], "birds");
  EXPECT_LE(chosen["checks"][0]["worst"].get<double>(), 0.2);
  EXPECT_EQ(chosen["tasks"][0]["documents"], 60);
  const Json contract = read_json_file(out + "/farthing.json")["contract"];
  EXPECT_EQ(contract["floor"]["max_task_drop"], 0.2);
  EXPECT_EQ(contract["tasks"][0]["lost"], chosen["tasks"][0]["lost"]);
  const Outcome verified = farthing({"verify", out});
  EXPECT_EQ(verified.code, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("task_drop of birds"));
  // Another file under that name is not what was promised.
  EXPECT_EQ(
      farthing({"verify", out, "--tasks", "birds=" + dir.write("other.jsonl", some_documents(61))})
          .code,
      3);
  EXPECT_EQ(farthing({"verify", out, "--tasks", "x=" + tasks}).code, 2);
  EXPECT_THAT(tune(dir, {{"--max-task-drop", "0.2"}}, {out}).err, HasSubstr("need each other"));
  EXPECT_THAT(tune(dir, {{"--max-task-drop", "0.001"}, {"--tasks", tasks}}, {dir.path("o2")}).err,
              HasSubstr("60 documents cannot prove"));
  const Outcome wrong =
      tune(dir,
           {{"--max-task-drop", "0.2"},
            {"--tasks",
             dir.write("w.jsonl", "{\"query\": \"a\", \"choices\": [\"b\"], \"gold\": 7}\n")}},
           {dir.path("o2")});
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.err, HasSubstr("line 1"));
}

// What is predicted of smoothed, pruned and differently rounded units is what compress makes.
TEST(Tune, ChoosesAmongMethods) {
  const io::TempDir dir;
  const Outcome tuned =
      tune(dir,
           {{"--schemes", "w8a8,w8a8@smooth=0.5,w4g64,w4g64@gptq,w8g64@wanda=2:4"},
            {"--max-bytes", "6MB"},
            {"--samples", "4"},
            {"--json", dir.path("t.json")}},
           {dir.path("out")});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const Json json = read_json_file(dir.path("t.json"));
  std::map<std::string, int> chosen;
  for (const Json& layer : json["layers"]) ++chosen[layer["scheme"].get<std::string>()];
  EXPECT_GT(chosen["w4g64@gptq"], chosen["w4g64"]);  // --method is minmax
  const Json& first = json["rounds"][0];
  EXPECT_EQ(first["expected"]["bytes"], first["measured"]["bytes"]);
  EXPECT_NEAR(first["measured"]["kld"].get<double>() / first["expected"]["kld"].get<double>(), 1,
              0.35);
  EXPECT_THAT(json["recipe"].get<std::string>(), HasSubstr("match: [model.layers."));
}

TEST(Tune, PlansWithoutWriting) {
  const io::TempDir dir;
  const Outcome planned = tune(
      dir,
      {{"--max-bytes", "6MB"}, {"--dry-run", ""}, {"--pareto", ""}, {"--json", dir.path("p.json")}},
      {dir.path("out")});
  ASSERT_EQ(planned.code, 0) << planned.err;
  EXPECT_FALSE(fs::exists(dir.path("out")));
  const Json json = read_json_file(dir.path("p.json"));
  EXPECT_LE(json["expected"]["bytes"].get<double>(), 6e6);
  const Json& points = json["pareto"];
  ASSERT_GT(points.size(), 5u);
  for (std::size_t i = 1; i < points.size(); ++i) {
    EXPECT_GE(points[i]["kld"].get<double>(), points[i - 1]["kld"].get<double>());
    EXPECT_LE(points[i]["bytes"].get<double>(), points[i - 1]["bytes"].get<double>());
  }
  // Single changes add up to what they do together, while they are small.
  EXPECT_NEAR(json["interaction"]["ratio"].get<double>(), 1, 0.25);
}

TEST(Tune, MakesTheLeastLossWithinALimit) {
  const io::TempDir dir;
  const Outcome tuned =
      tune(dir, {{"--max-bytes", "6MB"}, {"--json", dir.path("t.json")}}, {dir.path("out") + "/"});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const Json chosen = read_json_file(dir.path("t.json"))["chosen"];
  EXPECT_LE(chosen["measured"]["bytes"].get<double>(), 6e6);
  EXPECT_EQ(chosen["measured"]["bytes"], chosen["expected"]["bytes"]);
  EXPECT_GT(chosen["quality"]["kld"]["mean"].get<double>(), 0);
  EXPECT_TRUE(chosen["checks"].empty());
  EXPECT_TRUE(fs::exists(dir.path("out/config.json")));
}

TEST(Tune, SaysWhatCanBeReachedWhenAFloorCannot) {
  const io::TempDir dir;
  const auto refused = [&](const std::map<std::string, std::string>& changed, int code,
                           std::string_view why) {
    const Outcome outcome = tune(dir, changed, {dir.path("out")});
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
    EXPECT_FALSE(fs::exists(dir.path("out")));
  };
  refused({}, 2, "tune needs a floor");
  refused({{"--max-kld", "0"}}, 2, "must be above 0");
  refused({{"--max-kld", "-1"}}, 2, "must be above 0");
  refused({{"--max-kld", "nan"}}, 2, "must be above 0");
  refused({{"--min-top1", "1"}}, 2, "must be below 1");
  refused({{"--max-kld", "0.01"}, {"--for", "sleeping"}}, 2, "known: decode, prefill, chat");
  refused({{"--max-kld", "0.01"}, {"--minimise", "beauty"}}, 2, "time, bytes or memory");
  refused({{"--max-kld", "0.0001"}, {"--max-bytes", "5MB"}}, 4, "contradict each other");
  refused({{"--max-bytes", "1MB"}}, 4, "cannot be reached");
  refused({{"--max-kld", "1e-13"}}, 4, "the floor cannot be reached");
  refused({{"--max-kld", "0.01"}, {"--text", dir.write("tiny.txt", "two words")}}, 3,
          "fewer than one window");
  const Outcome gguf = tune(dir, {{"--max-kld", "0.01"}}, {dir.path("out.gguf")});
  EXPECT_THAT(gguf.err, HasSubstr("tune writes a directory"));
  dir.write("mine/notes.txt", "mine");
  EXPECT_THAT(tune(dir, {{"--max-kld", "0.01"}}, {dir.path("mine")}).err,
              HasSubstr("is there already"));
}

TEST(Tune, GoesOnAfterAKill) {
  const io::TempDir dir;
  const std::string out = dir.path("out");
  const std::map<std::string, std::string> options = {{"--max-kld", "0.006"}};
  const Outcome killed = tune(
      dir, options, {out}, {.kill_after = std::chrono::milliseconds(2500), .file_size_limit = {}});
  if (killed.code == -SIGKILL) {
    EXPECT_FALSE(fs::exists(out + "/config.json"));
  }
  const Outcome again = tune(dir, {{"--max-kld", "0.006"}, {"--force", ""}}, {out});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(fs::exists(out + "/farthing.tune.json"));
  for (const auto& entry : fs::directory_iterator(dir.path(".")))
    EXPECT_EQ(entry.path().filename().string().find(".candidate"), std::string::npos)
        << entry.path();
  EXPECT_EQ(farthing({"verify", out}).code, 0);
}

TEST(Tune, EndsWithASentenceWhenTheDiskIsFull) {
  const io::TempDir dir;
  const Outcome full = tune(dir, {{"--max-kld", "0.01"}, {"--no-cache", ""}}, {dir.path("out")},
                            {.kill_after = {}, .file_size_limit = 1 << 20});
  EXPECT_EQ(full.code, 5) << full.err;
  EXPECT_FALSE(fs::exists(dir.path("out")));
}

}  // namespace
}  // namespace farthing::cli
