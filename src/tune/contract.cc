#include "tune/contract.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "io/artefact.h"
#include "io/durable_file.h"
#include "io/mapped_file.h"

namespace farthing::tune {
namespace {

constexpr double kMostRoom = 4;  // that one round takes up

// Positive and finite, or not there.
std::optional<double> floor_of(const Json& json, std::string_view key, double most,
                               std::string_view where) {
  if (json_find(json, key) == nullptr) return std::nullopt;
  const double value = json_number(json, key, where);
  if (!(value > 0 && value <= most))
    bad_input("{}: the contract's {} must be above 0 and at most {}; found {}", where, key, most,
              value);
  return value;
}

}  // namespace

std::vector<FloorCheck> check_floors(const Floors& floors, const evaluate::TextResult& result,
                                     const std::vector<TaskChange>& tasks) {
  const auto& against = *result.against;
  std::vector<FloorCheck> checks;
  if (floors.max_kld) {
    FloorCheck c{.name = "kld", .limit = *floors.max_kld, .value = against.kld.mean};
    c.worst = against.interval.kld.high;
    c.holds = c.worst <= c.limit;
    c.room = c.worst > 0 ? c.limit / c.worst : kMostRoom;
    checks.push_back(std::move(c));
  }
  if (floors.max_perplexity_increase) {
    FloorCheck c{.name = "perplexity_increase",
                 .limit = *floors.max_perplexity_increase,
                 .value = result.perplexity / against.reference_perplexity - 1};
    c.worst = against.interval.perplexity_ratio.high - 1;
    c.holds = c.worst <= c.limit;
    c.room = c.worst > 0 ? std::log1p(c.limit) / std::log1p(c.worst) : kMostRoom;
    checks.push_back(std::move(c));
  }
  if (floors.min_top1) {
    FloorCheck c{.name = "top1_agreement", .limit = *floors.min_top1};
    c.value = against.top1_agreement;
    c.worst = against.interval.top1_agreement.low;
    c.holds = c.worst >= c.limit;
    const double changed = 1 - c.worst;
    c.room = changed > 0 ? std::pow((1 - c.limit) / changed, 2) : kMostRoom;
    checks.push_back(std::move(c));
  }
  for (const TaskChange& task : tasks) {
    if (!floors.max_task_drop) break;
    FloorCheck c{.name = "task_drop", .task = task.name, .limit = *floors.max_task_drop};
    c.value = task.drop();
    c.worst = task.worst_drop();
    c.holds = c.worst <= c.limit;
    c.room = task_room(task, c.limit);
    checks.push_back(std::move(c));
  }
  return checks;
}

bool all_hold(const std::vector<FloorCheck>& checks) {
  return std::ranges::all_of(checks, &FloorCheck::holds);
}

std::string check_text(const FloorCheck& c) {
  const std::string name = c.task.empty() ? c.name : c.name + " of " + printable(c.task, 60);
  return fmt::format("{} {:.5f}, at 95 % {} {:.5f}, floor {:.5f}: {}", name, c.value,
                     c.name == "top1_agreement" ? "at least" : "at most", c.worst, c.limit,
                     c.holds ? "holds" : "does not hold");
}

Json checks_json(const std::vector<FloorCheck>& checks) {
  Json rows = Json::array();
  for (const FloorCheck& check : checks) {
    rows.push_back({{"name", check.name},
                    {"limit", check.limit},
                    {"value", check.value},
                    {"worst", check.worst},
                    {"holds", check.holds}});
    if (!check.task.empty()) rows.back()["task"] = check.task;
  }
  return rows;
}

Json quality_json(const evaluate::TextResult& r) {
  const auto& a = *r.against;
  return {{"kld",
           {{"mean", a.kld.mean},
            {"stderr", a.kld.stderr_of_mean},
            {"median", a.kld.median},
            {"p99", a.kld.p99},
            {"p999", a.kld.p999},
            {"max", a.kld.max}}},
          {"perplexity", r.perplexity},
          {"reference_perplexity", a.reference_perplexity},
          {"log_ratio_stderr", a.log_ratio_stderr},
          {"top1_agreement", a.top1_agreement},
          {"rms_delta_p", a.rms_delta_p},
          {"tokens", r.tokens}};
}

Json contract_json(const ContractFacts& facts, const evaluate::EvalText& text,
                   const evaluate::TextResult& result, const std::vector<TaskChange>& tasks) {
  Json floor = Json::object();
  if (facts.floors.max_kld) floor["max_kld"] = *facts.floors.max_kld;
  if (facts.floors.max_perplexity_increase)
    floor["max_perplexity_increase"] = *facts.floors.max_perplexity_increase;
  if (facts.floors.min_top1) floor["min_top1"] = *facts.floors.min_top1;
  if (facts.floors.max_task_drop) floor["max_task_drop"] = *facts.floors.max_task_drop;
  Json json = {{"floor", std::move(floor)},
               {"confidence", 0.95},
               {"reference_sha256", facts.source_sha256},
               {"text",
                {{"name", text.name},
                 {"sha256", text.sha256},
                 {"context", text.options.context},
                 {"windows", text.windows.size()},
                 {"convention", evaluate::convention_name(text.options.convention)},
                 {"bos", text.has_bos}}},
               {"kv", facts.kv},
               {"isa", facts.isa},
               {"proven", quality_json(result)}};
  if (!tasks.empty()) json["tasks"] = task_changes_json(tasks);
  return json;
}

void write_contract(const std::string& artefact, const Json& contract) {
  const std::string path = artefact + "/" + std::string(io::kArtefactFile);
  io::Artefact parsed = io::parse_artefact(io::read_text_file(path), printable(path, 400));
  parsed.contract = contract;
  io::write_durably(path, io::write_artefact(parsed));
}

Contract parse_contract(const Json& json, std::string_view where) {
  const Json* floor = json_find(json, "floor");
  const Json* text = json_find(json, "text");
  const Json* proven = json_find(json, "proven");
  if (floor == nullptr || text == nullptr || proven == nullptr)
    bad_input("{}: the contract must have a floor, a text and what was proven", where);
  Contract contract;
  contract.floors.max_kld = floor_of(*floor, "max_kld", 1e6, where);
  contract.floors.max_perplexity_increase = floor_of(*floor, "max_perplexity_increase", 1e6, where);
  contract.floors.min_top1 = floor_of(*floor, "min_top1", 1, where);
  contract.floors.max_task_drop = floor_of(*floor, "max_task_drop", 1, where);
  contract.tasks = parse_contract_tasks(json, where);
  if (contract.floors.max_task_drop && contract.tasks.empty())
    bad_input("{}: the contract has a floor on tasks and names none", where);
  contract.source_sha256 = json_text(json, "reference_sha256", where);
  contract.text_name = json_text(*text, "name", where);
  contract.text_sha256 = json_text(*text, "sha256", where);
  contract.context = json_int(*text, "context", where);
  contract.windows = json_int(*text, "windows", where);
  if (contract.context < 2 || contract.context > (1 << 24) || contract.windows < 1 ||
      contract.windows > (1 << 24))
    bad_input("{}: the contract's windows must be at least 1 of 2 tokens; found {} of {}", where,
              contract.windows, contract.context);
  if (const Json* kld = json_find(*proven, "kld")) contract.kld = json_number(*kld, "mean", where);
  return contract;
}

}  // namespace farthing::tune
