#include <gmock/gmock.h>

#include "run_binary.h"

namespace farthing::testing {
namespace {

using ::testing::HasSubstr;

const std::string kModel = source_path("models/demo/books-llama-8m");

TEST(CommandLine, HelpGoesToStandardOutputAndListsTheVerbs) {
  const Ran ran = run_farthing("--help");
  EXPECT_EQ(ran.code, 0);
  for (const char* verb : {"inspect", "chat", "generate", "calibrate", "compress", "eval", "bench",
                           "report", "logits", "tokenize", "render"}) {
    EXPECT_THAT(ran.out, HasSubstr(std::string("\n  ") + verb)) << verb;
    EXPECT_EQ(run_farthing(std::string(verb) + " --help").code, 0) << verb;
  }
}

TEST(CommandLine, UsageErrorsExitWith2AndOneSentence) {
  for (const char* arguments :
       {"", "bnch", "inspect", "inspect a --nonsense", "eval m --text t --convention nonsense",
        "eval m --text t --bos perhaps", "logits m --tokens 1,x --out f",
        "logits m --tokens -1 --out f", "bench", "bench --shape gpt-9",
        "generate m --prompt x --threads 100000", "generate m --prompt x --isa sve",
        "generate m --prompt x --activations int5", "generate m --prompt x --kv int9"}) {
    const Ran ran = run_farthing(arguments);
    EXPECT_EQ(ran.code, 2) << arguments << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_THAT(ran.err, HasSubstr("farthing: ")) << arguments;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << arguments << ": " << ran.err;
  }
}

TEST(CommandLine, ANumberOutOfRangeNamesTheRuleAndWhatWasFound) {
  const std::pair<const char*, const char*> cases[] = {
      {"eval m --text t --windows 0", "--windows: must be above 0; got 0;"},
      {"eval m --text t --windows many", "--windows: must be above 0; got many;"},
      {"generate m --prompt x --seed -1", "--seed: must be 0 or more; got -1;"},
      {"tune m o --batch 600", "--batch: must be from 1 to 512; got 600;"},
      {"bench m --prompt 1,x", "--prompt = 1,x is not a value of that option;"}};
  for (const auto& [arguments, sentence] : cases) {
    const Ran ran = run_farthing(arguments);
    EXPECT_EQ(ran.code, 2) << arguments;
    EXPECT_THAT(ran.err, HasSubstr(sentence));
  }
}

TEST(CommandLine, BadInputExitsWith3) {
  for (const std::string& arguments :
       std::vector<std::string>{"inspect /nonexistent/model", "generate /dev/null --prompt x",
                                "eval " + kModel + " --text /nonexistent.txt",
                                "eval " + kModel + " --text " + kModel + "/model.safetensors",
                                "logits " + kModel + " --tokens 1,4096 --out /dev/null",
                                "logits " + kModel + " --tokens 1 --out /nonexistent/x.npy"}) {
    const Ran ran = run_farthing(arguments);
    EXPECT_EQ(ran.code, 3) << arguments << ": " << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST(CommandLine, AForcedInstructionSetThatIsUnknownListsTheOthers) {
  EXPECT_THAT(run_farthing("bench --machine --isa nonsense").err, HasSubstr("scalar"));
}

TEST(CommandLine, JsonToStandardOutputIsNothingButJson) {
  const Ran ran = run_farthing("inspect " + kModel + " --json -");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out.front(), '{');
  EXPECT_THAT(ran.out, HasSubstr("\"kv_bytes_per_token\""));
}

}  // namespace
}  // namespace farthing::testing
