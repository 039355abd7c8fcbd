// Matrices stored in parts of their rows, so that each part may have a precision of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/derived_checkpoint.h"
#include "model/tensor_map.h"

namespace farthing::compress {

struct RowCuts {
  model::TensorUnit unit;        // (rows, in), plain floats, not transposed
  std::vector<std::int64_t> at;  // the first rows of all parts but the first, ascending
};

// Makes of `made`, which is empty, the checkpoint below it with these matrices (and their biases)
// in parts, named as model::part_name() says, and without the tensor called `dropped`. Borrows.
// Error: bad input, for a cut beyond the rows; unsupported, for a matrix that is stored transposed.
void take_in_parts(const io::Checkpoint& below, const std::vector<RowCuts>& cuts,
                   const std::string& dropped, io::DerivedCheckpoint& made);

}  // namespace farthing::compress
