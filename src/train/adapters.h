// What of a model trains: all of it, its norms, low-rank additions to its matrices, or the scales
// of their grids.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "train/parameters.h"

namespace farthing::train {

enum class Part : std::uint8_t { kAll, kNorms, kAdapters, kScales };
// "all", "norms", "adapters" or "scales". Error: usage.
Part parse_part(std::string_view name);
std::string_view part_name(Part part);

// Numbers that train in the place of matrices, which are made from them.
class StandIn {
 public:
  virtual ~StandIn() = default;
  virtual std::vector<Parameter*> parameters() const = 0;
  virtual void clear_gradients(Runtime& runtime) = 0;
  virtual void take_gradients(Runtime& runtime) = 0;  // from those of the matrices
  virtual void apply(Runtime& runtime) = 0;           // to the matrices
};

// Low-rank additions (Hu et al., 2021, LoRA): a block's matrix is W + B A with B (out, rank), zero
// at first, and A (rank, in). They are part of the matrix at all times, so nothing has to be
// merged.
class Adapters final : public StandIn {
 public:
  // For each matrix of a block of the set; A is drawn by the seed. Borrows the set.
  Adapters(ParameterSet& set, std::int64_t rank, std::int64_t seed);

  std::vector<Parameter*> parameters() const override;
  void clear_gradients(Runtime& runtime) override;
  void take_gradients(Runtime& runtime) override;
  void apply(Runtime& runtime) override;

 private:
  struct Adapter {
    Parameter* matrix = nullptr;
    Matrix<float> base;  // W
    Parameter down, up;  // A, B
  };
  std::vector<std::unique_ptr<Adapter>> all_;
  Matrix<float> turned_;
};

// The parameters that train by themselves: the others lose their gradients, which spares the work
// for them, but for matrices that something stands for. Norms are all vectors, biases too; scales
// train with them.
std::vector<Parameter*> select_part(ParameterSet& set, Part part);

}  // namespace farthing::train
