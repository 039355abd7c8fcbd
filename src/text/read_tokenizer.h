// The tokenizer of a checkpoint in parts.
#pragma once

#include "io/checkpoint.h"
#include "text/pipeline.h"

namespace farthing::text {

// By the best files that the checkpoint has; a null model when it has none. Error: bad input,
// unsupported.
PipelineParts read_tokenizer(const io::Checkpoint& checkpoint);

}  // namespace farthing::text
