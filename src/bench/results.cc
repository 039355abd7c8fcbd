#include "bench/results.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "bench/table.h"
#include "core/text.h"

namespace farthing::bench {
namespace {

std::string_view unit_name(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kFp32:
      return "fp32";
    case Arithmetic::kBf16:
      return "bf16";
    case Arithmetic::kInt16:
      return "int16";
    case Arithmetic::kInt8:
      return "int8";
  }
  return "";
}

std::string_view bound_name(const Row& row) { return row.memory_bound ? "memory" : "compute"; }
// Weights that were read faster than memory can be.
bool came_from_caches(const Row& row) { return row.memory_bound && row.share_of_roof > 1.1; }

std::string reads_text(const Survey& survey) {
  double best = 0;
  for (const ReadRow& row : survey.reads) best = std::max(best, row.speed.gb_s);
  Table table({{"threads"}, {"GB/s"}, {"", false}, {"", false}, {"pattern", false}});
  for (const ReadRow& row : survey.reads)
    table.add({std::to_string(row.threads), fmt::format("{:.1f}", row.speed.gb_s),
               bar(row.speed.gb_s / best), row.best ? "best" : "", row.speed.pattern.name()});
  return table.text();
}

std::string peaks_text(const Survey& survey) {
  double best = 0;
  for (const PeakRow& row : survey.peaks) best = std::max(best, row.speed.gop_s);
  Table table({{"threads"}, {"isa", false}, {"", false}, {"GOP/s"}, {"", false}, {"by", false}});
  for (const PeakRow& row : survey.peaks)
    table.add({std::to_string(row.threads), std::string(isa_name(row.speed.isa)),
               std::string(unit_name(row.speed.roof.arithmetic)),
               fmt::format("{:.0f}", row.speed.gop_s), bar(row.speed.gop_s / best),
               std::string(row.speed.roof.method)});
  return table.text();
}

}  // namespace

Json machine_json(const Runtime& runtime, const Roofs& roofs) {
  return {{"cpu", machine_limits().cpu_name},
          {"isa", isa_name(runtime.isas.best())},
          {"threads", runtime.pool.size()},
          {"read_gb_s", roofs.read_gb_s},
          {"peaks",
           {{"int8_gop_s", roofs.peak(ActivationMode::kInt8)},
            {"int16_gop_s", roofs.peak(ActivationMode::kInt16)},
            {"bf16_gflop_s", roofs.peak(ActivationMode::kBf16)},
            {"fp32_gflop_s", roofs.peak(ActivationMode::kF32)}}}};
}

std::string machine_line(const Runtime& runtime, const Roofs& roofs) {
  return fmt::format(
      "# {} | {} | {} thread{} | read {:.1f} GB/s, int8 {:.0f} GOP/s, int16 {:.0f} GOP/s, bf16 "
      "{:.0f} GFLOP/s, fp32 {:.0f} GFLOP/s (measured)\n",
      machine_limits().cpu_name, isa_name(runtime.isas.best()), runtime.pool.size(),
      runtime.pool.size() == 1 ? "" : "s", roofs.read_gb_s, roofs.peak(ActivationMode::kInt8),
      roofs.peak(ActivationMode::kInt16), roofs.peak(ActivationMode::kBf16),
      roofs.peak(ActivationMode::kF32));
}

Json survey_json(const Runtime& runtime, const Survey& survey) {
  Json json = machine_json(runtime, survey.roofs);
  json["probe_bytes"] = survey.probe_bytes;
  json["reads"] = Json::array();
  for (const ReadRow& row : survey.reads)
    json["reads"].push_back({{"threads", row.threads},
                             {"isa", isa_name(row.speed.pattern.isa)},
                             {"streams", row.speed.pattern.roof.streams},
                             {"prefetch", row.speed.pattern.roof.prefetch},
                             {"huge_pages", row.speed.pattern.huge_pages},
                             {"gb_s", row.speed.gb_s}});
  json["peaks_by_isa"] = Json::array();
  for (const PeakRow& row : survey.peaks)
    json["peaks_by_isa"].push_back({{"threads", row.threads},
                                    {"isa", isa_name(row.speed.isa)},
                                    {"arithmetic", unit_name(row.speed.roof.arithmetic)},
                                    {"method", row.speed.roof.method},
                                    {"gop_s", row.speed.gop_s}});
  return json;
}

Json row_json(const Row& row) {
  Json json{{"test", row.test},
            {"scheme", row.scheme},
            {"activations", row.activations},
            {"kv", row.kv},
            {"kernel", row.kernel},
            {"isa", row.isa},
            {"batch", row.batch},
            {"context", row.context},
            {"tokens_per_s",
             {{"median", row.tokens_per_s.median},
              {"min", row.tokens_per_s.min},
              {"max", row.tokens_per_s.max}}},
            {"gb_s", row.gb_s},
            {"gop_s", row.gop_s},
            {"bound", bound_name(row)},
            {"share_of_roof", row.share_of_roof}};
  for (const auto& [name, latency] :
       {std::pair{"first_token_ms", row.first_token}, {"next_token_ms", row.next_token}})
    if (latency) json[name] = {{"p50", latency->p50}, {"p95", latency->p95}};
  json["samples"] = {{"tokens_per_s", row.speeds}, {"share_of_roof", row.shares}};
  return json;
}

std::string rows_text(std::span<const Row> rows) {
  const bool kernels = std::ranges::any_of(rows, [](const Row& row) { return row.kv.empty(); });
  Table table({{"test", false},
               {"batch"},
               {"scheme", false},
               {"inputs", false},
               {"kv", false},
               {kernels ? "kernel" : "", false},
               {"tokens/s"},
               {"min .. max"},
               {"GB/s"},
               {"GOP/s"},
               {"of roof", false},
               {"", false},
               {"", false}});
  for (const Row& r : rows)
    table.add({r.test, std::to_string(r.batch), r.scheme, r.activations, r.kv,
               kernels ? r.kernel : "", fmt::format("{:.1f}", r.tokens_per_s.median),
               fmt::format("{:.1f} .. {:.1f}", r.tokens_per_s.min, r.tokens_per_s.max),
               fmt::format("{:.1f}", r.gb_s), fmt::format("{:.0f}", r.gop_s),
               bar(r.share_of_roof, 20), fmt::format("{:.0f} %", 100 * r.share_of_roof),
               std::string(came_from_caches(r) ? "caches" : bound_name(r))});
  std::string text = table.text();
  for (const Row& r : rows)
    if (r.first_token && r.next_token)
      text += fmt::format(
          "{}: first token after {:.0f} ms (p95 {:.0f}), then {:.1f} ms each (p95 {:.1f})\n",
          r.test, r.first_token->p50, r.first_token->p95, r.next_token->p50, r.next_token->p95);
  return text;
}

std::string survey_text(const Survey& survey) {
  return fmt::format(
      "\nmemory: {} read once a pass, the best pattern of each kind\n{}\n"
      "arithmetic: in registers; a multiplication and an addition are two operations\n{}",
      human_bytes(survey.probe_bytes), reads_text(survey), peaks_text(survey));
}

}  // namespace farthing::bench
