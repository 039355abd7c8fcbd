// What of a model trains: all of it, its norms, or low-rank additions to its matrices.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "train/parameters.h"

namespace farthing::train {

enum class Part : std::uint8_t { kAll, kNorms, kAdapters };
// "all", "norms" or "adapters". Error: usage.
Part parse_part(std::string_view name);
std::string_view part_name(Part part);

// Low-rank additions (Hu et al., 2021, LoRA): a block's matrix is W + B A with B (out, rank), zero
// at first, and A (rank, in). They are part of the matrix at all times, so nothing has to be
// merged.
class Adapters {
 public:
  // For each matrix of a block of the set; A is drawn by the seed. Borrows the set.
  Adapters(ParameterSet& set, std::int64_t rank, std::int64_t seed);

  std::vector<Parameter*> parameters() const;
  void clear_gradients(Runtime& runtime);
  // The gradients of B and A from those of the matrices.
  void take_gradients(Runtime& runtime);
  // The matrices from B and A.
  void apply(Runtime& runtime);

 private:
  struct Adapter {
    Parameter* matrix = nullptr;
    Matrix<float> base;  // W
    Parameter down, up;  // A, B
  };
  std::vector<std::unique_ptr<Adapter>> all_;
  Matrix<float> turned_;
};

// The parameters that train: others lose their gradients, which spares the work for them. Norms are
// all vectors, biases too. For adapters the set's matrices of blocks keep theirs; `adapters` then
// owns what trains.
std::vector<Parameter*> select_part(ParameterSet& set, Part part);

}  // namespace farthing::train
