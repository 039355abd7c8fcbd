// The safetensors format: 8 bytes of header length, a JSON header, the data.
// Spec: https://github.com/huggingface/safetensors, "Format". Held to all of its rules: the header
// is at most 100,000,000 bytes and starts with '{', keys are unique, the tensors cover the data
// without overlap or hole, and nothing follows them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/checkpoint.h"
#include "io/mapped_file.h"

namespace farthing::io {

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr std::size_t kMaxTensorRank = 8;

struct Safetensors {
  std::vector<TensorInfo> tensors;  // by rising position in the file; bytes borrowed
  std::vector<std::pair<std::string, std::string>> metadata;  // "__metadata__"
};

// Error: bad input naming `where`.
Safetensors parse_safetensors(ByteSpan file, std::string_view where);

// Bits of one number of a safetensors dtype ("BF16" is 16, "F4" is 4); nullopt when unknown.
std::optional<int> dtype_bits(std::string_view dtype);

// A mapped file and what is in it.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  const Safetensors& content() const { return content_; }
  const MappedFile& file() const { return file_; }

 private:
  MappedFile file_;
  Safetensors content_;
};

}  // namespace farthing::io
