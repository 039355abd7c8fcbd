#include "bench/machine.h"

#include <algorithm>

namespace farthing::bench {
namespace {

Roofs roofs_of(double read_gb_s, const std::vector<PeakSpeed>& peaks) {
  Roofs roofs{.read_gb_s = read_gb_s};
  const auto raise = [](double& roof, double to) { roof = std::max(roof, to); };
  for (const PeakSpeed& peak : peaks) switch (peak.roof.arithmetic) {
      case Arithmetic::kFp32:
        raise(roofs.fp32_gflop_s, peak.gop_s);
        raise(roofs.bf16_gflop_s, peak.gop_s);  // widened
        break;
      case Arithmetic::kBf16:
        raise(roofs.bf16_gflop_s, peak.gop_s);
        break;
      case Arithmetic::kInt16:
        raise(roofs.int16_gop_s, peak.gop_s);
        break;
      case Arithmetic::kInt8:
        raise(roofs.int8_gop_s, peak.gop_s);
        raise(roofs.int16_gop_s, peak.gop_s / 2);  // two planes
        break;
    }
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

double Roofs::peak(ActivationMode mode) const {
  switch (mode) {
    case ActivationMode::kInt8:
      return int8_gop_s;
    case ActivationMode::kInt16:
      return int16_gop_s;
    case ActivationMode::kBf16:
      return bf16_gflop_s;
    case ActivationMode::kF32:
      return fp32_gflop_s;
  }
  return fp32_gflop_s;
}

Roofs measure_roofs(Runtime& runtime) {
  const double read = ReadProbe(runtime).best().gb_s;
  return roofs_of(read, measure_peaks(runtime));
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
