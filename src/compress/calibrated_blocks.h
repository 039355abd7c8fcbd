// Block streaming for steps that see a block as a whole, mostly with calibration data: what enters
// each linear is measured behind the blocks, and the parts of this block, that are compressed
// already (algorithms.md 0.1).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/collect.h"
#include "calibrate/data.h"
#include "compress/block.h"
#include "compress/step.h"
#include "compress/stream_blocks.h"
#include "io/overlay_checkpoint.h"

namespace farthing::compress {

struct FinishedMatrix {
  const PlannedUnit* unit = nullptr;
  std::vector<QuantizedTensor> slices;  // (out, in) each
  UnitResult result;
  std::optional<ActivationScheme> activations() const;  // as planned, with the measured scale
};

struct FinishedBlock {
  std::vector<FinishedMatrix> matrices;            // those that are not kept
  std::map<std::string, QuantizedTensor> vectors;  // norms and biases that changed, by base name
};

// The scale of static activations, so that the largest input of all tokens is the last code; an
// expert that no token reached takes the range of those that were. Scales of slices: the largest.
void fix_input_scale(const Block::Place& place, const calibrate::Collected& collected,
                     UnitResult& result);

struct CalibrationOptions {
  std::string kv = "fp16";                        // the cache's type in the forward passes
  double first_weight = calibrate::kFirstWeight;  // calibrate::SampleRows
  std::string spill;                              // directory for hidden states; "": memory
};

class CalibratedBlocks {
 public:
  // All are borrowed. The tokens are embedded at once; without any, blocks are edited and rounded
  // by what their weights say.
  CalibratedBlocks(Runtime& runtime, const model::TensorMap& map, const Plan& plan,
                   std::span<const std::unique_ptr<Step>> steps,
                   const calibrate::CalibrationData& data, const CalibrationOptions& options);
  ~CalibratedBlocks();

  // Compresses a block and takes the samples through the result; blocks come in order.
  FinishedBlock compress(int layer);
  // What each matrix of the block costs when it alone is rounded, to nearest: the mean over tokens
  // of |error|^2 / |block's output|^2. Takes the samples through the block in float; only the next
  // block may follow, and no call of compress().
  struct MatrixCost {
    const PlannedUnit* unit;
    double cost;
  };
  std::vector<MatrixCost> probe(int layer);
  // What the calls so far have spent their time on.
  calibrate::WorkTimes times() const;
  // Takes the samples through a block that an earlier run has finished.
  void replay(int layer, const FinishedBlock& finished);
  // What enters the head, once all blocks are done, when a step wants to know it of this unit; else
  // null. The samples are let go of.
  const calibrate::LinearStatistics* head_inputs(const PlannedUnit& unit);

  // Bytes that all of this takes at its peak: hidden states (unless they are spilled), the largest
  // block as floats, packed and compressed, the statistics and factors of its largest stage, a
  // chunk of activations, head and embedding.
  static std::uint64_t memory_need(const model::TensorMap& map, const Plan& plan,
                                   std::span<const std::unique_ptr<Step>> steps,
                                   std::int64_t tokens, bool spill);

  // What the statistics of the head take while it is rounded; nothing else is in memory then.
  static std::uint64_t head_need(const Plan& plan, std::span<const std::unique_ptr<Step>> steps);

 private:
  void transform(Block& block);
  void put_edits(const Block& block, io::OverlayCheckpoint& overlay);
  void round_stage(Block& block, model::Slot stage, const calibrate::Collected& collected,
                   FinishedBlock& finished);
  void round_matrix(Block& block, const Block::Place& place,
                    const calibrate::LinearStatistics* inputs, FinishedMatrix& to);
  double cost_of(Block& block, const PlannedUnit& unit, const calibrate::Collected& ranges,
                 const calibrate::HiddenStates& exact, calibrate::HiddenStates& trial);
  void put_final_norm();
  void put_rotated(int layer);
  void put_vectors(const std::map<std::string, QuantizedTensor>& vectors);
  void put_finished(const FinishedMatrix& matrix);
  calibrate::Collected collect(int layer, const calibrate::Wanted& wanted);
  void forget();
  void learn(const Block& block);
  void advance(int layer);
  void advance_reference(int layer);

  Runtime& runtime_;
  const model::TensorMap& map_;
  const Plan& plan_;
  std::span<const std::unique_ptr<Step>> steps_;
  CalibrationOptions options_;
  calibrate::SampleRows samples_;
  bool has_reference_ = false;
  int reference_layer_ = 0;                        // that its states enter next
  io::OverlayCheckpoint overlay_, float_overlay_;  // compressed; with the steps' edits only
  std::unique_ptr<model::Model> model_, reference_;
  std::unique_ptr<calibrate::HiddenStates> states_, reference_states_;
  calibrate::BlockRunner runner_;
  std::optional<calibrate::LinearStatistics> head_inputs_;
  calibrate::WorkTimes times_;  // without what runner_ measures
};

}  // namespace farthing::compress
