#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "run_binary.h"

namespace farthing::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kModel = source_path("models/demo/books-llama-8m");

Ran run_one_sentence(const std::string& arguments, int code) {
  Ran ran = run_farthing(arguments);
  EXPECT_EQ(ran.code, code) << arguments << ": " << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << arguments << ": " << ran.err;
  return ran;
}

TEST(Bench, WhatCannotBeBenchedSaysWhy) {
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --threads 999", 2).err, HasSubstr("999"));
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --isa sve", 2).err, HasSubstr("scalar"));
  EXPECT_THAT(
      run_one_sentence("bench --shape llama-2-7b --scheme fp32 --head fp32 --prompt 0", 2).err,
      HasSubstr("--prompt"));
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --prompt 999999999999", 2).err,
              HasSubstr("context"));
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --prompt 99999999999999999999", 2).err,
              HasSubstr("context"));
  EXPECT_THAT(
      run_one_sentence("bench " + kModel + " --prompt 16 --batch 9223372036854775807", 5).err,
      HasSubstr("GB"));
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --scenario poem", 2).err, HasSubstr("rag"));
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --machine", 2).err, HasSubstr("--machine"));
  EXPECT_THAT(run_one_sentence("bench --machine --only linear", 2).err, HasSubstr("--kernels"));
  EXPECT_THAT(run_one_sentence("bench --kernels --isa scalar --only w4g63", 2).err,
              HasSubstr("w4g63"));
  run_one_sentence("bench --compare /nonexistent/a.json /nonexistent/b.json", 3);
  run_one_sentence("bench --compare /dev/null " + kModel + "/config.json", 3);
  run_one_sentence("inspect " + kModel + " --machine", 2);
}

TEST(Bench, JsonHoldsWhatTheContractPromises) {
  const Ran ran = run_farthing("bench " + kModel +
                               " --prompt 16 --generate 2 --repeats 2 --threads 1 --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json result = json::parse(ran.out);
  EXPECT_EQ(result.at("schema"), 1);
  EXPECT_EQ(result.at("machine").at("threads"), 1);
  EXPECT_GT(result.at("machine").at("read_gb_s"), 0);
  for (const char* peak : {"int8_gop_s", "bf16_gflop_s", "fp32_gflop_s"})
    EXPECT_GT(result.at("machine").at("peaks").at(peak), 0) << peak;
  ASSERT_EQ(result.at("rows").size(), 2u);
  const json& row = result.at("rows").at(1);
  EXPECT_EQ(row.at("test"), "tg2");
  for (const char* name : {"scheme", "activations", "kv", "kernel", "isa"})
    EXPECT_NE(row.at(name), "") << name;
  EXPECT_EQ(row.at("batch"), 1);
  EXPECT_EQ(row.at("context"), 0);
  for (const char* name : {"median", "min", "max"}) EXPECT_GT(row.at("tokens_per_s").at(name), 0);
  for (const char* name : {"gb_s", "gop_s", "share_of_roof"}) EXPECT_GT(row.at(name), 0) << name;
  EXPECT_TRUE(row.at("bound") == "memory" || row.at("bound") == "compute");
  EXPECT_GT(result.at("load_s"), 0);
  EXPECT_GT(result.at("resident_bytes"), 1'000'000);
  EXPECT_GT(result.at("peak_rss_bytes"), result.at("resident_bytes"));

  Folder folder;
  std::ofstream(folder / "a.json") << ran.out;
  const std::string path = (folder / "a.json").string();
  const Ran same = run_farthing("bench --compare " + path + " " + path);
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("same within noise"));
}

TEST(Bench, SizesThatNobodyAskedForFitTheContext) {
  const Ran ran = run_farthing("bench " + kModel + " --repeats 1 --threads 1 --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json rows = json::parse(ran.out).at("rows");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(0).at("test"), "pp256");
  EXPECT_EQ(rows.at(1).at("test"), "tg128");
  EXPECT_THAT(run_one_sentence("bench " + kModel + " --prompt 512", 2).err, HasSubstr("context"));
}

TEST(Bench, OnlyKernelsThatAreAskedForAreTimed) {
  const Ran ran = run_farthing(
      "bench --kernels --isa scalar --only 'linear 8,w4g64' --repeats 1 --threads 1 --json -");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json rows = json::parse(ran.out).at("rows");
  EXPECT_GE(rows.size(), 2u);  // with every mode of activations
  for (const json& row : rows) {
    EXPECT_EQ(row.at("test"), "linear 8");
    EXPECT_EQ(row.at("scheme"), "w4g64");
  }
}

// What is remembered is printed without measuring: for this executable, by its size and time.
TEST(InspectMachine, PrintsWhatIsRemembered) {
  struct stat status{};
  ASSERT_EQ(stat(FARTHING_BINARY, &status), 0);
  char program[96];
  std::snprintf(program, sizeof program, "%lld bytes of %lld.%09ld",
                static_cast<long long>(status.st_size),
                static_cast<long long>(status.st_mtim.tv_sec), status.st_mtim.tv_nsec);
  std::string cpu = "unknown processor", version = run_farthing("--version").out;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) cpu = line.substr(line.find(": ") + 2);
  version = version.substr(9, version.size() - 10);
  const json advice = {{"schema", 1},
                       {"version", version},
                       {"program", program},
                       {"cpu", cpu},
                       {"isas", "scalar"},
                       {"threads", 1},
                       {"read_gb_s", 12.5},
                       {"precisions", json::array()},
                       {"worths", json::array()}};
  Folder folder;
  std::filesystem::create_directories(folder / "farthing");
  std::ofstream(folder / "farthing/machine.json") << advice.dump();
  ASSERT_EQ(setenv("XDG_CACHE_HOME", folder.path().c_str(), 1), 0);
  const Ran ran = run_farthing("inspect --machine --isa scalar --threads 1");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("reads 12.5 GB/s"));
  EXPECT_EQ(ran.err, "");  // nothing was measured
}

}  // namespace
}  // namespace farthing::testing
