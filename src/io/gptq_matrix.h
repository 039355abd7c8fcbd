// Matrices as GPTQ and AWQ checkpoints keep them, brought into the layout of int_packed: the codes,
// scales and zero points are the file's, only their places change.
//   GPTQ (AutoGPTQ, GPTQModel; versions 1 and 2), (in, out) matrices of `bits` per code:
//     .qweight I32 (in * bits / 32, out)       codes of one output dense down the words
//     .qzeros  I32 (groups, out * bits / 32)   zero points dense along the outputs; v1: less one
//     .scales  F16 (groups, out)               .g_idx I32 (in): the group of each input
//   AWQ "gemm" (AutoAWQ), 4 bits:
//     .qweight I32 (in, out / 8), .qzeros I32 (groups, out / 8), .scales F16 (groups, out)
//     eight outputs a word, in the order 0 2 4 6 1 3 5 7
#pragma once

#include <optional>
#include <string_view>

#include "io/checkpoint.h"
#include "io/quantization_config.h"

namespace farthing::io {

// nullopt when there is no base + ".qweight". Groups follow one another: see input_order.h. Error:
// bad input naming `where`, for parts that are missing or do not fit each other.
std::optional<QuantizedTensor> gptq_matrix(const Checkpoint& checkpoint,
                                           const QuantizationConfig& config, std::string_view base,
                                           std::string_view where);

// The order of outputs in AWQ's words: nibble i of a word holds output kAwqOrder[i].
inline constexpr int kAwqOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};

}  // namespace farthing::io
