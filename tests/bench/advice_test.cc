#include "bench/advice.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace farthing::bench {
namespace {

using ::testing::HasSubstr;

class AdviceTest : public ::testing::Test {
 protected:
  AdviceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "farthing-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "cache" / "machine.json";
  }
  ~AdviceTest() override { std::filesystem::remove_all(folder_); }

  Advice ours() {
    return {.cpu = machine_limits().cpu_name,
            .isas = runtime_.isas.names(),
            .program = program_name(),
            .threads = 1,
            .read_gb_s = 20,
            .precisions = {{"fp32", true, "vfmadd", 100}, {"bf16", false, "widened", 100}},
            .worths = {{"bf16", "fp32", "float_tiles avx2", 16, 1, 1, 0.9, 0.8},
                       {"w8g64", "int16", "code_tiles avx2", 8.25, 1.9, 1.5, 0.9, 0.8},
                       {"w8g64", "int8", "code_tiles avx2", 8.25, 2, 3, 0.9, 0.8}}};
  }
  void write(const std::string& text) {
    std::filesystem::create_directories(path_.parent_path());
    std::ofstream(path_, std::ios::binary) << text;
  }

  Runtime runtime_{1};
  std::filesystem::path folder_, path_;
};

TEST_F(AdviceTest, IsRememberedForThisProcessorAndBuild) {
  EXPECT_FALSE(remembered_advice(path_, runtime_));
  remember_advice(path_, ours());
  const auto again = remembered_advice(path_, runtime_);
  ASSERT_TRUE(again);
  EXPECT_EQ(advice_json(*again), advice_json(ours()));
}

TEST_F(AdviceTest, OfAnotherProcessorBuildOrThreadsIsIgnored) {
  for (auto change :
       {+[](Advice& a) { a.cpu = "another"; }, +[](Advice& a) { a.isas = "scalar, x"; },
        +[](Advice& a) { a.program = "older"; }, +[](Advice& a) { a.threads = 2; }}) {
    Advice other = ours();
    change(other);
    remember_advice(path_, other);
    EXPECT_FALSE(remembered_advice(path_, runtime_));
  }
  Json older = advice_json(ours());
  older["version"] = "0.0.1";
  write(older.dump());
  EXPECT_FALSE(remembered_advice(path_, runtime_));
}

TEST_F(AdviceTest, DamagedIsIgnored) {
  const std::string good = advice_json(ours()).dump();
  for (std::size_t length = 0; length < good.size(); length += 7) {
    write(good.substr(0, length));
    EXPECT_FALSE(remembered_advice(path_, runtime_)) << length;
  }
  write("[]");
  EXPECT_FALSE(remembered_advice(path_, runtime_));
  write(std::string(1 << 20, ' '));
  EXPECT_FALSE(remembered_advice(path_, runtime_));
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"schema", 2},
           {"threads", -1},
           {"threads", "two"},
           {"read_gb_s", -5},
           {"read_gb_s", nullptr},
           {"precisions", 7},
           {"worths", Json::array({1})},
           {"worths", std::vector<Json>(300, Json::object())}}) {
    Json bad = advice_json(ours());
    bad[key] = value;
    write(bad.dump());
    EXPECT_FALSE(remembered_advice(path_, runtime_)) << key << value;
  }
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(remembered_advice(path_, runtime_));
}

TEST_F(AdviceTest, ACacheThatCannotBeWrittenIsNoError) {
  remember_advice("/proc/nowhere/machine.json", ours());
  remember_advice("", ours());
}

TEST_F(AdviceTest, LiesInTheUsersCache) {
  setenv("XDG_CACHE_HOME", "/a/cache", 1);
  EXPECT_EQ(advice_path(), "/a/cache/farthing/machine.json");
  setenv("XDG_CACHE_HOME", "relative", 1);  // to be ignored, says the specification
  setenv("HOME", "/home/somebody", 1);
  EXPECT_EQ(advice_path(), "/home/somebody/.cache/farthing/machine.json");
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  EXPECT_EQ(advice_path(), "");
}

TEST_F(AdviceTest, TellsWhatTheNumbersMean) {
  const std::string text = advice_text(ours());
  EXPECT_THAT(text, HasSubstr("bf16 is widened to fp32 here"));
  EXPECT_THAT(text, HasSubstr("fastest prefill: w8g64 with int8 inputs, 3.0 times bf16"));
  EXPECT_THAT(text, HasSubstr("int16 inputs keep 95 % of the decode and 50 % of the prefill"));
}

}  // namespace
}  // namespace farthing::bench
