#include "io/checkpoint.h"

#include <cstring>
#include <filesystem>

#include "core/text.h"
#include "io/file_kind.h"
#include "io/gguf.h"
#include "io/hf_cache.h"
#include "io/hf_directory.h"
#include "io/mapped_file.h"

namespace farthing::io {
namespace {

bool starts_as_gguf(const std::string& path) {
  if (path.ends_with(".gguf")) return true;
  const MappedFile file(path);
  return file.bytes().size() >= 4 && std::memcmp(file.bytes().data(), "GGUF", 4) == 0;
}

[[noreturn]] void refuse_file(const std::string& path) {
  const std::string shown = printable(path, 400);
  if (path.ends_with(".incomplete"))
    bad_input("{}: is a download that was not finished; run it again", shown);
  const MappedFile file(path);
  refuse_foreign_file(file.bytes(), shown);
  bad_input("{}: must be a model directory in Hugging Face layout or a GGUF file; it is neither",
            shown);
}

std::unique_ptr<Checkpoint> open_model(const std::string& model, Contents contents) {
  if (model.empty()) usage_error("the model is an empty name; give a directory or a .gguf file");
  std::error_code ignored;
  const auto kind = std::filesystem::status(model, ignored).type();
  if (kind == std::filesystem::file_type::directory) return open_hf_directory(model, contents);
  if (kind == std::filesystem::file_type::not_found) {
    if (is_hub_name(model)) return open_hf_directory(find_in_hub_cache(model), contents);
    bad_input("{}: there is no such file or directory", printable(model, 400));
  }
  if (starts_as_gguf(model)) return open_gguf(model);
  refuse_file(model);
}

}  // namespace

std::unique_ptr<Checkpoint> Checkpoint::open(const std::string& model) {
  return open_model(model, Contents::kAll);
}

std::unique_ptr<Checkpoint> Checkpoint::open_texts(const std::string& model) {
  return open_model(model, Contents::kTexts);
}

}  // namespace farthing::io
