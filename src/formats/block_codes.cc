#include "formats/block_codes.h"

namespace farthing {

WriteCodes find_write_codes(const WeightScheme& scheme) {
  for (const auto table : {legacy_block_codes(), super_block_codes()})
    for (const BlockCodes& row : table)
      if (row.block == scheme.block) return row.write;
  return nullptr;
}

}  // namespace farthing
