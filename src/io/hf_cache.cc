#include "io/hf_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "core/text.h"
#include "io/mapped_file.h"

namespace farthing::io {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_name_part(std::string_view part) {
  return !part.empty() && part.size() <= 96 && part[0] != '.' && part[0] != '-' &&
         std::all_of(part.begin(), part.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

bool is_commit(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

}  // namespace

bool is_hub_name(std::string_view model) {
  const std::size_t slash = model.find('/');
  return slash != std::string_view::npos && is_name_part(model.substr(0, slash)) &&
         is_name_part(model.substr(slash + 1));
}

std::string hub_cache_directory() {
  if (const std::string cache = variable("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return home + "/hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/huggingface/hub";
  return variable("HOME") + "/.cache/huggingface/hub";
}

std::string find_in_hub_cache(std::string_view model) {
  std::string folder(model);
  folder.replace(folder.find('/'), 1, "--");
  const std::string root = hub_cache_directory() + "/models--" + folder;
  const std::string shown = printable(root, 400);
  if (!file_exists(root + "/refs/main"))
    bad_input(
        "{}: is neither a path nor in the local Hugging Face cache ({} has no refs/main); Farthing "
        "does not download, `hf download {}` does",
        printable(model), shown, printable(model));
  std::string commit = read_text_file(root + "/refs/main", 4096);
  while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back())))
    commit.pop_back();
  if (!is_commit(commit))
    bad_input("{}/refs/main: must name a commit; found \"{}\"", shown, printable(commit));
  const std::string snapshot = root + "/snapshots/" + commit;
  if (!file_exists(snapshot))
    bad_input("{}: the cache lacks its snapshot {}; run `hf download {}` again", printable(model),
              printable(snapshot, 400), printable(model));
  return snapshot;
}

bool has_unfinished_download(const std::string& snapshot) {
  std::error_code ignored;
  const fs::path blobs = fs::path(snapshot).parent_path().parent_path() / "blobs";
  for (fs::directory_iterator entry(blobs, ignored), end; entry != end; entry.increment(ignored))
    if (entry->path().extension() == ".incomplete") return true;
  return false;
}

}  // namespace farthing::io
