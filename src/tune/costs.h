// What each linear of a model costs here, measured by running the real kernels on the real shapes.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compress/sparsity.h"
#include "core/runtime.h"
#include "formats/quant_scheme.h"
#include "io/json.h"
#include "tensor/shape.h"

namespace farthing::tune {

struct LinearKind {
  Shape shape;
  WeightScheme weights;
  ActivationScheme activations;
  bool multiplied = false;  // its inputs, before they are rounded
  std::optional<compress::Sparsity> sparsity = {};
  bool operator==(const LinearKind&) const = default;
};

struct LinearCost {
  double seconds = 0;          // of one pass of the tokens, inputs prepared
  double prepare_seconds = 0;  // of rounding the inputs, which linears of one input share
  double bytes = 0;            // resident
};

class CostModel {
 public:
  // `path` keeps what was measured, for this processor, program, instruction sets and number of
  // threads; "": nothing is kept. A damaged or foreign file counts as empty.
  CostModel(Runtime& runtime, std::string path);

  // around: bytes of the whole model in this scheme. A pass over the model has read all of it since
  // it was last at this matrix, so copies of the matrix are cycled through until they are about as
  // many bytes (or lie beyond the caches).
  const LinearCost& linear(const LinearKind& kind, std::int64_t tokens, double around);
  // Of starting all threads on a piece of work and waiting for them, in seconds.
  double start_seconds();
  void save();  // best effort: a cache that cannot be written is no error

 private:
  Runtime& runtime_;
  std::string path_;
  std::map<std::string, LinearCost> known_;
  bool dirty_ = false;
};

}  // namespace farthing::tune
