#include "bench/row.h"

#include "core/error.h"

namespace farthing::bench {

void alternate(RoofProbe& roof, int repeats, const Progress& progress,
               const std::function<Timed()>& test, Row& row) {
  Timed last;
  for (int i = 0; i < repeats; ++i) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    // The machine moves while a long test runs: its roof is that before and after.
    const auto before = i == 0 ? test().work : last.work;  // the first run warms up
    const Roofs first = roof.now(before);
    last = test();
    const Roofs second = roof.now(last.work);
    const double least =
        (least_time(last.work, first).seconds() + least_time(last.work, second).seconds()) / 2;
    row.speeds.push_back(last.tokens / last.seconds);
    row.shares.push_back(least / last.seconds);
  }
  row.tokens_per_s = spread_of(row.speeds);
  row.share_of_roof = median(row.shares);
  const double seconds = last.tokens / row.tokens_per_s.median;
  row.gb_s = last.work.bytes / seconds / 1e9;
  row.gop_s = last.work.all_operations() / seconds / 1e9;
  row.memory_bound = least_time(last.work, roof.best()).memory_bound();
}

}  // namespace farthing::bench
