// Two models of one architecture, matrix by matrix.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/progress.h"
#include "core/runtime.h"
#include "io/checkpoint.h"

namespace farthing::tune {

struct DiffSide {
  std::string scheme, activations;  // activations: "" where the files fix none
  std::uint64_t bytes = 0;
  std::optional<double> error;  // to what the artefact was made from
};
struct DiffLayer {
  std::string name;
  DiffSide a, b;
  double distance = 0;  // |A - B|^2 / |A|^2
  bool same_scheme() const { return a.scheme == b.scheme && a.activations == b.activations; }
};
struct Diff {
  std::vector<DiffLayer> layers;
  std::vector<std::string> changed_vectors;  // norms and biases that differ
  std::uint64_t bytes_a = 0, bytes_b = 0;    // of all tensors
};

// Error: bad input, when the models have other matrices or shapes.
Diff compare_models(Runtime& runtime, const io::Checkpoint& a, const io::Checkpoint& b,
                    Progress& progress);

}  // namespace farthing::tune
