// A floor on tasks: how much of a task's accuracy may be lost against the reference.
#pragma once

#include <string>
#include <vector>

#include "evaluate/tasks/run.h"
#include "io/json.h"

namespace farthing::tune {

// What became of one task's documents.
struct TaskChange {
  std::string name, sha256;  // of the file
  std::int64_t documents = 0;
  double reference = 0, measured = 0;  // accuracies, by the task's headline metric
  std::int64_t lost = 0, gained = 0;   // right only by the reference, only by the model
  double drop() const { return reference - measured; }
  double worst_drop() const;  // the end of the paired 95 % interval
};
TaskChange task_change(const evaluate::Task& task, const evaluate::TaskResult& reference,
                       const evaluate::TaskResult& measured);

// By what factor the mean KL divergence may grow until the end of the interval reaches the limit:
// documents flip as the root of it (flips come with changed margins, whose spread is that root).
double task_room(const TaskChange& change, double limit);
// The KL divergence to start a search with, before anything is measured; infinite when the limit
// is wide.
double first_task_limit(std::int64_t documents, double limit);
// Error: unsupported, when so few documents cannot prove the limit even if no answer changes.
void check_documents(const std::string& name, std::int64_t documents, double limit);

Json task_changes_json(const std::vector<TaskChange>& changes);

// The tasks of a contract: name, SHA-256, documents. Error: bad input.
std::vector<TaskChange> parse_contract_tasks(const Json& json, std::string_view where);

}  // namespace farthing::tune
