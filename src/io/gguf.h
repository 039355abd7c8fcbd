// GGUF files, versions 2 and 3, little endian.
// Spec: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <memory>
#include <string>

#include "io/checkpoint.h"

namespace farthing::io {

bool is_gguf_file(const std::string& path);
std::unique_ptr<Checkpoint> open_gguf(const std::string& path);

}  // namespace farthing::io
