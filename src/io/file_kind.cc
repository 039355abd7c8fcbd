#include "io/file_kind.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "core/error.h"

namespace farthing::io {
namespace {

// The first bytes, without leading white space, in lower case.
std::string start_of(ByteSpan bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 512));
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  std::string start(first == std::string_view::npos ? "" : text.substr(first, 64));
  for (char& c : start) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return start;
}

bool is_pickle(std::string_view start) {
  const bool protocol = start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5;
  return protocol || start.starts_with("pk\x03\x04");
}

}  // namespace

bool starts_as_safetensors(ByteSpan bytes) {  // a length below 2^56, then the first key
  return bytes.size() > 9 && bytes[7] == std::byte{0} && bytes[8] == std::byte{'{'} &&
         bytes[9] == std::byte{'"'};
}

void refuse_foreign_file(ByteSpan bytes, std::string_view where) {
  const std::string start = start_of(bytes);
  if (start.starts_with("version https://git-lfs"))
    bad_input(
        "{}: is a Git-LFS pointer, a few lines of text that stand for the file; fetch the file "
        "itself with `git lfs pull`",
        where);
  if (start.starts_with("<!doctype html") || start.starts_with("<html") ||
      start.starts_with("<?xml"))
    bad_input("{}: is a web page saved under this name, not the file itself; download it again",
              where);
  if (is_pickle(start))
    unsupported(
        "{}: is a PyTorch pickle, which can run any code when it is read; convert the model to "
        "safetensors",
        where);
  if (start.starts_with("gguf"))
    bad_input("{}: is a GGUF file; give its own path as the model, with a name ending in .gguf",
              where);
  if (starts_as_safetensors(bytes))
    bad_input("{}: is a safetensors file; give its directory as the model", where);
}

}  // namespace farthing::io
