// The table of architectures: one row a family.
#include "core/error.h"
#include "core/text.h"
#include "model/architecture.h"

namespace farthing::model {

extern const Architecture kLlama, kMistral, kMixtral, kQwen2, kQwen3, kQwen3Moe, kGemma, kGemma2,
    kGemma3, kPhi3, kOpt, kGpt2, kGptNeoX, kFalcon, kBloom, kStableLm, kStarCoder2, kOlmo2,
    kGranite, kCohere, kCohere2;

namespace {
constexpr const Architecture* kArchitectures[] = {
    &kLlama,  &kMistral,  &kMixtral,    &kQwen2, &kQwen3,   &kQwen3Moe, &kGemma,
    &kGemma2, &kGemma3,   &kPhi3,       &kOpt,   &kGpt2,    &kGptNeoX,  &kFalcon,
    &kBloom,  &kStableLm, &kStarCoder2, &kOlmo2, &kGranite, &kCohere,   &kCohere2};
}

std::span<const Architecture* const> architectures() { return kArchitectures; }

const Architecture& find_architecture(const Json& config) {
  std::string wanted = json_text(config, "model_type", "", "config.json");
  if (const Json* classes = json_find(config, "architectures");
      classes != nullptr && classes->is_array() && !classes->empty()) {
    if (!classes->front().is_string())
      bad_input("config.json: architectures must be a list of names");
    wanted = classes->front().get<std::string>();
  }
  std::vector<std::string_view> known;
  for (const Architecture* architecture : kArchitectures) {
    for (std::string_view name : architecture->classes)
      if (name == wanted) return *architecture;
    known.push_back(architecture->classes.front());
  }
  unsupported("config.json: architecture \"{}\" is not supported; known: {}", printable(wanted),
              join(known, ", "));
}

}  // namespace farthing::model
