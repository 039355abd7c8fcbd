// Matrices whose rounding costs most keep more bits.
#include <gmock/gmock.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";

Outcome compress(const std::string& out, const std::string& fallback,
                 std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"compress", kDemo,        out,     "--scheme",
                                        "w3g32",    "--samples",  "2",     "--length",
                                        "64",       "--fallback", fallback};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, {});
}

TEST(Fallback, KeepsTheCostliestMatricesWithinItsBudget) {
  const io::TempDir dir;
  const std::string json = dir.path("report.json");
  const Outcome ran = compress(dir.path("out"), "w8g32=0.1", {"--json", json});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("fallback: model.layers.0.mlp.down_proj to w8g32, cost"));
  std::ifstream file(json);
  const Json report = Json::parse(file);
  double all = 0, kept = 0;
  for (const Json& layer : report["layers"]) {
    if (layer["scheme"] == "bf16") continue;  // embedding and head
    all += layer["weights"].get<double>();
    if (layer["scheme"] == "w8g32") kept += layer["weights"].get<double>();
  }
  EXPECT_GT(kept, 0.05 * all);
  EXPECT_LE(kept, 0.1 * all);
  EXPECT_THAT(report["recipe"].get<std::string>(), HasSubstr("fallback: {to: w8g32, budget: 0.1}"));
}

TEST(Fallback, RefusesWhatIsNoShare) {
  const io::TempDir dir;
  for (const char* wrong : {"bf16=0", "bf16=1.5", "bf16=x", "bf16=", "bf17=0.1"})
    EXPECT_EQ(compress(dir.path("out"), wrong).code, 2) << wrong;
}

TEST(Fallback, RefusesAtOnceWhatTheOutputCannotHoldOrTheMemoryCannot) {
  const io::TempDir dir;
  const Outcome block = compress(dir.path("out"), "q6_k=0.1");
  EXPECT_EQ(block.code, 4) << block.err;
  EXPECT_THAT(block.err, HasSubstr("fallback: q6_k is a block type that only GGUF files have"));
  const Outcome memory = compress(dir.path("out"), "w8g32=0.1", {"--memory-limit", "20MB"});
  EXPECT_EQ(memory.code, 5) << memory.err;
  EXPECT_THAT(memory.err, HasSubstr("of memory, the limit is 20"));
  for (const Outcome* ran : {&block, &memory})
    EXPECT_THAT(ran->err, Not(HasSubstr("fallback: model.layers")));
}

// Matrices that stay BF16, as the checkpoint has them, take part in what steps fold into weights.
TEST(Fallback, KeepsTheModelThatStepsHaveRewritten) {
  const io::TempDir dir;
  const std::string json = dir.path("eval.json");
  for (const std::string method : {"smooth", "rotate+smooth"}) {
    const Outcome made =
        farthing({"compress", kDemo, dir.path("out"), "--scheme", "w8a8", "--method", method,
                  "--samples", "2", "--length", "64", "--fallback", "bf16=0.5", "--force"},
                 {});
    ASSERT_EQ(made.code, 0) << made.err;
    const Outcome ran =
        farthing({"eval", dir.path("out"), "--reference", kDemo, "--text",
                  std::string(FARTHING_SOURCE_DIR) + "/models/demo/voyage-of-the-beagle.txt",
                  "--context", "64", "--windows", "2", "--json", json},
                 {});
    ASSERT_EQ(ran.code, 0) << ran.err;
    std::ifstream file(json);
    const Json report = Json::parse(file);
    // 3e-5 and 4e-5, and 0.8 and 4 where they were copied from the checkpoint instead.
    EXPECT_LT(report["texts"].begin().value()["kld"]["mean"].get<double>(), 2e-4) << method;
  }
}

}  // namespace
}  // namespace farthing::cli
