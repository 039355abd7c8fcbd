// QuantizedTensor: what quantisers make and files keep. It knows no processor.
#pragma once

#include <vector>

#include "core/memory.h"
#include "formats/quant_scheme.h"
#include "tensor/shape.h"

namespace farthing {

struct Format;

// A matrix (out_features, in_features) in one format. Only the format's row interprets the parts:
// for float and GGUF block types one part, for integers the packed codes, scales and zero points.
struct QuantizedTensor {
  const Format* format = nullptr;
  Shape shape;
  WeightScheme scheme;
  std::vector<Bytes> parts;

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Bytes& part : parts) sum += part.size();
    return sum;
  }
};

}  // namespace farthing
