// What a computation runs on: the threads and the instruction sets it may use.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/cpu.h"
#include "core/shares.h"
#include "core/threads.h"

namespace farthing {

class Runtime {
 public:
  explicit Runtime(int threads = machine_limits().threads, IsaSet allowed = isas_here())
      : pool(threads), isas(allowed), shares_(threads) {}

  ThreadPool pool;
  IsaSet isas;

  // Calls body(begin, end) over [0, count) in pieces of `grain`, taken by the threads as they get
  // free. Which thread does a piece must not change its result.
  void parallel(std::int64_t count, std::int64_t grain,
                FunctionRef<void(std::int64_t, std::int64_t)> body) {
    if (count <= 0) return;
    if (count <= grain || pool.size() == 1) return body(0, count);
    std::atomic<std::int64_t> next{0};
    pool.run([&](int) {
      while (true) {
        const std::int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= count) return;
        body(begin, std::min(count, begin + grain));
      }
    });
  }

  // Calls body(begin, end) once a thread over equal contiguous shares of [0, count), each a
  // multiple of `unit` but the last: for streams that should stay one sequential read a thread.
  void parallel_shares(std::int64_t count, std::int64_t unit,
                       FunctionRef<void(std::int64_t, std::int64_t)> body) {
    if (count <= 0) return;
    const std::int64_t units = (count + unit - 1) / unit;
    if (units == 1 || pool.size() == 1) return body(0, count);
    pool.run([&](int thread) {
      const std::int64_t begin = first_of_share(units, thread, pool.size()) * unit;
      const std::int64_t end =
          std::min(count, first_of_share(units, thread + 1, pool.size()) * unit);
      if (begin < end) body(begin, end);
    });
  }

  // The same shares in pieces (shares.h): a thread that is done takes units of the others. Which
  // thread does a unit must not change its result.
  void parallel_streams(std::int64_t count, std::int64_t unit,
                        FunctionRef<void(std::int64_t, std::int64_t)> body) {
    if (count <= 0) return;
    const std::int64_t units = (count + unit - 1) / unit;
    if (units == 1 || pool.size() == 1) return body(0, count);
    shares_.deal(units);
    pool.run([&](int share) {
      shares_.work(share, [&](std::int64_t begin, std::int64_t end) {
        body(begin * unit, std::min(count, end * unit));
      });
    });
  }

 private:
  Shares shares_;
};

}  // namespace farthing
