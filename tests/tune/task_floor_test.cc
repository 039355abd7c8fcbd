#include "tune/task_floor.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/error.h"

namespace farthing::tune {
namespace {

using ::testing::HasSubstr;

TaskChange change_of(std::int64_t documents, std::int64_t lost, std::int64_t gained) {
  const auto n = static_cast<double>(documents);
  return {.name = "arc",
          .sha256 = "aa",
          .documents = documents,
          .reference = 0.5,
          .measured = 0.5 + static_cast<double>(gained - lost) / n,
          .lost = lost,
          .gained = gained};
}

TEST(TaskFloor, IsJudgedByTheEndOfThePairedInterval) {
  // Nothing is lost on balance, but forty answers changed.
  EXPECT_EQ(change_of(1000, 20, 20).drop(), 0);
  EXPECT_NEAR(change_of(1000, 20, 20).worst_drop(), 1.96 * std::sqrt(41) / 1002, 1e-5);
  EXPECT_LT(change_of(1000, 0, 0).worst_drop(), change_of(1000, 20, 20).worst_drop());
  EXPECT_GT(change_of(1000, 30, 10).worst_drop(), 0.02);
}

TEST(TaskFloor, KnowsHowMuchRoomItLeaves) {
  // At the limit: none. Answers change as the root of the divergence, the interval as the root of
  // that.
  for (const auto& change : {change_of(1000, 30, 10), change_of(1000, 20, 20)})
    EXPECT_NEAR(task_room(change, change.worst_drop()), 1, 1e-6);
  const TaskChange even = change_of(1000, 20, 20);
  EXPECT_NEAR(task_room(even, 0.5 * even.worst_drop()), std::pow(0.5, 4), 1e-6);
  EXPECT_LT(task_room(change_of(1000, 30, 10), 0.01), 0.3);
  EXPECT_EQ(task_room(even, 0.5), 4);  // at most
}

TEST(TaskFloor, StartsLowerForATighterLimit) {
  EXPECT_LT(first_task_limit(1000, 0.01), first_task_limit(1000, 0.02));
  EXPECT_GT(first_task_limit(1000, 0.01), 0);
  EXPECT_TRUE(std::isinf(first_task_limit(1000, 0.9)));
}

TEST(TaskFloor, RefusesWhatSoFewDocumentsCannotProve) {
  check_documents("arc", 1000, 0.01);
  try {
    check_documents("arc", 50, 0.01);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault, Fault::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("task arc: 50 documents cannot prove"));
    EXPECT_THAT(error.what(), HasSubstr("give about 196 documents"));
  }
}

TEST(TaskFloor, IsReadBackFromAContractAndRefusedWhenDamaged) {
  const Json json = {{"tasks", task_changes_json({change_of(40, 3, 1)})}};
  const auto tasks = parse_contract_tasks(json, "here");
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].name, "arc");
  EXPECT_EQ(tasks[0].documents, 40);
  EXPECT_TRUE(parse_contract_tasks(Json::object(), "here").empty());
  const auto refused = [](const char* text) {
    EXPECT_THROW(parse_contract_tasks(Json::parse(text), "here"), Error) << text;
  };
  refused(R"({"tasks": 1})");
  refused(R"({"tasks": [1]})");
  refused(R"({"tasks": [{"name": "a"}]})");
  refused(R"({"tasks": [{"name": "a", "sha256": "b", "documents": 0}]})");
  refused(R"({"tasks": [{"name": 1, "sha256": "b", "documents": 5}]})");
}

}  // namespace
}  // namespace farthing::tune
