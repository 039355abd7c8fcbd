// Random weights of a known shape, for measuring speed without a file.
#pragma once

#include <memory>
#include <string_view>

#include "core/runtime.h"
#include "io/checkpoint.h"

namespace farthing::bench {

// shape: "tinyllama-1.1b", "llama-3.2-1b", "llama-2-7b", "smollm2-135m". The linears of the blocks
// get the scheme; head and embedding too when it is a float one, else `head`. Error: usage, naming
// the known shapes.
std::unique_ptr<io::Checkpoint> random_checkpoint(Runtime& runtime, std::string_view shape,
                                                  const QuantScheme& scheme,
                                                  const QuantScheme& head);

// Bytes of its weights. Error: as above.
double random_checkpoint_bytes(std::string_view shape, const QuantScheme& scheme,
                               const QuantScheme& head);

}  // namespace farthing::bench
