#include "io/imatrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/gguf_writer.h"
#include "tests/io/files.h"

namespace farthing::io {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two matrices: one alone, one with two experts of which the second saw nothing.
std::string write_matrix(const TempDir& dir, const Json& metadata = {{"general.type", "imatrix"}},
                         float poison = 8) {
  const std::string path = dir.path("imatrix.gguf");
  PlannedGguf file(path, metadata,
                   {{"blk.0.attn_q.weight.in_sum2", "F32", {1, 4}},
                    {"blk.0.attn_q.weight.counts", "F32", {1, 1}},
                    {"blk.0.ffn_up_exps.weight.in_sum2", "F32", {2, 2}},
                    {"blk.0.ffn_up_exps.weight.counts", "F32", {2, 1}}});
  const std::vector<std::vector<float>> numbers = {{2, 4, 6, poison}, {2}, {3, 9, 0, 0}, {3, 0}};
  for (std::size_t i = 0; i < numbers.size(); ++i)
    file.write(i, 0, std::as_bytes(std::span(numbers[i])));
  file.commit();
  return path;
}

TEST(ImportanceMatrix, IsTheMeanSquareOfEachInput) {
  const TempDir dir;
  const ImportanceMatrix matrix(write_matrix(dir));
  EXPECT_THAT(matrix.find("blk.0.attn_q.weight", 0, 1, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(matrix.find("blk.0.ffn_up_exps.weight", 0, 2, 2), ElementsAre(1, 3));
}

TEST(ImportanceMatrix, HasNothingForWhatItDidNotSee) {
  const TempDir dir;
  const ImportanceMatrix matrix(write_matrix(dir));
  EXPECT_THAT(matrix.find("blk.0.ffn_up_exps.weight", 1, 2, 2), IsEmpty());
  EXPECT_THAT(matrix.find("output.weight", 0, 1, 4), IsEmpty());
}

TEST(ImportanceMatrix, BadFilesAreRefusedInASentence) {
  const TempDir dir;
  const std::string path = write_matrix(dir);
  EXPECT_COMPLAINT(kBadInput, "made with another model",
                   ImportanceMatrix(path).find("blk.0.attn_q.weight", 0, 1, 8));
  EXPECT_COMPLAINT(kBadInput, "made with another model",
                   ImportanceMatrix(path).find("blk.0.ffn_up_exps.weight", 0, 4, 2));
  EXPECT_COMPLAINT(kBadInput, "it is a model", ImportanceMatrix(write_matrix(dir, Json::object())));
  EXPECT_COMPLAINT(kBadInput, "llama-imatrix",
                   ImportanceMatrix(dir.write("old.dat", std::string(64, '\1'))));
  EXPECT_COMPLAINT(kBadInput, "llama-imatrix", ImportanceMatrix(dir.write("empty", "")));
  for (const float poison : {-1.0f, NAN, INFINITY})
    EXPECT_COMPLAINT(kBadInput, "for input 3",
                     ImportanceMatrix(write_matrix(dir, {{"general.type", "imatrix"}}, poison))
                         .find("blk.0.attn_q.weight", 0, 1, 4));
}

}  // namespace
}  // namespace farthing::io
