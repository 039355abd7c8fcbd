// Which GGUF type each matrix of a file gets, and how its rows come there.
#pragma once

#include <optional>
#include <string>

#include "convert/convert.h"
#include "convert/gguf_tensors.h"

namespace farthing::convert {

enum class Move : std::uint8_t {
  kCopy,    // the bytes of a row, as they are
  kRegrid,  // codes and scales in another layout
  kRound    // through floats
};

struct GgufTarget {
  WeightScheme scheme = {};
  Move move = Move::kCopy;
  std::string from = {};  // the scheme that the checkpoint has
  std::string note = {};  // why another type was taken than the one asked for; "" otherwise
};

// `type` as in ConvertOptions; nullopt keeps the numbers.
GgufTarget choose_target(const GgufItem& item, const model::TensorMap& map,
                         const std::optional<WeightScheme>& type);

// ConvertOptions::type. Error: usage for a scheme that GGUF does not have.
std::optional<WeightScheme> parse_gguf_scheme(const std::string& type);
std::string gguf_type_name(const WeightScheme& scheme);  // "Q4_K", "BF16"

}  // namespace farthing::convert
