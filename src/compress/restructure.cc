#include "compress/restructure.h"

#include "model/architecture.h"

namespace farthing::compress {

Restructured restructure(Runtime& runtime, const io::Checkpoint& original,
                         std::span<const std::unique_ptr<Step>> steps, const Samples& samples,
                         const std::string& kv, std::uint64_t memory_limit, Progress& progress) {
  Restructured made;
  const calibrate::CalibrationData none;
  for (const auto& step : steps) {
    if (!step->restructures()) continue;
    const io::Checkpoint& now = made.last(original);
    const model::Architecture& architecture = model::architecture_of(now);
    const model::ModelConfig config = model::config_of(architecture, now);
    const model::TensorMap map(architecture, config, now);
    const calibrate::CalibrationData& data =
        step->keeps_function() ? none : samples(now, config);
    const std::size_t told = made.notes.size();
    made.models.push_back(
        step->restructure({runtime, map, data, kv, progress, memory_limit}, made.notes));
    for (std::size_t i = told; i < made.notes.size(); ++i) progress.note(made.notes[i]);
  }
  return made;
}

}  // namespace farthing::compress
