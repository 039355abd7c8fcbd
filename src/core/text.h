// Small helpers for the text of messages and names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace farthing {

// "1.5 GB", "812 kB", "12 B" (decimal units, as memory bandwidth is counted).
std::string human_bytes(std::uint64_t bytes);

// Text from an untrusted file made fit for a terminal and for one line: control characters and
// invalid UTF-8 become \xNN, and what is longer than `limit` bytes is cut with "...".
std::string printable(std::string_view untrusted, std::size_t limit = 80);

// The candidate with the least edit distance to `name`, or "" when none comes close.
std::string nearest_name(std::string_view name, std::span<const std::string_view> candidates);

std::string join(std::span<const std::string_view> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);

// Replaces every "{key}" by value.
std::string substitute(std::string_view pattern, std::string_view key, std::int64_t value);

// True when text is well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

}  // namespace farthing
