// Texts that tell tokenizers apart.
#pragma once

#include <span>
#include <string_view>

namespace farthing::text {

std::span<const std::string_view> probe_texts();

}  // namespace farthing::text
