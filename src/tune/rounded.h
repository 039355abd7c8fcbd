// The weights of a model in every alternative, each matrix rounded once, by itself.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "calibrate/collect.h"
#include "calibrate/data.h"
#include "compress/block.h"
#include "compress/step.h"
#include "io/overlay_checkpoint.h"
#include "model/model.h"
#include "tune/space.h"

namespace farthing::tune {

// Layers are rounded when they are first asked for and kept. What the steps want to know of a
// linear's inputs is measured in the uncompressed model (compress measures behind what is
// compressed already, which differs little at the precisions that a floor allows); of steps that
// transform a block only an alternative's own take part. Not for several threads at once.
class RoundedWeights {
 public:
  // All are borrowed; the model is the uncompressed one.
  RoundedWeights(Runtime& runtime, const Space& space, model::Model& model,
                 std::span<const std::unique_ptr<compress::Step>> steps,
                 const calibrate::CalibrationData& data, Progress& progress);
  ~RoundedWeights();

  // A member of a unit in an alternative other than "keep", its slices as the checkpoint has them.
  // Error: as compress's steps.
  const std::vector<QuantizedTensor>& at(std::size_t member, std::size_t alternative);
  // What its inputs are multiplied by before they are rounded; empty: nothing.
  const std::vector<float>& multiplier(std::size_t member, std::size_t alternative);
  // All members of a unit, borrowed, in a checkpoint's place of them.
  void put(const Swap& swap, io::OverlayCheckpoint& to);
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Stream;
  std::size_t first_like(std::size_t member, std::size_t alternative) const;
  struct Made {
    std::vector<QuantizedTensor> slices;
    std::vector<float> multiplier;
  };
  using Blocks = std::map<std::size_t, std::unique_ptr<compress::Block>>;  // by alternative
  const Made& made(std::size_t member, std::size_t alternative);
  void round_layer(int layer);
  calibrate::Collected inputs_of(int layer, const calibrate::Wanted& wanted);
  unsigned wanted_of(const compress::PlannedUnit& unit, std::size_t alternative) const;
  // Those alternatives' that change weights before they round them.
  Blocks transformed(int layer, std::size_t alternatives, const calibrate::Collected& inputs);
  void round_member(std::size_t member, std::size_t alternatives,
                    const calibrate::Collected& inputs, Blocks& blocks);
  void round_slice(const compress::PlannedUnit& unit, std::size_t alternative, int slice,
                   const QuantizedTensor& stored, const calibrate::LinearStatistics* inputs,
                   Blocks& blocks, Made& to);
  std::unique_ptr<compress::Rounder> rounder_of(const compress::PlannedUnit& unit,
                                                std::size_t alternative,
                                                const calibrate::LinearStatistics* inputs);

  Runtime& runtime_;
  const Space& space_;
  model::Model& model_;
  std::span<const std::unique_ptr<compress::Step>> steps_;
  const calibrate::CalibrationData& data_;
  Progress& progress_;
  std::unique_ptr<Stream> stream_;
  std::map<std::pair<std::size_t, std::size_t>, Made> made_;
  std::vector<bool> done_;  // of layers; the last is what lies outside of blocks
  std::uint64_t bytes_ = 0;
};

}  // namespace farthing::tune
