// What farthing.json says of an artefact, kept inside of a GGUF file made from it, so that Farthing
// runs the file with the activations and the cache that the artefact fixed. Others ignore it.
#pragma once

#include "convert/gguf_tensors.h"
#include "io/checkpoint.h"

namespace farthing::convert {

// Adds the key io::kArtefactKey with the text of the artefact, its layers under the tensors' GGUF
// names; nothing where the checkpoint is no artefact.
void add_artefact(const io::Checkpoint& checkpoint, const std::vector<GgufItem>& items,
                  Json& metadata);

}  // namespace farthing::convert
