#include "tune/task_floor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/text.h"

namespace farthing::tune {
namespace {

constexpr double kMostRoom = 4, kLeastRoom = 1.0 / 64;  // that one round takes up

}  // namespace

double TaskChange::worst_drop() const {
  return -evaluate::paired_change_interval(lost, gained, documents).low;
}

TaskChange task_change(const evaluate::Task& task, const evaluate::TaskResult& reference,
                       const evaluate::TaskResult& measured) {
  const evaluate::Flips flips = evaluate::compare_outcomes(task, reference, measured, 0);
  TaskChange change{.name = task.name, .sha256 = task.sha256};
  change.documents = std::ssize(task.items);
  change.lost = flips.lost, change.gained = flips.gained;
  const auto count = static_cast<double>(change.documents);
  change.reference = static_cast<double>(flips.both_right + flips.lost) / count;
  change.measured = static_cast<double>(flips.both_right + flips.gained) / count;
  return change;
}

// With f times the KL: drop sqrt(f) + width f^(1/4) = limit, a quadratic in f^(1/4).
double task_room(const TaskChange& change, double limit) {
  const double drop = std::max(0.0, change.drop()),
               width = std::max(1e-12, change.worst_drop() - change.drop());
  const double root =
      drop > 0 ? (std::sqrt(width * width + 4 * drop * limit) - width) / (2 * drop) : limit / width;
  return std::clamp(std::pow(root, 4), kLeastRoom, kMostRoom);
}

double first_task_limit(std::int64_t documents, double limit) {
  const auto count = static_cast<double>(documents);
  const double unchanged = -evaluate::paired_change_interval(0, 0, documents).low;
  const double flips = (std::pow(limit / unchanged, 2) - 1) / count;  // of so many it is the end
  if (flips >= 0.5) return std::numeric_limits<double>::infinity();
  return 2 * std::pow(std::max(flips, 1 / count), 2);
}

void check_documents(const std::string& name, std::int64_t documents, double limit) {
  const double unchanged = -evaluate::paired_change_interval(0, 0, documents).low;
  if (unchanged <= limit) return;
  unsupported(
      "task {}: {} documents cannot prove a drop of at most {}: even with no answer changed it may "
      "be {:.4f} at 95 %; give about {:.0f} documents, or allow more",
      printable(name), documents, limit, unchanged,
      std::ceil(unchanged * static_cast<double>(documents + 2) / limit));
}

Json task_changes_json(const std::vector<TaskChange>& changes) {
  Json rows = Json::array();
  for (const TaskChange& c : changes)
    rows.push_back({{"name", c.name},
                    {"sha256", c.sha256},
                    {"documents", c.documents},
                    {"reference", c.reference},
                    {"measured", c.measured},
                    {"lost", c.lost},
                    {"gained", c.gained}});
  return rows;
}

std::vector<TaskChange> parse_contract_tasks(const Json& json, std::string_view where) {
  std::vector<TaskChange> tasks;
  const Json* rows = json_find(json, "tasks");
  if (rows == nullptr) return tasks;
  if (!rows->is_array()) bad_input("{}: the contract's tasks must be a list", where);
  for (const Json& row : *rows) {
    if (!row.is_object()) bad_input("{}: a task of the contract must be an object", where);
    TaskChange& task = tasks.emplace_back();
    task.name = json_text(row, "name", where);
    task.sha256 = json_text(row, "sha256", where);
    task.documents = json_int(row, "documents", where);
    if (task.documents < 1 || task.documents > 100'000'000)
      bad_input("{}: a task of the contract must have at least 1 document; found {}", where,
                task.documents);
  }
  return tasks;
}

}  // namespace farthing::tune
