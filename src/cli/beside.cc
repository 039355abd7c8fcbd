#include "cli/beside.h"

#include "core/error.h"
#include "io/artefact.h"
#include "io/durable_file.h"
#include "io/mapped_file.h"
#include "train/distill.h"

namespace farthing::cli {
namespace {

void keep_older_entries(Json& result, const Json& older) {
  for (const char* key : {"texts", "tasks", "flips", "generation"}) {
    const Json* entries = older.is_object() ? json_find(older, key) : nullptr;
    if (entries == nullptr || !entries->is_object() || !result.contains(key)) continue;
    Json merged = *entries;
    merged.update(result[key]);
    result[key] = std::move(merged);
  }
}

}  // namespace

void keep_beside(const std::string& model, std::string_view file, Json result, Progress& progress) {
  const auto has = [&](std::string_view name) {
    return io::file_exists(model + "/" + std::string(name));
  };
  if (!has(io::kArtefactFile) && !has(train::kTrainingFile)) return;
  const std::string path = model + "/" + std::string(file);
  try {
    if (io::file_exists(path)) keep_older_entries(result, read_json_file(path));
    io::write_durably(path, result.dump(1) + "\n");
  } catch (const Error& error) {
    progress.note(std::string("note: the result is not kept beside the model: ") + error.what());
  }
}

}  // namespace farthing::cli
