// Squeezing the zeros out of a packed matrix (squeezed/squeezed.h).
#pragma once

#include <string_view>

#include "core/cpu.h"
#include "kernels/packed_matrix.h"

namespace farthing::kernels {

// A way of expanding tiles, and below which share of weights that are not zero it is worth its time
// when a token is decoded, by the size of the elements (half bytes, bytes, words): measured where
// docs/pruning.md says so. Best first.
struct Expander {
  std::string_view name;
  ExpandRun run = nullptr;
  ThinRun thin_words = nullptr, thin_int8 = nullptr, thin_int16 = nullptr;
  double break_even[3] = {};
};
const Expander& choose_expander(IsaSet isas);

// The share of elements that are not zero, in some tiles or in all; 1 for packings that cannot be
// squeezed (FP32, codebooks, codes with offsets).
double density(const PackedMatrix& matrix, bool all);
// Where the kernels of this packing gain from squeezing, on these instruction sets.
double break_even(const PackedMatrix& matrix, IsaSet isas);
// Squeezes a dense matrix whose density is at most `most`. False: it stays as it was.
bool squeeze(Runtime& runtime, PackedMatrix& matrix, double most);
}  // namespace farthing::kernels
