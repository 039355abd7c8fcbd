// Sizes on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace farthing::cli {

// "8GB", "1.5G", "500 MB": decimal units. Error: usage.
std::uint64_t parse_bytes(const std::string& text, std::string_view option);

}  // namespace farthing::cli
