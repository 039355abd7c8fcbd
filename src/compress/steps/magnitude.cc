// Takes out the weights of the smallest magnitude: the baseline that needs no data.
#include <cmath>

#include "compress/block.h"
#include "compress/pruning.h"
#include "compress/steps/rows.h"

namespace farthing::compress {
namespace {

class Magnitude final : public PruningStep {
 public:
  explicit Magnitude(PruningOptions options) : PruningStep(std::move(options), "magnitude") {}
  bool transforms() const override { return true; }
  void transform(Runtime& runtime, Block& block) override {
    for (const Block::Place& place : block.places())
      if (prunes(*place.unit))
        prune_matrix(runtime, block.load(place), {}, sparsity_of(*place.unit), options().compare);
  }
};

}  // namespace

void prune_matrix(Runtime& runtime, BlockMatrix& matrix, std::span<const float> square,
                  const Sparsity& sparsity, Compare compare) {
  const auto weights = matrix.values.view();
  Matrix<float> scores(weights.rows, weights.cols);
  runtime.parallel(weights.rows, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t j = 0; j < weights.cols; ++j)
        scores.view().row_data(r)[j] =
            std::abs(weights.row_data(r)[j]) *
            (square.empty() ? 1.0f : std::sqrt(square[static_cast<std::size_t>(j)]));
  });
  std::vector<std::uint8_t> pruned(static_cast<std::size_t>(weights.rows * weights.cols));
  choose_pruned(runtime, sparsity, compare, scores.view(), pruned);
  for (std::size_t i = 0; i < pruned.size(); ++i)
    if (pruned[i] != 0) weights.data[i] = 0;
  matrix.edited = true;
}

StepRow magnitude_step() {
  return {.name = "magnitude",
          .summary = "take out the smallest weights",
          .keys = kPruningKeys,
          .rounds = false,
          .make = [](const Setting& settings) -> std::unique_ptr<Step> {
            return std::make_unique<Magnitude>(
                read_pruning_options(settings, "magnitude", Compare::kMatrix));
          }};
}

}  // namespace farthing::compress
