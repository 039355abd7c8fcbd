// A file of what a teacher said may be damaged between two runs.
#include <gmock/gmock.h>

#include "io/safetensors_writer.h"
#include "tests/io/files.h"
#include "train/teacher.h"

namespace farthing::train {
namespace {

// Two positions, the best two tokens of each.
struct Cache {
  std::vector<std::int32_t> tokens = {1, 2, 3, 4};
  std::vector<float> probabilities = {0.5f, 0.25f, 0.5f, 0.25f};
  io::TempDir dir;

  std::unique_ptr<Teacher> open() const {
    const CacheRequest request{
        .path = dir.path("cache.safetensors"), .best = 2, .vocabulary = 5, .key = "k"};
    const auto numbers = [](const auto& list) { return std::as_bytes(std::span(list)); };
    const auto rows = [](const auto& list) { return std::ssize(list) / 2; };
    const std::vector<io::TensorInfo> tensors = {
        {"tokens", "I32", {rows(tokens), 2}, numbers(tokens)},
        {"probabilities", "F32", {rows(probabilities), 2}, numbers(probabilities)}};
    io::write_safetensors(request.path, tensors);
    return open_teacher_cache(request);
  }
};

TrainingBatch batch_of(std::int64_t first_row, std::int64_t length) {
  TrainingBatch batch;
  batch.lengths = {length};
  batch.corpus_rows = {first_row};
  return batch;
}

TEST(TeacherCache, GivesWhatTheTeacherSaid) {
  const auto teacher = Cache().open();
  teacher->start(batch_of(0, 2));
  teacher->prepare(1, 1);
  EXPECT_THAT(teacher->row(0).tokens, testing::ElementsAre(3, 4));
  EXPECT_THAT(teacher->row(0).probabilities, testing::ElementsAre(0.5f, 0.25f, 0.25f));
}

TEST(TeacherCache, ShorterThanTheTextIsRefused) {
  const auto teacher = Cache().open();
  EXPECT_COMPLAINT(kBadInput, "fewer positions", teacher->start(batch_of(1, 2)));
}

TEST(TeacherCache, PartsThatDoNotFitTogetherAreRefused) {
  Cache cache;
  cache.probabilities.resize(2);
  EXPECT_COMPLAINT(kBadInput, "do not fit together", cache.open());
}

TEST(TeacherCache, TokensOutsideOfTheVocabularyAreRefused) {
  for (const std::int32_t token : {-1, 5}) {
    Cache cache;
    cache.tokens[3] = token;
    const auto teacher = cache.open();
    teacher->start(batch_of(0, 2));
    EXPECT_COMPLAINT(kBadInput, "not in the vocabulary", teacher->prepare(0, 2));
  }
}

}  // namespace
}  // namespace farthing::train
