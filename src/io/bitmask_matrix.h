// Matrices that compressed-tensors' sparse-bitmask and sparse-24-bitmask keep (releases up to
// 0.12): ".bitmask" U8 (rows, ceil(cols / 8)), the lowest bit of a byte first; ".compressed", the
// elements whose bit is set, row after row; ".shape" I64; ".row_offsets", which the mask tells too.
#pragma once

#include <optional>
#include <string_view>

#include "core/memory.h"
#include "io/checkpoint.h"

namespace farthing::io {

// The dense tensor `base` + ".weight", its bytes in `room`; nullopt: there is none of this kind.
// Error: bad input naming `where` for parts that are missing or contradict one another; unsupported
// for elements that are neither BF16, F16, F32, I8 nor F8_E4M3.
std::optional<TensorInfo> bitmask_tensor(const Checkpoint& checkpoint, std::string_view base,
                                         std::string_view where, AlignedArray<std::byte>& room);

}  // namespace farthing::io
