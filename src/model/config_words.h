// A ModelConfig said in the words of Hugging Face configurations, for writing it into files of
// other kinds and for comparing what two files say.
#pragma once

#include <span>

#include "io/json.h"
#include "model/architecture.h"

namespace farthing::model {

// config.json's keys, all defaults resolved; what config.json has no word for (how a block is put
// together, the frequencies of RoPE) under names of our own. `rope_factors` are those that a GGUF
// file keeps as a tensor, or none.
Json config_words(const Architecture& architecture, const ModelConfig& config,
                  std::span<const float> rope_factors = {});

// The keys whose values differ, numbers by more than FP32 keeps.
std::vector<std::string> differing_keys(const Json& a, const Json& b);

// What a GGUF file keeps as the tensor "rope_freqs": by how much Llama 3's rule divides each
// frequency.
std::vector<float> llama3_factors(const RopeConfig& rope, std::int64_t rotary_dim);

}  // namespace farthing::model
