#include "convert/gguf_artefact.h"

#include "core/text.h"
#include "io/artefact.h"

namespace farthing::convert {

void add_artefact(const io::Checkpoint& checkpoint, const std::vector<GgufItem>& items,
                  Json& metadata) {
  const auto text = checkpoint.text_file(io::kArtefactFile);
  if (!text) return;
  io::Artefact artefact = io::parse_artefact(*text, printable(checkpoint.path(), 400));
  std::vector<io::ArtefactLayer> layers;
  for (const GgufItem& item : items) {
    if (!item.is_matrix()) continue;
    const io::ArtefactLayer* layer = artefact.find(item.slices.front().unit.base);
    if (layer == nullptr) continue;
    layers.push_back(*layer);
    layers.back().name = item.name.substr(0, item.name.rfind('.'));
  }
  artefact.layers = std::move(layers);
  metadata[io::kArtefactKey] = io::write_artefact(artefact);
}

}  // namespace farthing::convert
