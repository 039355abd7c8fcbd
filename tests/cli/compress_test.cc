// farthing compress as a user meets it: exit codes, kills, full disks.
#include <gmock/gmock.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;

Outcome compress(const std::string& model, const std::string& out,
                 std::vector<std::string> more = {"--scheme", "w4g32"},
                 ProcessOptions options = {}) {
  std::vector<std::string> arguments = {"compress", model, out, "--threads", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, options);
}

// One sentence on standard error, nothing on standard output.
void expect_refusal(const Outcome& outcome, int code, const std::string& text) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(text));
  EXPECT_EQ(outcome.out, "");
  const std::size_t sentence = outcome.err.find("farthing: ");
  ASSERT_NE(sentence, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n', sentence), outcome.err.size() - 1) << outcome.err;
}

TEST(CompressVerb, PrintsATableAndItsTwin) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const Outcome table = compress(model, dir.path("a"));
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("w4g32 x int8"));
  EXPECT_THAT(table.out, HasSubstr("bits/weight"));
  EXPECT_THAT(table.err, HasSubstr("of memory"));

  const Outcome twin = compress(model, dir.path("b"), {"--scheme", "w8g32", "--json", "-"});
  const Json json = parse_json(twin.out, "--json");
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["quant_method"], "compressed-tensors");
  EXPECT_EQ(json["layers"].size(), 23u);
  EXPECT_NEAR(json["bits_per_weight"].get<double>(), 8.5, 0.1);
  EXPECT_GT(json["mean_error"].get<double>(), 0);
  EXPECT_LT(json["mean_error"].get<double>(), 1e-3);
}

TEST(CompressVerb, AWishForIntegersLeavesAFloatHeadAsItIsButNotFloatBlocks) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir), small = dir.path("small");
  ASSERT_EQ(compress(model, small, {"--scheme", "w8g32"}).code, 0);
  const auto logits = [&](const std::string& of, const std::string& out) {
    return farthing(
        {"logits", of, "--tokens", "1,2,3", "--activations", "int8", "--out", dir.path(out)});
  };
  EXPECT_EQ(logits(small, "a.npy").code, 0) << logits(small, "a.npy").err;
  const Outcome floats = logits(model, "b.npy");
  EXPECT_EQ(floats.code, 4);
  EXPECT_THAT(floats.err, HasSubstr("with int8 activations; choose another --activations"));
}

TEST(CompressVerb, RulesEndsAndRecipesAgree) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const Outcome flags =
      compress(model, dir.path("flags"),
               {"--scheme", "w4g32", "--layers", "re:.*down_proj$=w8g32", "--layers",
                "model.layers.0.self_attn.q_proj=bf16", "--head", "w8g32", "--embedding", "w8c",
                "--method", "minmax", "--activations", "int16", "--kv", "int8", "--seed", "3"});
  ASSERT_EQ(flags.code, 0) << flags.err;
  const std::string recipe = dir.write("r.yaml", R"(
model: )" + model + R"(
layers:
  - {match: "re:.*", scheme: w4g32}
  - {match: "re:.*down_proj$", scheme: w8g32}
  - {match: model.layers.0.self_attn.q_proj, scheme: bf16}
  - {match: model.embed_tokens, scheme: w8c}
  - {match: lm_head, scheme: w8g32}
steps:
  - rtn: {range: minmax}
activations: int16
kv: int8
seed: 3
)");
  const Outcome written = farthing({"compress", dir.path("written"), "--recipe", recipe});
  ASSERT_EQ(written.code, 0) << written.err;
  EXPECT_EQ(files_of(dir.path("flags")), files_of(dir.path("written")));
}

TEST(CompressVerb, KilledAtAnyMomentItGoesOnToTheSameBytes) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const std::vector<std::string> options = {"--scheme", "w4g32", "--shard-size", "1"};
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(compress(model, dir.path("whole"), options).code, 0);
  const auto whole_time = std::chrono::steady_clock::now() - start;
  const auto whole = files_of(dir.path("whole"));
  constexpr int kKills = 20;
  int killed = 0;
  for (int i = 0; i < kKills; ++i) {
    const std::string out = dir.path("out" + std::to_string(i));
    const auto moment =
        std::chrono::duration_cast<std::chrono::microseconds>(whole_time) * i / kKills;
    const Outcome first =
        compress(model, out, options, {.kill_after = moment, .file_size_limit = {}});
    killed += first.code == -SIGKILL ? 1 : 0;
    if (io::file_exists(out)) {
      EXPECT_EQ(files_of(out), whole) << "killed after " << moment.count() << " us";
      continue;
    }
    const Outcome second = compress(model, out, options);
    ASSERT_EQ(second.code, 0) << second.err;
    ASSERT_EQ(files_of(out), whole) << "killed after " << moment.count() << " us";
    EXPECT_FALSE(io::file_exists(out + ".partial"));
  }
  EXPECT_GT(killed, kKills / 3);
}

TEST(CompressVerb, AFullDiskLeavesNothingBrokenAndTheSameCommandGoesOn) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const std::string out = dir.path("out");
  const Outcome full =
      compress(model, out, {"--scheme", "w8g32"}, {.kill_after = {}, .file_size_limit = 20'000});
  expect_refusal(full, 5, "out.partial/files/model.safetensors");
  EXPECT_FALSE(io::file_exists(out));
  const Outcome again = compress(model, out, {"--scheme", "w8g32"});
  EXPECT_EQ(again.code, 0) << again.err;
  ASSERT_EQ(compress(model, dir.path("whole"), {"--scheme", "w8g32"}).code, 0);
  EXPECT_EQ(files_of(out), files_of(dir.path("whole")));
}

TEST(CompressVerb, ForceReplacesAnArtefactAndNothingElse) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const std::string out = dir.path("out");
  ASSERT_EQ(compress(model, out).code, 0);
  expect_refusal(compress(model, out, {"--scheme", "w8g32"}), 2, "--force");
  EXPECT_EQ(compress(model, out, {"--scheme", "w8g32", "--force"}).code, 0);
  EXPECT_EQ(OpenModel(out).checkpoint->matrix("model.layers.0.mlp.up_proj")->scheme.bits, 8);
  dir.write("mine/notes.txt", "precious");
  expect_refusal(compress(model, dir.path("mine"), {"--scheme", "w8g32", "--force"}), 2,
                 "was not written by Farthing");
  EXPECT_TRUE(io::file_exists(dir.path("mine/notes.txt")));
}

TEST(CompressVerb, SaysInOneSentenceWhatIsWrong) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const std::string out = dir.path("out");
  expect_refusal(compress(model, out, {}), 2, "needs --preset");
  expect_refusal(compress(model, out, {"--scheme", "w4g46"}), 2, "unknown scheme");
  expect_refusal(compress(model, out, {"--scheme", "w4g32", "--method", "magic"}), 2,
                 "known: rtn, search, shrink, minmax, hqq");
  expect_refusal(compress(model, out, {"--layers", "lm_hed=w8g32"}), 2, "did you mean lm_head?");
  expect_refusal(compress(model, out, {"--layers", "re:(=w8g32"}), 3, "--layers");
  expect_refusal(compress(model, out, {"--scheme", "w4g32", "--kv", "int3"}), 2, "--kv");
  expect_refusal(compress(model, out, {"--scheme", "w4g32", "--memory-limit", "lots"}), 2,
                 "must be a size like 8GB");
  expect_refusal(compress(model, out, {"--scheme", "w4g32", "--memory-limit", "1MB"}), 5,
                 "raise --memory-limit");
  expect_refusal(compress(model, model + "/out"), 2, "lies inside the model");
  expect_refusal(compress(model, dir.write("file", "x")), 2, "is there already");
  expect_refusal(compress(model, dir.path("no/such/place")), 3, "No such file");
  std::filesystem::create_directory(dir.path("empty"));
  expect_refusal(compress(dir.path("empty"), out), 3, "has no config.json");
  expect_refusal(compress(dir.path("nowhere"), out), 3, "there is no such file");
  expect_refusal(farthing({"compress", out, "--scheme", "w4g32"}), 2, "needs MODEL and OUT");
  expect_refusal(farthing({"compress", model, out, "--recipe", dir.path("no.yaml")}), 3, "no.yaml");
  EXPECT_FALSE(io::file_exists(out));
  ASSERT_EQ(compress(model, out).code, 0);
  expect_refusal(compress(out, dir.path("twice")), 4, "is compressed already");
}

TEST(CompressVerb, APlaceThatMayNotBeWrittenIsNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  std::filesystem::create_directory(dir.path("locked"));
  std::filesystem::permissions(dir.path("locked"), std::filesystem::perms::owner_read);
  expect_refusal(compress(model, dir.path("locked/out")), 3, "locked");
  std::filesystem::permissions(dir.path("locked"), std::filesystem::perms::owner_all);
}

}  // namespace
}  // namespace farthing::cli
