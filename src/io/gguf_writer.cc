#include "io/gguf_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "core/text.h"
#include "io/gguf.h"

namespace farthing::io {
namespace {

constexpr std::uint64_t kAlignment = 32;  // general.alignment's default
constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;
// The one array whose numbers are bytes.
constexpr std::string_view kBytesKey = "tokenizer.ggml.precompiled_charsmap";

std::uint64_t aligned(std::uint64_t position) {
  return (position + kAlignment - 1) / kAlignment * kAlignment;
}

GgufType type_of(const PlannedGgufTensor& tensor) {
  const auto type = gguf_type(tensor.type);
  if (!type)
    throw Error(Fault::kInternal, fmt::format("{}: no GGUF type {}", tensor.name, tensor.type));
  return *type;
}

bool all_of(const Json& list, bool (Json::*is)() const noexcept) {
  return std::all_of(list.begin(), list.end(), [&](const Json& v) { return (v.*is)(); });
}

class Head {
 public:
  std::string take() { return std::move(out_); }

  template <class T>
  void number(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
  }
  void text(std::string_view text) {
    number<std::uint64_t>(text.size());
    out_ += text;
  }
  void raw(std::string_view bytes) { out_ += bytes; }

  void pair(const std::string& key, const Json& value) {
    text(key);
    if (!value.is_array()) return scalar(value, type_of(key, value), true);
    const GgufValueType type = key == kBytesKey ? GgufValueType::kU8 : element_type(key, value);
    kind(GgufValueType::kArray);
    kind(type);
    number<std::uint64_t>(value.size());
    for (const Json& one : value) scalar(one, type, false);
  }

 private:
  void kind(GgufValueType type) { number(static_cast<std::uint32_t>(type)); }

  static GgufValueType element_type(const std::string& key, const Json& list) {
    if (all_of(list, &Json::is_string)) return GgufValueType::kString;  // an empty list, too
    if (all_of(list, &Json::is_boolean)) return GgufValueType::kBool;
    if (all_of(list, &Json::is_number_integer)) return GgufValueType::kI32;
    if (all_of(list, &Json::is_number)) return GgufValueType::kF32;
    bad_input("{}: an array of GGUF metadata must be of one type", printable(key));
  }

  static GgufValueType type_of(const std::string& key, const Json& value) {
    if (value.is_string()) return GgufValueType::kString;
    if (value.is_boolean()) return GgufValueType::kBool;
    if (value.is_number_float()) return GgufValueType::kF32;
    if (!value.is_number_integer())
      bad_input("{}: GGUF metadata has no value like {}", printable(key), json_shown(value));
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)
      return GgufValueType::kU64;
    const auto whole = value.get<std::int64_t>();
    if (whole >= 0)
      return whole <= std::numeric_limits<std::uint32_t>::max() ? GgufValueType::kU32
                                                                : GgufValueType::kU64;
    return whole >= std::numeric_limits<std::int32_t>::min() ? GgufValueType::kI32
                                                             : GgufValueType::kI64;
  }

  void scalar(const Json& value, GgufValueType type, bool with_type) {
    if (with_type) kind(type);
    switch (type) {
      case GgufValueType::kString:
        return text(value.get_ref<const std::string&>());
      case GgufValueType::kBool:
        return number<std::uint8_t>(value.get<bool>() ? 1 : 0);
      case GgufValueType::kF32:
        return number(value.get<float>());
      case GgufValueType::kU8:
        return number(static_cast<std::uint8_t>(value.get<std::int64_t>() & 0xFF));
      case GgufValueType::kI32:
        return number(static_cast<std::int32_t>(value.get<std::int64_t>()));
      case GgufValueType::kU32:
        return number(static_cast<std::uint32_t>(value.get<std::int64_t>()));
      case GgufValueType::kI64:
        return number(value.get<std::int64_t>());
      default:
        return number(value.get<std::uint64_t>());
    }
  }

  std::string out_;
};

}  // namespace

std::uint64_t PlannedGgufTensor::bytes() const {
  const GgufType kind = type_of(*this);
  const std::int64_t row = shape.empty() ? 1 : shape.back();
  if (row % kind.block != 0)
    bad_input("{}: a row of type {} must be a multiple of {} numbers; found {}", printable(name),
              kind.name, kind.block, row);
  auto size = static_cast<std::uint64_t>(kind.bytes);
  for (std::size_t i = 0; i + 1 < shape.size(); ++i)
    size = checked_multiply(size, static_cast<std::uint64_t>(shape[i]), name);
  return checked_multiply(size, static_cast<std::uint64_t>(row / kind.block), name);
}

PlannedGguf::Layout PlannedGguf::lay_out(const Json& metadata,
                                         const std::vector<PlannedGgufTensor>& tensors) {
  Layout layout;
  layout.offsets.resize(tensors.size());
  Head head;
  head.raw(kMagic);
  head.number(kVersion);
  head.number<std::uint64_t>(tensors.size());
  head.number<std::uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata.items()) head.pair(key, value);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const PlannedGgufTensor& tensor = tensors[i];
    if (tensor.name.size() > kMaxGgufTensorName)
      bad_input("{}: a tensor's name in GGUF may have {} bytes", printable(tensor.name),
                kMaxGgufTensorName);
    head.text(tensor.name);
    head.number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t d = tensor.shape.size(); d-- > 0;)
      head.number(static_cast<std::uint64_t>(tensor.shape[d]));
    head.number(type_of(tensor).id);
    head.number(offset);
    layout.offsets[i] = offset;
    offset = aligned(checked_add(offset, tensor.bytes(), tensor.name));
  }
  layout.head = head.take();
  layout.head.resize(aligned(layout.head.size()), '\0');
  for (std::uint64_t& at : layout.offsets) at += layout.head.size();
  layout.end = checked_add(layout.head.size(), offset, "GGUF file");
  return layout;
}

PlannedGguf::PlannedGguf(std::string path, const Json& metadata,
                         std::vector<PlannedGgufTensor> tensors)
    : PlannedGguf(std::move(path), tensors, lay_out(metadata, tensors)) {}

PlannedGguf::PlannedGguf(std::string path, std::vector<PlannedGgufTensor> tensors, Layout layout)
    : tensors_(std::move(tensors)),
      offsets_(std::move(layout.offsets)),
      end_(layout.end),
      file_(std::move(path), layout.end) {
  file_.write(0, std::as_bytes(std::span(layout.head)));
}

void PlannedGguf::write(std::size_t tensor, std::uint64_t offset, ByteSpan bytes) {
  const std::uint64_t size = tensors_[tensor].bytes();
  if (offset > size || bytes.size() > size - offset)
    throw Error(Fault::kInternal, fmt::format("{}: writing past its end", tensors_[tensor].name));
  file_.write(offsets_[tensor] + offset, bytes);
}

}  // namespace farthing::io
