// Where a student comes from, and how it is written.
#pragma once

#include <memory>
#include <string>

#include "io/artefact_writer.h"
#include "io/checkpoint.h"
#include "train/grid_scales.h"

namespace farthing::train {

// Whether `path` is a config.json, or a directory that has one and no weights.
bool is_config_only(const std::string& path);

// Writes a checkpoint of random weights as `config` describes it to `directory`: matrices a bell of
// the spread initializer_range (0.02), narrower by sqrt(2 layers) where a branch joins the residual
// stream; norms 1, biases 0. Tensors are named as the teacher's are, whose architecture it must
// have. Same seed, same bytes. Error: bad input, unsupported.
void write_random_student(const model::TensorMap& teacher, const std::string& config,
                          std::int64_t seed, const std::string& directory);

// Hands over the tensors of `checkpoint` with the parameters' values in their places, in the types
// that they had; tensors that are no parameters as they are, the second copy of a tied head left
// out; scales: of matrices on grids, which are written with them (null: none). Error: as
// write_shard().
void write_student(const model::TensorMap& map, const ParameterSet& parameters,
                   const GridScales* scales, io::ArtefactWriter& writer);

}  // namespace farthing::train
