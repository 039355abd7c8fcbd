// Joins the tensors that compressed-tensors keeps of one matrix.
#pragma once

#include <optional>
#include <string_view>

#include "io/checkpoint.h"
#include "io/quantization_config.h"

namespace farthing::io {

// The matrix whose parts are called base + ".weight_packed", ".weight_scale" and so on, or an I8 or
// FP8 ".weight" with its scales; bytes borrowed. nullopt: there are no such parts, the matrix is
// kept in floats. Error: bad input naming `where`, for parts that are missing or do not fit the
// scheme; unsupported. Experts that a checkpoint keeps as one matrix of rank 3 have parts with one
// more dimension in front (docs/adr/0020): of `slices` matrices this is number `slice`.
std::optional<QuantizedTensor> compressed_matrix(const Checkpoint& checkpoint,
                                                 const QuantizationConfig& config,
                                                 std::string_view base, std::string_view where,
                                                 int slice = 0, int slices = 1);

}  // namespace farthing::io
