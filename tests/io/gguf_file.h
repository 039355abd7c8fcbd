// Builds GGUF files field by field, so that each can be wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/io/files.h"

namespace farthing::io::gguf_file {

constexpr std::uint32_t kF32 = 0, kQ4_0 = 2, kQ6K = 14;

inline std::string text(std::string_view value) {
  return raw<std::uint64_t>(value.size()) + std::string(value);
}
template <class T>
std::string pair(std::string_view key, std::uint32_t type, T value) {
  return text(key) + raw(type) + raw(value);
}
inline std::string pair(std::string_view key, std::string_view value) {
  return text(key) + raw<std::uint32_t>(8) + text(value);
}
inline std::string array(std::string_view key, std::uint32_t type, std::uint64_t count,
                         std::string_view values) {
  return text(key) + raw<std::uint32_t>(9) + raw(type) + raw(count) + std::string(values);
}
inline std::string tensor(std::string_view name, std::vector<std::uint64_t> dims,
                          std::uint32_t type, std::uint64_t offset) {
  std::string out = text(name) + raw(static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) out += raw(dim);
  return out + raw(type) + raw(offset);
}

struct File {
  std::vector<std::string> pairs = {}, tensors = {};
  std::string data = "";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::string magic = "GGUF";

  std::string bytes() const {
    std::string out = magic + raw(version) + raw<std::uint64_t>(tensors.size()) +
                      raw<std::uint64_t>(pairs.size());
    for (const std::string& one : pairs) out += one;
    for (const std::string& one : tensors) out += one;
    if (!data.empty()) out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }
};

}  // namespace farthing::io::gguf_file
