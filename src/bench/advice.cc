#include "bench/advice.h"

#include <algorithm>
#include <memory>

#include "bench/kernel_bench.h"
#include "core/error.h"
#include "formats/quant_scheme.h"

namespace farthing::bench {
namespace {

struct Case {
  std::string_view scheme;
  ActivationMode mode;
};
// BF16 first: the others are measured against it.
constexpr Case kCases[] = {
    {"bf16", ActivationMode::kF32},    {"bf16", ActivationMode::kBf16},
    {"fp16", ActivationMode::kF32},    {"fp32", ActivationMode::kF32},
    {"w8g64", ActivationMode::kF32},   {"w8g64", ActivationMode::kInt16},
    {"w8g64", ActivationMode::kInt8},  {"w4g64", ActivationMode::kF32},
    {"w4g64", ActivationMode::kInt16}, {"w4g64", ActivationMode::kInt8},
    {"w4g32", ActivationMode::kInt8},  {"nf4g64", ActivationMode::kF32},
    {"mxfp4", ActivationMode::kInt8},
};

Precision precision_of(std::span<const PeakSpeed> peaks, ActivationMode mode, Arithmetic own) {
  const ModePeak peak = peak_of(peaks, mode);
  const bool native = peak.speed.roof.arithmetic == own && peak.speed.isa != Isa::kScalar;
  std::string method(peak.speed.roof.method);
  if (peak.passes > 1) method += ", in two passes of bytes";
  if (mode == ActivationMode::kBf16 && !native) method += ", widened to fp32";
  return {std::string(activation_name(mode)), native, method, peak.gop_s()};
}

// The best of some runs in turn, so that a slow moment meets all alike.
struct Measured {
  std::unique_ptr<LinearCase> test;
  double decode = 0, prefill = 0;                   // tokens a second
  std::vector<double> decode_share, prefill_share;  // an alternation each
};

void measure_round(Runtime& runtime, RoofProbe& roof, Measured& m) {
  const auto once = [&](std::int64_t tokens, std::int64_t copies, double& best,
                        std::vector<double>& shares) {
    const Timed timed = m.test->run(runtime, tokens, copies);
    best = std::max(best, timed.tokens / timed.seconds);
    shares.push_back(least_time(timed.work, roof.now(timed.work)).seconds() / timed.seconds);
  };
  once(1, m.test->copies(), m.decode, m.decode_share);
  once(256, 1, m.prefill, m.prefill_share);
}

}  // namespace

Advice measure_advice(Runtime& runtime, Progress& progress) {
  Advice advice{.cpu = machine_limits().cpu_name,
                .isas = runtime.isas.names(),
                .program = program_name(),
                .threads = runtime.pool.size(),
                .read_gb_s = 0,
                .precisions = {},
                .worths = {}};
  RoofProbe roof(runtime);
  constexpr int kRounds = 7;
  const std::size_t bytes = probe_bytes() / 4;
  std::int64_t done = 0;
  double decode = 1, prefill = 1;
  for (const Case& c : kCases) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    Measured m;
    m.test = std::make_unique<LinearCase>(runtime, c.scheme, c.mode, bytes);
    measure_round(runtime, roof, m);  // warms up
    for (int round = 0; round < kRounds; ++round) measure_round(runtime, roof, m);
    if (done++ == 0) decode = m.decode, prefill = m.prefill;
    advice.worths.push_back({.scheme = std::string(c.scheme),
                             .activations = std::string(activation_name(c.mode)),
                             .kernel = std::string(m.test->kernel()),
                             .bits = m.test->bits_per_weight(),
                             .decode = m.decode / decode,
                             .prefill = m.prefill / prefill,
                             .decode_share = median(m.decode_share),
                             .prefill_share = median(m.prefill_share)});
    progress.update("schemes", done, std::ssize(kCases));
  }
  advice.read_gb_s = roof.best().read_gb_s;
  const std::vector<PeakSpeed> peaks = measure_peaks(runtime);
  advice.precisions = {precision_of(peaks, ActivationMode::kF32, Arithmetic::kFp32),
                       precision_of(peaks, ActivationMode::kBf16, Arithmetic::kBf16),
                       precision_of(peaks, ActivationMode::kInt16, Arithmetic::kInt16),
                       precision_of(peaks, ActivationMode::kInt8, Arithmetic::kInt8)};
  return advice;
}

}  // namespace farthing::bench
