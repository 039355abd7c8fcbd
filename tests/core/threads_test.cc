#include "core/threads.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/error.h"
#include "core/runtime.h"

namespace farthing {
namespace {

TEST(ThreadPool, RunsEveryThreadOnceManyTimes) {
  ThreadPool pool(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<int> calls(3, 0);
    pool.run([&](int thread) { ++calls[static_cast<std::size_t>(thread)]; });
    ASSERT_EQ(calls, (std::vector<int>{1, 1, 1}));
  }
}

TEST(ThreadPool, ThrowsAgainWhatAWorkerThrew) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.run([](int thread) {
    if (thread == 1) bad_input("worker {}", thread);
  }),
               Error);
  int calls = 0;
  pool.run([&](int thread) {
    if (thread == 0) ++calls;
  });  // the pool still works
  EXPECT_EQ(calls, 1);
}

TEST(Runtime, ParallelVisitsEveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    Runtime runtime(threads);
    for (std::int64_t count : {0, 1, 7, 100, 1001}) {
      std::vector<int> seen(static_cast<std::size_t>(count), 0);
      runtime.parallel(count, 8, [&](std::int64_t a, std::int64_t b) {
        for (; a < b; ++a) ++seen[static_cast<std::size_t>(a)];
      });
      runtime.parallel_shares(count, 16, [&](std::int64_t a, std::int64_t b) {
        for (; a < b; ++a) ++seen[static_cast<std::size_t>(a)];
      });
      EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), std::int64_t{0}), 2 * count);
      for (int times : seen) ASSERT_EQ(times, 2);
    }
  }
}

TEST(Isa, AnUnknownNameListsWhatCanRun) {
  try {
    choose_isas("sve", isas_here());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUsage);
    EXPECT_NE(std::string(error.what()).find("scalar"), std::string::npos);
  }
}

}  // namespace
}  // namespace farthing
