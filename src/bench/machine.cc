#include "bench/machine.h"

#include <algorithm>
#include <numeric>

namespace farthing::bench {
namespace {

Roofs roofs_of(double read_gb_s, const std::vector<PeakSpeed>& peaks) {
  Roofs roofs{.read_gb_s = read_gb_s};
  for (ActivationMode mode : kModes) roofs.gop_s[index(mode)] = peak_of(peaks, mode).gop_s();
  return roofs;
}

std::vector<int> thread_counts(int all) {
  std::vector<int> counts;
  for (int n = 1; n < all; n *= 2) counts.push_back(n);
  counts.push_back(all);
  return counts;
}

// Of all patterns, the best of each instruction set and kind of page.
std::vector<ReadRow> best_of_each(const ReadProbe& probe, int threads) {
  std::vector<ReadRow> rows;
  for (const ReadSpeed& speed : probe.tried()) {
    const auto same = std::ranges::find_if(rows, [&](const ReadRow& row) {
      return row.speed.pattern.isa == speed.pattern.isa &&
             row.speed.pattern.huge_pages == speed.pattern.huge_pages;
    });
    if (same == rows.end())
      rows.push_back({threads, speed});
    else if (speed.gb_s > same->speed.gb_s)
      same->speed = speed;
  }
  std::ranges::max_element(rows, {}, [](const ReadRow& row) { return row.speed.gb_s; })->best =
      true;
  return rows;
}

}  // namespace

double Work::all_operations() const {
  return std::accumulate(operations.begin(), operations.end(), 0.0);
}

Work& Work::operator+=(const Work& other) {
  bytes += other.bytes;
  for (std::size_t i = 0; i < operations.size(); ++i) operations[i] += other.operations[i];
  return *this;
}

Work Work::times(double factor) const {
  Work result = *this;
  result.bytes *= factor;
  for (double& count : result.operations) count *= factor;
  return result;
}

LeastTime least_time(const Work& work, const Roofs& roofs) {
  LeastTime least;
  if (work.bytes > 0) least.memory = work.bytes / roofs.read_gb_s / 1e9;
  for (ActivationMode mode : kModes)
    if (work.operations[index(mode)] > 0)
      least.compute += work.operations[index(mode)] / roofs.peak(mode) / 1e9;
  return least;
}

RoofProbe::RoofProbe(Runtime& runtime) : runtime_(runtime), read_(runtime) {
  const std::vector<PeakSpeed> peaks = measure_peaks(runtime);
  for (ActivationMode mode : kModes) peaks_[index(mode)] = peak_of(peaks, mode);
  best_ = roofs_of(read_.best().gb_s, peaks);
}

Roofs RoofProbe::now(const Work& work) {
  Roofs roofs = best_;
  if (work.bytes > 0) {
    roofs.read_gb_s = read_.gb_per_s();
    best_.read_gb_s = std::max(best_.read_gb_s, roofs.read_gb_s);
  }
  for (ActivationMode mode : kModes) {
    const std::size_t i = index(mode);
    if (work.operations[i] <= 0) continue;
    roofs.gop_s[i] = gop_per_s(runtime_, peaks_[i]);
    best_.gop_s[i] = std::max(best_.gop_s[i], roofs.gop_s[i]);
  }
  return roofs;
}

Survey survey_machine(Runtime& runtime, Progress& progress) {
  Survey survey{.reads = {}, .peaks = {}, .probe_bytes = probe_bytes(), .roofs = {}};
  const std::vector<int> counts = thread_counts(runtime.pool.size());
  std::int64_t done = 0;
  for (int threads : counts) {
    Runtime some(threads, runtime.isas);
    for (const ReadRow& row : best_of_each(ReadProbe(some), threads)) survey.reads.push_back(row);
    const std::vector<PeakSpeed> peaks = measure_peaks(some);
    for (const PeakSpeed& peak : peaks) survey.peaks.push_back({threads, peak});
    const auto best = std::ranges::find_if(
        survey.reads, [&](const ReadRow& row) { return row.threads == threads && row.best; });
    survey.roofs = roofs_of(best->speed.gb_s, peaks);
    progress.update("numbers of threads", ++done, std::ssize(counts));
  }
  return survey;
}

}  // namespace farthing::bench
