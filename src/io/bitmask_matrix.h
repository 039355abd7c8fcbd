// Matrices that compressed-tensors' sparse-bitmask and sparse-24-bitmask keep (releases up to
// 0.12): ".bitmask" U8 (rows, ceil(cols / 8)), the lowest bit of a byte first; ".compressed", the
// elements whose bit is set, row after row; ".shape" I64; ".row_offsets", which the mask tells too.
#pragma once

#include <optional>
#include <string_view>

#include "core/memory.h"
#include "io/checkpoint.h"
#include "tensor/shape.h"

namespace farthing::io {

// The dense tensor `base` + ".weight", its bytes in `room`; nullopt: there is none of this kind.
// Error: bad input naming `where` for parts that are missing or contradict one another; unsupported
// for elements that are neither BF16, F16, F32, I8 nor F8_E4M3.
std::optional<TensorInfo> bitmask_tensor(const Checkpoint& checkpoint, std::string_view base,
                                         std::string_view where, AlignedArray<std::byte>& room);

// Packed codes have a layout of Farthing's own in the place of ".weight_packed": a mask U8 (rows,
// ceil(cols / 8)) as above, its bit set where a code is not that of zero, 2^(bits - 1); and the
// codes whose bit is set, U8, `bits` bits each, the lowest first, each row from a new byte on.
inline constexpr std::string_view kPackedSuffix = ".weight_packed";
inline constexpr std::string_view kCodeMaskSuffix = ".weight_bitmask";
inline constexpr std::string_view kCodeValuesSuffix = ".weight_nonzeros";

// True when `base` is kept so.
bool has_code_bitmask(const Checkpoint& checkpoint, std::string_view base);
// The tensor ".weight_packed" of symmetric codes of `bits` bits, its bytes in `room`. Error: bad
// input naming `what` for parts that are missing or contradict one another.
TensorInfo code_bitmask_tensor(const Checkpoint& checkpoint, std::string_view base, Shape shape,
                               int bits, std::string_view what, AlignedArray<std::byte>& room);

// True when `base` is kept by a bitmap of either kind.
bool is_bitmask(const Checkpoint& checkpoint, std::string_view base);

// How a matrix is kept when by a bitmap: elements and bytes of mask and values; nullopt: it is not.
struct StoredBitmask {
  std::uint64_t kept = 0;  // bits of the mask that are set
  std::uint64_t bytes = 0;
};
std::optional<StoredBitmask> stored_bitmask(const Checkpoint& checkpoint, std::string_view base);

}  // namespace farthing::io
