// Tensors whose own bytes are the matrix: floats and GGUF blocks.
#pragma once

#include <string_view>

#include "io/checkpoint.h"

namespace farthing::io {

// One matrix of a tensor of rank 1 (one row), 2, or 3 (`slices` matrices, of which this is number
// `slice`), with the scheme of its dtype. Bytes are borrowed where they lie aligned for their
// numbers, else copied. Error: bad input naming `where` and the tensor; unsupported for a dtype
// that is no weight.
QuantizedTensor plain_matrix(const TensorInfo& tensor, int slice, int slices,
                             std::string_view where);

// (rows, cols) of slice 0 .. slices - 1 of the shape, as above.
Shape matrix_shape(const TensorInfo& tensor, int slices, std::string_view where);

// Slice `slice` of `slices` equal parts of the tensor's bytes, borrowed when aligned to
// `alignment`.
Bytes slice_bytes(const TensorInfo& tensor, int slice, int slices, std::size_t alignment);

}  // namespace farthing::io
