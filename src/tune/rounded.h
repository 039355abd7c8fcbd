// The weights of a model in every alternative, each matrix rounded once, by itself.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "calibrate/collect.h"
#include "calibrate/data.h"
#include "compress/step.h"
#include "model/model.h"
#include "tune/space.h"

namespace farthing::tune {

// Layers are rounded when they are first asked for and kept. What the steps want to know of a
// linear's inputs is measured in the uncompressed model (compress measures behind what is
// compressed already, which differs little at the precisions that a floor allows); steps that
// transform a block do not take part. Not for several threads at once.
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
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Stream;
  std::size_t first_like(std::size_t member, std::size_t alternative) const;
  void round_layer(int layer);
  void round_member(std::size_t member, const calibrate::Collected& inputs);
  std::unique_ptr<compress::Rounder> rounder_of(const compress::PlannedUnit& unit,
                                                const calibrate::LinearStatistics* inputs);

  Runtime& runtime_;
  const Space& space_;
  model::Model& model_;
  std::span<const std::unique_ptr<compress::Step>> steps_;
  const calibrate::CalibrationData& data_;
  Progress& progress_;
  std::unique_ptr<Stream> stream_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<QuantizedTensor>> made_;
  std::vector<bool> done_;  // of layers; the last is what lies outside of blocks
  std::uint64_t bytes_ = 0;
};

}  // namespace farthing::tune
