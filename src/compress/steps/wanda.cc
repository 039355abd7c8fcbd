// Wanda (Sun et al., 2024): takes out the weights that matter least to the outputs of their row,
// |w_ij| sqrt(mean x_j^2), and changes no others.
#include "compress/block.h"
#include "compress/pruning.h"
#include "compress/steps/rows.h"

namespace farthing::compress {
namespace {

class Wanda final : public PruningStep {
 public:
  explicit Wanda(PruningOptions options) : PruningStep(std::move(options), "wanda") {}
  bool transforms() const override { return true; }
  unsigned transform_statistics() const override { return calibrate::kMoments; }
  void transform(Runtime& runtime, Block& block) override {
    for (const Block::Place& place : block.places()) {
      if (!prunes(*place.unit)) continue;
      // An expert that no token reached is known by its weights alone.
      const auto* inputs = block.inputs(place.unit->unit.slot, place.expert);
      const bool known = inputs != nullptr && inputs->tokens > 0;
      prune_matrix(runtime, block.load(place),
                   known ? std::span<const float>(inputs->square) : std::span<const float>(),
                   sparsity_of(*place.unit), options().compare);
    }
  }
};

}  // namespace

StepRow wanda_step() {
  return {.name = "wanda",
          .summary = "take out the weights that matter least to their row's output",
          .keys = kPruningKeys,
          .rounds = false,
          .make = [](const Setting& settings) -> std::unique_ptr<Step> {
            return std::make_unique<Wanda>(read_pruning_options(settings, "wanda", Compare::kRow));
          }};
}

}  // namespace farthing::compress
