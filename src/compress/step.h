// A compression step is one file in steps/ and one row of the table in steps/registry.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "calibrate/statistics.h"
#include "compress/float_pass.h"
#include "compress/plan.h"
#include "compress/recipe.h"
#include "core/runtime.h"
#include "formats/quantized_tensor.h"
#include "tensor/matrix_view.h"

namespace farthing::compress {

// All calibration samples around one block, for a step that learns how to round it as a whole.
struct BlockSamples {
  const model::TensorMap& map;            // weights as the steps before have edited them
  std::span<const std::int64_t> lengths;  // of the samples, tokens
  MatrixView<const float> inputs;         // (tokens, hidden), behind the blocks that are compressed
  MatrixView<const float> outputs;        // (tokens, hidden), of this block in the float model
};

class Block;  // block.h: one block's matrices and vectors, as floats while a step edits them

// Rounds rows of one matrix; made once a matrix, called by several threads on different rows.
class Rounder {
 public:
  virtual ~Rounder() = default;
  // rows (n, in), the first being row `first` of the matrix, become rows out_first.. of `out`.
  // Error: bad input naming row and column of `out` for a weight that is not finite.
  virtual void round(std::int64_t first, MatrixView<const float> rows, QuantizedTensor& out,
                     std::int64_t out_first) const = 0;
  // Of the time in round() so far: the share in matrix products.
  virtual double product_share() const { return 0; }
  // Rows that a thread takes at a time.
  virtual std::int64_t grain() const { return 8; }
};

class Step {
 public:
  virtual ~Step() = default;
  // What rounder() wants to know of the inputs of a linear of a block or of the head, as bits of
  // calibrate::Statistic; it gets none where there is no calibration data (the recipe then fails)
  // or for an embedding that is no head.
  virtual unsigned statistics(const PlannedUnit&) const { return calibrate::kNoStatistics; }
  // Whether transform() does something, and what it wants to know of all inputs of the block.
  virtual bool transforms() const { return false; }
  virtual unsigned transform_statistics() const { return calibrate::kNoStatistics; }
  // Whether restructure() makes another model, which all other steps then work on. It is borrowed
  // from the one it is given. `notes` get what was decided, a sentence each.
  virtual bool restructures() const { return false; }
  // Whether that model gives the same answers, and is made without a look at data.
  virtual bool keeps_function() const { return false; }
  virtual std::unique_ptr<io::Checkpoint> restructure(const Survey&,
                                                      std::vector<std::string>& notes) {
    (void)notes;
    return nullptr;
  }
  // Before anything is read: may change schemes through plan.substitute().
  virtual void prepare(Plan& plan) { (void)plan; }
  virtual void prepare_model(Plan&, const model::TensorMap&) {}
  // Whether survey() wants samples, and what it does once every step has prepared, before anything
  // is compressed: it may look at the whole float model, and settle schemes.
  virtual bool surveys() const { return false; }
  virtual void survey(const Survey& survey, Plan& plan) { (void)survey, (void)plan; }
  // For each block in order, before its matrices are rounded: changes weights so that the model's
  // function stays (folded scales, rotations) or barely changes (pruning).
  virtual void transform(Runtime&, Block&) {}
  // Whether transform() turns the basis of the hidden states, without a look at data. Such a step
  // stands before all others that transform, and does the same to what is outside of the blocks:
  // hidden states behind the embedding, rows of a matrix, vectors by base name (empty: stays).
  virtual bool rotates() const { return false; }
  virtual void transform_states(Runtime&, MatrixView<float>) const {}
  virtual void transform_rows(const PlannedUnit&, MatrixView<float>) const {}
  virtual std::vector<float> new_vector(const model::TensorMap&, std::string_view) const {
    return {};
  }
  // Whether learn() does something, once every step has transformed a block and before rounder().
  virtual bool learns() const { return false; }
  virtual void learn(Runtime&, const Block&, const BlockSamples&) {}
  // How to round a matrix; null when this step does not round it. inputs: null without statistics.
  // Matrices that read the same input are asked for one after the other.
  virtual std::unique_ptr<Rounder> rounder(Runtime&, const PlannedUnit&,
                                           const calibrate::LinearStatistics* inputs) {
    (void)inputs;
    return nullptr;
  }
  // Memory that rounding the unit takes beside its floats, its codes and its statistics; of a step
  // that learns, all units of a block at once.
  virtual std::uint64_t work_bytes(const PlannedUnit& unit) const {
    (void)unit;
    return 0;
  }
};

struct StepRow {
  std::string_view name, summary;
  std::span<const std::string_view> keys;  // of its options
  bool rounds = false;
  // It rounds each matrix by itself: with the option "match" those alone, behind another step that
  // rounds all.
  bool can_match = false;
  std::unique_ptr<Step> (*make)(const Setting& options);  // Error: bad input
};
std::span<const StepRow> step_table();

// The recipe's steps; a recipe that rounds nothing gets the default, rtn, at its end (before the
// steps that round some matrices alone). Error: bad input for an unknown step or option (names the
// nearest) and for two steps that round the same.
std::vector<std::unique_ptr<Step>> make_steps(Recipe& recipe);

// --method: names joined by "+", and the steps they are short for. Error: usage, lists what is
// known.
std::vector<StepSetting> steps_of_method(std::string_view method);

// --sparsity: gives every step that takes weights out this share ("0.5") or pattern ("2:4"). Error:
// usage when there is none.
void set_sparsity(std::vector<StepSetting>& steps, std::string_view text);

}  // namespace farthing::compress
