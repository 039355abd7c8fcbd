// Results that lie beside the artefact that they are about (`farthing report` reads them there).
#pragma once

#include <string>
#include <string_view>

#include "core/progress.h"
#include "io/json.h"

namespace farthing::cli {

// Writes `result` as `file` into the directory `model` when Farthing made it (it has
// farthing.json or farthing.training.json); otherwise nothing. Entries of the maps texts, tasks,
// flips and generation that the file already has are kept unless the result brings them anew. What
// hinders it is only noted.
void keep_beside(const std::string& model, std::string_view file, Json result, Progress& progress);

}  // namespace farthing::cli
