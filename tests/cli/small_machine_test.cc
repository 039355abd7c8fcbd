// A quantised model runs where memory is scarce. An address space of 64 MB holds the program, its
// libraries, the mapped file, the packed weights, the tokenizer and the stacks: resident memory is
// less.
#include <gmock/gmock.h>

#include "run_binary.h"
#include "tests/sanitizers.h"

namespace farthing::testing {
namespace {

using ::testing::HasSubstr;

const std::string kModel = source_path("models/demo/books-llama-8m");

// As run_farthing(), with at most so many kB of address space.
Ran run_within(int kilobytes, const std::string& arguments) {
  const Folder folder;
  const std::string command = "ulimit -v " + std::to_string(kilobytes) + "; exec " +
                              FARTHING_BINARY + " " + arguments + " > " +
                              (folder / "out").string() + " 2> " + (folder / "err").string();
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          read_file(folder / "out"), read_file(folder / "err")};
}

TEST(SmallMachine, AQuantisedModelOfEightMillionWeightsGeneratesWithin64Megabytes) {
  if (kShadowMemory) GTEST_SKIP() << "needs a build without sanitizers";
  const Folder folder;
  const std::string out = (folder / "small").string();
  const Ran made =
      run_farthing("compress " + kModel + " " + out + " --scheme w4g64 --method minmax --quiet");
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string generate =
      "generate " + out + " --prompt 'The ship' --max-tokens 24 --greedy --quiet --threads 1";
  const Ran free = run_farthing(generate);
  const Ran bound = run_within(64'000'000 / 1024, generate);
  EXPECT_EQ(bound.code, 0) << bound.err;
  EXPECT_EQ(bound.out, free.out);
  EXPECT_GT(bound.out.size(), 20u);
}

TEST(SmallMachine, TooLittleMemoryIsSaidInASentence) {
  if (kShadowMemory) GTEST_SKIP() << "needs a build without sanitizers";
  // Enough to start, not enough for the file of 21 MB and its weights.
  const Ran ran =
      run_within(40'000, "generate " + kModel + " --prompt 'The ship' --max-tokens 4 --threads 1");
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("memory"));
}

}  // namespace
}  // namespace farthing::testing
