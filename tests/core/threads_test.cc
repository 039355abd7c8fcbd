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

TEST(Runtime, StreamsVisitEveryIndexOnceInWholeUnits) {
  for (int threads : {1, 2, 3, 8}) {
    Runtime runtime(threads);
    for (std::int64_t count : {0, 1, 4, 5, 63, 64, 65, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
      for (int round = 0; round < 50; ++round)
        runtime.parallel_streams(count, 4, [&](std::int64_t a, std::int64_t b) {
          ASSERT_LT(a, b);
          EXPECT_EQ(a % 4, 0);
          EXPECT_TRUE(b % 4 == 0 || b == count);
          for (; a < b; ++a) ++seen[static_cast<std::size_t>(a)];
        });
      for (const auto& times : seen) ASSERT_EQ(times, 50);
    }
  }
}

TEST(Runtime, StreamsOfAThreadThatIsHeldUpAreTakenOver) {
  Runtime runtime(2);
  std::atomic<std::int64_t> done{0};
  runtime.parallel_streams(64, 1, [&](std::int64_t a, std::int64_t b) {
    // Whoever begins the first share goes on only when nothing but its own piece is left.
    if (a == 0)
      while (done != 64 - b) std::this_thread::yield();
    done += b - a;
  });
  EXPECT_EQ(done, 64);
}

TEST(Shares, AShareIsReadFromItsFrontAndHelpedFromItsEnd) {
  Shares shares(2);
  shares.deal(16);
  using Pieces = std::vector<std::pair<std::int64_t, std::int64_t>>;
  Pieces pieces;
  shares.work(1, [&](auto a, auto b) { pieces.emplace_back(a, b); });
  EXPECT_EQ(pieces, (Pieces{{8, 12}, {12, 14}, {14, 15}, {15, 16},  // its own
                            {4, 8}, {2, 4}, {1, 2}, {0, 1}}));      // the other's
  pieces.clear();
  shares.work(0, [&](auto a, auto b) { pieces.emplace_back(a, b); });
  EXPECT_TRUE(pieces.empty());
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
