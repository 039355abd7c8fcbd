#include "io/gguf.h"

#include "core/text.h"

namespace farthing::io {

bool is_gguf_file(const std::string& path) { return path.ends_with(".gguf"); }

std::unique_ptr<Checkpoint> open_gguf(const std::string& path) {
  unsupported("{}: GGUF files cannot be read yet", printable(path, 400));
}

}  // namespace farthing::io
