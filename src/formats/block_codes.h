// Other codes under the scales that a block has. GGUF's block formats round the scales of a block
// together, so they have no write_grid(): whoever chooses codes lets quantize() find the scales,
// reads them by read_grid(), and then replaces the codes.
#pragma once

#include <span>
#include <string_view>

#include "formats/quantized_tensor.h"

namespace farthing {

// Writes the codes of a row (cols); its scales stay.
using WriteCodes = void (*)(QuantizedTensor&, std::int64_t row,
                            std::span<const std::uint8_t> codes);
// Null where the scheme is no block format, or one that Farthing only reads.
WriteCodes find_write_codes(const WeightScheme& scheme);

struct BlockCodes {
  std::string_view block;  // as in WeightScheme
  WriteCodes write;
};
std::span<const BlockCodes> legacy_block_codes();  // gguf_legacy.cc
std::span<const BlockCodes> super_block_codes();   // gguf_k.cc

}  // namespace farthing
