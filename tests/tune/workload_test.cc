#include "tune/workload.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "io/mapped_file.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::tune {
namespace {

using ::testing::HasSubstr;

TEST(Workload, IsMadeShorterWhereTheModelIs) {
  const Workload rag = find_workload("rag", 1, 4096), small = find_workload("rag", 1, 272);
  EXPECT_EQ(rag.prompt, 2048);
  EXPECT_LE(small.length(), 272);
  EXPECT_GT(small.length(), 250);
  EXPECT_NEAR(static_cast<double>(small.prompt) / static_cast<double>(small.answer), 16, 0.5);
  EXPECT_EQ(find_workload("decode", 8, 0).batch, 8);
  EXPECT_EQ(find_workload("prefill", 1, 0).tokens(), 512);
  try {
    find_workload("sleep", 1, 0);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("decode, prefill, chat"));
  }
}

struct Tiny {
  Tiny()
      : model(TinyLlama{}.write(dir)),
        space(model.map, parse_alternatives("w8g32,w4g32"), parse_caches("fp16,int8"), {}),
        runtime(1) {}
  io::TempDir dir;
  OpenModel model;
  Space space;
  Runtime runtime;
};

TEST(UnitTimes, OfTheMeasuredMixAreItsOwn) {
  Tiny tiny;
  CostModel costs(tiny.runtime, "");
  UnitTimes times(tiny.space, costs, find_workload("chat", 1, 100));
  Mix mix(tiny.space.units().size(), 1), kept(tiny.space.units().size(), 0);
  times.set_rest(mix, 1, {.decode = 1, .prefill = 0.5});
  EXPECT_DOUBLE_EQ(times.pass(mix).decode, 1);
  EXPECT_DOUBLE_EQ(times.pass(mix).prefill, 0.5);
  // Another mix differs by its linears alone, which are measured and take some time.
  kept.back() = 1;
  EXPECT_NE(times.pass(kept).decode, 1);
  const Workload& w = times.workload();
  EXPECT_DOUBLE_EQ(times.milliseconds_a_token(mix),
                   1e3 * (static_cast<double>(w.answer) + 0.5 * static_cast<double>(w.prompt)) /
                       static_cast<double>(w.answer));
  const std::size_t cache = tiny.space.units().size() - 1;
  EXPECT_GT(times.memory({cache, 0}), times.memory({cache, 1}));
  EXPECT_GT(times.memory({1, 0}), times.memory({1, 2}));
}

TEST(CostModel, MeasuresOnceAndTakesADamagedFileForNone) {
  Tiny tiny;
  const std::string path = tiny.dir.path("kept/costs.json");
  const WeightScheme scheme = parse_scheme("w4g32").weights;
  const auto ask = [&](CostModel& costs) {
    return costs
        .linear({.shape = {64, 64},
                 .weights = scheme,
                 .activations = resolve_activations(scheme, nullptr)},
                1, 1e4)
        .seconds;
  };
  double first = 0;
  {
    CostModel costs(tiny.runtime, path);
    first = ask(costs);
    EXPECT_GT(first, 0);
    EXPECT_EQ(ask(costs), first);
    costs.save();
  }
  CostModel again(tiny.runtime, path);
  EXPECT_EQ(ask(again), first);
  const std::string whole = io::read_text_file(path);
  for (std::size_t cut = 0; cut < whole.size(); cut += 37) {
    tiny.dir.write("kept/costs.json", whole.substr(0, cut));
    CostModel damaged(tiny.runtime, path);  // no error
  }
  // Another machine's numbers are not taken.
  std::string foreign = whole;
  foreign.replace(foreign.find("\"threads\": 1"), 12, "\"threads\": 9");
  const std::string planted = "\"seconds\": ";
  const std::size_t at = foreign.find(planted) + planted.size();
  foreign.replace(at, foreign.find(',', at) - at, "12345");
  tiny.dir.write("kept/costs.json", foreign);
  CostModel other(tiny.runtime, path);
  EXPECT_LT(ask(other), 12345);
}

}  // namespace
}  // namespace farthing::tune
