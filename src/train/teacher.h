// What a student learns from: a model that runs beside it, or what one said earlier, kept in a
// file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/progress.h"
#include "model/model.h"
#include "train/batches.h"

namespace farthing::train {

class Teacher {
 public:
  virtual ~Teacher() = default;
  // Before the rows of a batch are asked for.
  virtual void start(const TrainingBatch& batch) = 0;
  // Makes rows first .. first + count - 1 ready; row(i) is then the i-th of them.
  virtual void prepare(std::int64_t first, std::int64_t count) = 0;
  virtual TeacherRow row(std::int64_t i) const = 0;
  // (rows, hidden) behind block `layer` of those that were asked for; empty when there is none.
  virtual MatrixView<const float> hidden(int layer) const {
    static_cast<void>(layer);
    return {};
  }
};

// Runs the model on every batch. `layers`: blocks whose outputs are kept for hidden().
class OnlineTeacher final : public Teacher {
 public:
  OnlineTeacher(Runtime& runtime, model::Model& model, double temperature,
                std::vector<int> layers = {});
  ~OnlineTeacher() override;
  void start(const TrainingBatch& batch) override;
  void prepare(std::int64_t first, std::int64_t count) override;
  TeacherRow row(std::int64_t i) const override;
  MatrixView<const float> hidden(int layer) const override;

 private:
  class Keeper;
  Runtime& runtime_;
  model::Model& model_;
  double temperature_;
  Matrix<float> states_, probabilities_;
  std::unique_ptr<Keeper> keeper_;
};

// The most probable tokens of every position of a text and their probabilities, at one temperature;
// all others share what is left. A file of 8 bytes a token kept and position.
struct CacheRequest {
  std::string path;
  std::int64_t best = 32;  // tokens a position
  std::int64_t vocabulary = 0;
  std::string key;  // of teacher, text and temperature
};
// Whether the file is there. Error: usage, when it was made with another key.
bool has_teacher_cache(const CacheRequest& request);
// Runs the teacher over all samples. Error: out of resources.
void make_teacher_cache(Runtime& runtime, Teacher& teacher, const Batches& batches,
                        const CacheRequest& request, Progress& progress);
std::unique_ptr<Teacher> open_teacher_cache(const CacheRequest& request);

}  // namespace farthing::train
