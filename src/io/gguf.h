// GGUF files, versions 2 and 3, little endian.
// Spec: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"

namespace farthing::io {

// How a tensor type lies in a file: blocks of `block` numbers along a row, `bytes` each.
struct GgufType {
  std::uint32_t id;
  std::string_view name;  // "Q4_K"
  std::int64_t block;
  std::int64_t bytes;
};
std::optional<GgufType> gguf_type(std::uint32_t id);
std::optional<GgufType> gguf_type(std::string_view name);

enum class GgufValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
// llama.cpp refuses longer names, so no file has them.
inline constexpr std::uint64_t kMaxGgufTensorName = 63;

// One file. Arrays and strings of the metadata are as they stand, numbers are not renamed.
struct Gguf {
  Json metadata = Json::object();
  std::vector<TensorInfo> tensors;  // bytes borrowed, shape outermost first
};
// Error: bad input naming `where`; unsupported for other versions, big-endian files and types that
// are not in the table.
Gguf parse_gguf(ByteSpan file, std::string_view where);

// config.json's keys made from the metadata (and from which tensors there are), in the words of
// Hugging Face configurations. An architecture that is not in the table keeps its GGUF name. Error:
// bad input, unsupported.
Json gguf_config(const Json& metadata, std::span<const TensorInfo> tensors, std::string_view where);

// The other way: the metadata of a model whose configuration says everything in the words of
// Hugging Face (model/config_words.h), tokenizer apart. Error: unsupported, for an architecture
// that llama.cpp does not have.
Json gguf_metadata(const Json& config, std::string_view where);

// A file, or the parts name-00001-of-0000N.gguf of one, given any part.
std::unique_ptr<Checkpoint> open_gguf(const std::string& path);

}  // namespace farthing::io
