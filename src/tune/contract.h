// The accuracy contract of an artefact: the floor that was promised and the measurement that proved
// it, in farthing.json. It holds qualities only, which are the same on every run; speeds belong to
// a machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluate/divergence.h"
#include "io/json.h"
#include "tune/task_floor.h"

namespace farthing::tune {

struct Floors {
  std::optional<double> max_kld = {};                  // nats, mean over positions
  std::optional<double> max_perplexity_increase = {};  // 0.01: one per cent above the reference's
  std::optional<double> min_top1 = {};       // share of positions with the same best token
  std::optional<double> max_task_drop = {};  // 0.01: of a hundred documents one fewer is right
  bool any() const { return max_kld || max_perplexity_increase || min_top1 || max_task_drop; }
};

// One floor against a measurement. A floor holds when the end of evaluate_text()'s 95 % interval is
// within it.
struct FloorCheck {
  std::string name;       // "kld", "perplexity_increase", "top1_agreement", "task_drop"
  std::string task = {};  // of a drop
  double limit = 0, value = 0, worst = 0;
  bool holds = false;
  // By what factor the mean KL may grow until the floor is reached; below 1: must shrink. KL and
  // the logarithm of perplexity grow alike, the share of changed tokens as the root of KL.
  double room = 1;
};
std::vector<FloorCheck> check_floors(const Floors& floors, const evaluate::TextResult& result,
                                     const std::vector<TaskChange>& tasks = {});
bool all_hold(const std::vector<FloorCheck>& checks);
std::string check_text(const FloorCheck& check);  // a line
Json checks_json(const std::vector<FloorCheck>& checks);

Json quality_json(const evaluate::TextResult& result);

struct ContractFacts {
  Floors floors;
  std::string source_sha256;  // of the reference
  std::string kv;             // of the artefact
  std::string isa;
};
Json contract_json(const ContractFacts& facts, const evaluate::EvalText& text,
                   const evaluate::TextResult& result, const std::vector<TaskChange>& tasks = {});
// Writes the contract into the farthing.json of an artefact. Error: bad input, out of resources.
void write_contract(const std::string& artefact, const Json& contract);

// What a contract of a file says. Error: bad input for numbers that are none.
struct Contract {
  Floors floors;
  std::string source_sha256, text_name, text_sha256;
  std::int64_t context = 0, windows = 0;
  std::vector<TaskChange> tasks;  // their files and how many documents
  double kld = 0;                 // as it was proven
};
Contract parse_contract(const Json& json, std::string_view where);

}  // namespace farthing::tune
