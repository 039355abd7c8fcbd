#include "tune/report.h"

#include <algorithm>
#include <map>

#include "core/text.h"

namespace farthing::tune {
namespace {

std::string bytes_text(double bytes) { return human_bytes(static_cast<std::uint64_t>(bytes)); }

Json shift_json(const Shift& shift) {
  return {{"kld", shift.kld},
          {"stderr", shift.stderr_of_kld},
          {"nll_increase", shift.nll_increase},
          {"top1_agreement", shift.top1_agreement}};
}

}  // namespace

std::string outcome_text(const Outcome& o) {
  return fmt::format("KL {:.5f}, {:.3f} ms a token, {} of weights, {} in memory", o.kld, o.ms,
                     bytes_text(o.bytes), bytes_text(o.memory));
}

Json outcome_json(const Outcome& o) {
  return {{"kld", o.kld}, {"ms_per_token", o.ms}, {"bytes", o.bytes}, {"memory_bytes", o.memory}};
}

Json floors_json(const TuneOptions& options) {
  Json json = Json::object();
  const auto set = [&](std::string_view key, std::optional<double> value) {
    if (value) json[key] = *value;
  };
  const auto limit = [](double value) {
    return value < kNoLimit ? std::optional(value) : std::nullopt;
  };
  set("max_kld", options.floors.max_kld);
  set("max_perplexity_increase", options.floors.max_perplexity_increase);
  set("min_top1", options.floors.min_top1);
  set("max_task_drop", options.floors.max_task_drop);
  set("max_bytes", limit(options.max_bytes));
  set("max_memory", limit(options.max_memory));
  set("max_ms", limit(options.max_ms));
  return json;
}

Json workload_json(const Workload& w) {
  return {{"name", w.name},
          {"prompt", w.prompt},
          {"answer", w.answer},
          {"kept", w.kept},
          {"batch", w.batch}};
}

std::string walk_text(const Space& space, const std::vector<WalkStep>& steps, int lines) {
  std::string text =
      "From full precision, the least sensitive first (expected after each; measured on the "
      "probe's "
      "tokens where shown):\n";
  const auto count = std::ssize(steps);
  for (std::int64_t i = 0; i < count; ++i) {
    const WalkStep& step = steps[static_cast<std::size_t>(i)];
    const bool shown = i == 0 || step.measured || (i + 1) * lines / count != i * lines / count;
    if (!shown) continue;
    text += fmt::format("{:>4} of {}  {:<40} {:<13} KL {:.5f}", i + 1, count,
                        printable(space.units()[step.swap.unit].name, 40),
                        space.alternative(step.swap).name, step.expected.kld);
    if (step.measured)
      text += fmt::format(" (measured {:.5f} +- {:.5f})", step.measured->kld,
                          step.measured->stderr_of_kld);
    text += fmt::format("  {:.3f} ms  {}\n", step.expected.ms, bytes_text(step.expected.bytes));
  }
  return text;
}

Json walk_json(const Space& space, const std::vector<WalkStep>& steps) {
  Json rows = Json::array();
  for (const WalkStep& step : steps) {
    Json row = {{"name", space.units()[step.swap.unit].name},
                {"scheme", space.alternative(step.swap).name},
                {"expected", outcome_json(step.expected)}};
    if (step.measured) row["measured"] = shift_json(*step.measured);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string mix_text(const Space& space, const Mix& mix) {
  std::map<std::string, std::map<std::string, int>> counts;
  std::vector<std::string> kinds;
  for (std::size_t u = 0; u < mix.size(); ++u) {
    const std::string& kind = space.units()[u].kind;
    if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
    ++counts[kind][space.alternative({u, mix[u]}).name];
  }
  std::string text;
  for (const std::string& kind : kinds) {
    text += fmt::format("{:<16}", kind);
    std::string row;
    for (const auto& [name, count] : counts[kind])
      row += fmt::format("{}{} x {}", row.empty() ? "" : ", ", count, name);
    text += row + "\n";
  }
  return text;
}

Json mix_json(const Study& study, const UnitTimes& times, const Mix& mix) {
  const Space& space = *study.space;
  Json rows = Json::array();
  for (std::size_t u = 0; u < mix.size(); ++u) {
    const Unit& unit = space.units()[u];
    const Swap swap{u, mix[u]};
    const Entry& entry = study.table->at(swap);
    Json row = {{"name", unit.name},
                {"kind", unit.kind},
                {"layer", unit.layer < 0 ? Json() : Json(unit.layer)},
                {"scheme", space.alternative(swap).name},
                {"kld", study.table->kld(swap)},
                {"measured", entry.measured},
                {"ms", 1e3 * times.seconds(swap) / times.workload().tokens()},
                {"bytes", space.bytes(swap)},
                {"memory_bytes", times.memory(swap)}};
    if (entry.measured) row["stderr"] = entry.shift.stderr_of_kld;
    if (!unit.is_cache()) {
      const auto& planned = space.planned(unit.members[0], mix[u]);
      row["activations"] =
          planned.activations ? Json(activation_name(planned.activations->mode)) : Json();
      row["weights"] = unit.weights;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string frontier_text(const std::vector<std::pair<Mix, Outcome>>& points) {
  std::string text = fmt::format("{:>12} {:>14} {:>12} {:>12}\n", "KL expected", "ms a token",
                                 "weights", "memory");
  for (const auto& [mix, o] : points)
    text += fmt::format("{:>12.5f} {:>14.3f} {:>12} {:>12}\n", o.kld, o.ms, bytes_text(o.bytes),
                        bytes_text(o.memory));
  return text;
}

Json frontier_json(const Space& space, const std::vector<std::pair<Mix, Outcome>>& points) {
  Json rows = Json::array();
  for (const auto& [mix, outcome] : points) {
    Json row = outcome_json(outcome);
    Json& schemes = row["schemes"] = Json::object();
    for (std::size_t u = 0; u < mix.size(); ++u) {
      const std::string& name = space.alternative({u, mix[u]}).name;
      schemes[name] = (schemes.contains(name) ? schemes[name].get<int>() : 0) + 1;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Json candidate_json(const Candidate& c) {
  return {{"expected", outcome_json(c.expected)},
          {"measured", outcome_json(c.measured)},
          {"pace", c.pace},
          {"quality", quality_json(c.quality)},
          {"tasks", task_changes_json(c.tasks)},
          {"checks", checks_json(c.checks)},
          {"holds", c.holds}};
}

std::vector<std::pair<std::string, Outcome>> uniform_outcomes(const Search& search,
                                                              const Space& space) {
  std::vector<std::pair<std::string, Outcome>> rows;
  const std::size_t count = space.alternatives(space.units()[0]).size();
  for (std::size_t a = 0; a < count; ++a) {
    Mix mix;
    for (std::size_t u = 0; u < space.units().size(); ++u) {
      mix.push_back(space.units()[u].is_cache() ? 0 : space.offered_like({u, a}));
    }
    rows.emplace_back(space.alternatives(space.units()[0])[a].name, search.expect(mix));
  }
  return rows;
}

Json uniform_json(const std::vector<std::pair<std::string, Outcome>>& rows) {
  Json json = Json::array();
  for (const auto& [name, outcome] : rows) {
    json.push_back({{"scheme", name}});
    json.back().update(outcome_json(outcome));
  }
  return json;
}

}  // namespace farthing::tune
