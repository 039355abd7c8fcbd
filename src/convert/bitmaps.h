// The same artefact with its zeros left out of the files, and back.
#pragma once

#include <string>

#include "convert/convert.h"

namespace farthing::convert {

// Writes MODEL's directory again: matrices that take fewer bytes as a bitmap and the elements that
// are not zero get those (io/bitmask_layout.h), everything else is copied. The same numbers, bit by
// bit. Error: usage, when OUT is there; unsupported, for GGUF files and checkpoints of other tools'
// kinds; bad input; out of resources; interrupted.
ConvertReport to_bitmaps(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                         const ConvertOptions& options, Progress& progress);

// The inverse: every matrix kept by a bitmap becomes a dense one. Error: as above; usage, when
// there is none.
ConvertReport to_dense(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                       const ConvertOptions& options, Progress& progress);

}  // namespace farthing::convert
