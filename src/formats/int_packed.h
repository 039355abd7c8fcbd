// Codes packed along the row into 32-bit words, ".weight_packed" of compressed-tensors.
#pragma once

#include "formats/int_grid.h"

namespace farthing {

std::vector<Part> packed_parts(Shape shape, const WeightScheme& scheme);
void load_packed_codes(const QuantizedTensor& tensor, std::int64_t row,
                       std::span<std::uint8_t> codes);
void store_packed_codes(QuantizedTensor& tensor, std::int64_t row,
                        std::span<const std::uint8_t> codes);

}  // namespace farthing
