#include "io/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "core/text.h"
#include "io/file_kind.h"

namespace farthing::io {
namespace {

// llama.cpp refuses more dimensions, so no file has them.
constexpr std::uint64_t kMaxTensorName = kMaxGgufTensorName;
constexpr std::uint32_t kMaxRank = 4;
constexpr std::uint64_t kMaxKey = 65535;
constexpr std::uint64_t kMaxAlignment = 1 << 20;
// A value of metadata costs up to about 50 bytes of memory, so their number is limited; the largest
// vocabularies have below 1 million tokens and merges.
constexpr std::uint64_t kMaxValues = 16'000'000;

using ValueType = GgufValueType;

constexpr std::array kTypes = {
    GgufType{0, "F32", 1, 4},         GgufType{1, "F16", 1, 2},
    GgufType{2, "Q4_0", 32, 18},      GgufType{3, "Q4_1", 32, 20},
    GgufType{6, "Q5_0", 32, 22},      GgufType{7, "Q5_1", 32, 24},
    GgufType{8, "Q8_0", 32, 34},      GgufType{9, "Q8_1", 32, 40},
    GgufType{10, "Q2_K", 256, 84},    GgufType{11, "Q3_K", 256, 110},
    GgufType{12, "Q4_K", 256, 144},   GgufType{13, "Q5_K", 256, 176},
    GgufType{14, "Q6_K", 256, 210},   GgufType{15, "Q8_K", 256, 292},
    GgufType{16, "IQ2_XXS", 256, 66}, GgufType{17, "IQ2_XS", 256, 74},
    GgufType{18, "IQ3_XXS", 256, 98}, GgufType{19, "IQ1_S", 256, 50},
    GgufType{20, "IQ4_NL", 32, 18},   GgufType{21, "IQ3_S", 256, 110},
    GgufType{22, "IQ2_S", 256, 82},   GgufType{23, "IQ4_XS", 256, 136},
    GgufType{24, "I8", 1, 1},         GgufType{25, "I16", 1, 2},
    GgufType{26, "I32", 1, 4},        GgufType{27, "I64", 1, 8},
    GgufType{28, "F64", 1, 8},        GgufType{29, "IQ1_M", 256, 56},
    GgufType{30, "BF16", 1, 2},       GgufType{34, "TQ1_0", 256, 54},
    GgufType{35, "TQ2_0", 256, 66},   GgufType{39, "MXFP4", 32, 17},
};

// The bytes that a value of fixed size takes; a string takes at least its length.
std::uint64_t least_size(ValueType type, std::string_view where) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kI8:
    case ValueType::kBool:
      return 1;
    case ValueType::kU16:
    case ValueType::kI16:
      return 2;
    case ValueType::kU32:
    case ValueType::kI32:
    case ValueType::kF32:
      return 4;
    case ValueType::kU64:
    case ValueType::kI64:
    case ValueType::kF64:
    case ValueType::kString:
      return 8;
    case ValueType::kArray:
      unsupported("{}: has an array of arrays, which no reader knows", where);
  }
  bad_input("{}: has no value type {}; known are 0 to 12", where, static_cast<std::uint32_t>(type));
}

class Parser {
 public:
  Parser(ByteSpan file, std::string_view where)
      : file_(file), cursor_(file, where), where_(where) {}

  Gguf parse() {
    read_head();
    for (std::uint64_t i = 0; i < keys_; ++i) read_pair();
    refuse_duplicates();
    read_alignment();
    read_tensors();
    return std::move(out_);
  }

 private:
  void read_head() {
    if (cursor_.remaining() < 4 || cursor_.text(4, "magic") != "GGUF") {
      refuse_foreign_file(file_, where_);
      bad_input("{}: must start with \"GGUF\"; this is no GGUF file", where_);
    }
    const auto version = cursor_.read<std::uint32_t>("version");
    if (version != 0 && (version & 0xFFFFu) == 0)
      unsupported("{}: is a big-endian GGUF file; convert it to little endian", where_);
    if (version != 2 && version != 3)
      unsupported("{}: has GGUF version {}; versions 2 and 3 can be read", where_, version);
    tensors_ = cursor_.read<std::uint64_t>("number of tensors");
    keys_ = cursor_.read<std::uint64_t>("number of metadata keys");
    // The least that an entry takes: lengths, type and one byte; rank, type and offset.
    if (keys_ > cursor_.remaining() / 13)
      bad_input("{}: cannot hold {} metadata keys in {} bytes; is it complete?", where_, keys_,
                cursor_.remaining());
    if (tensors_ > cursor_.remaining() / 24)
      bad_input("{}: cannot hold {} tensors in {} bytes; is it complete?", where_, tensors_,
                cursor_.remaining());
  }

  std::string_view read_string(std::string_view what) {
    return cursor_.text(cursor_.read<std::uint64_t>(what), what);
  }

  void read_pair() {
    const auto length = cursor_.read<std::uint64_t>("a metadata key");
    if (length == 0 || length > kMaxKey)
      bad_input("{}: a metadata key must have 1 to {} bytes; found {}", where_, kMaxKey, length);
    const std::string key(cursor_.text(length, "a metadata key"));
    const auto type = static_cast<ValueType>(cursor_.read<std::uint32_t>("a value's type"));
    Json value = type == ValueType::kArray ? read_array() : read_value(type);
    if (key == "general.alignment" && type != ValueType::kU32)
      bad_input("{}: general.alignment must be an unsigned number of 32 bits", where_);
    auto& members = static_cast<Json::object_t::Container&>(
        out_.metadata.get_ref<Json::object_t&>());  // operator[] would search
    members.emplace_back(key, std::move(value));
  }

  Json read_array() {
    const auto type = static_cast<ValueType>(cursor_.read<std::uint32_t>("an array's type"));
    const auto count = cursor_.read<std::uint64_t>("an array's length");
    if (count > cursor_.remaining() / least_size(type, where_))
      bad_input("{}: cannot hold an array of {} values in {} bytes; is it complete?", where_, count,
                cursor_.remaining());
    if (count > kMaxValues - values_)
      bad_input("{}: has more than {} metadata values, which is the limit", where_, kMaxValues);
    Json::array_t array;
    array.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) array.push_back(read_value(type));
    return array;
  }

  Json read_value(ValueType type) {
    if (++values_ > kMaxValues)
      bad_input("{}: has more than {} metadata values, which is the limit", where_, kMaxValues);
    constexpr std::string_view kWhat = "a metadata value";
    switch (type) {
      case ValueType::kU8:
        return cursor_.read<std::uint8_t>(kWhat);
      case ValueType::kI8:
        return cursor_.read<std::int8_t>(kWhat);
      case ValueType::kU16:
        return cursor_.read<std::uint16_t>(kWhat);
      case ValueType::kI16:
        return cursor_.read<std::int16_t>(kWhat);
      case ValueType::kU32:
        return cursor_.read<std::uint32_t>(kWhat);
      case ValueType::kI32:
        return cursor_.read<std::int32_t>(kWhat);
      case ValueType::kF32:
        return static_cast<double>(cursor_.read<float>(kWhat));
      case ValueType::kU64:
        return cursor_.read<std::uint64_t>(kWhat);
      case ValueType::kI64:
        return cursor_.read<std::int64_t>(kWhat);
      case ValueType::kF64:
        return cursor_.read<double>(kWhat);
      case ValueType::kString:
        return std::string(read_string("a metadata string"));
      case ValueType::kBool:
        break;
      case ValueType::kArray:
        break;
    }
    least_size(type, where_);  // refuses what is no type
    const auto value = cursor_.read<std::uint8_t>(kWhat);
    if (value > 1) bad_input("{}: a truth value must be 0 or 1; found {}", where_, value);
    return value == 1;
  }

  void refuse_duplicates() const {
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : out_.metadata.get_ref<const Json::object_t&>())
      keys.push_back(key);
    refuse_twice(std::move(keys), "metadata key");
  }

  void refuse_twice(std::vector<std::string_view> names, std::string_view what) const {
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
      bad_input("{}: the {} {} occurs twice", where_, what, printable(*twice));
  }

  void read_alignment() {
    const Json* alignment = json_find(out_.metadata, "general.alignment");
    if (alignment == nullptr) return;
    alignment_ = alignment->get<std::uint64_t>();
    if (!std::has_single_bit(alignment_) || alignment_ > kMaxAlignment)
      bad_input("{}: general.alignment must be a power of two up to {}; found {}", where_,
                kMaxAlignment, alignment_);
  }

  std::uint64_t align(std::uint64_t position, std::string_view what) const {
    return checked_add(position, alignment_ - 1, what) / alignment_ * alignment_;
  }

  void read_tensors() {
    std::vector<std::uint64_t> sizes;
    std::uint64_t end = 0;  // in the data section, of the tensors so far
    for (std::uint64_t i = 0; i < tensors_; ++i) {
      sizes.push_back(read_tensor(end));
      end = align(checked_add(end, sizes.back(), where_), where_);
    }
    std::vector<std::string_view> names;
    for (const TensorInfo& tensor : out_.tensors) names.push_back(tensor.name);
    refuse_twice(std::move(names), "tensor");
    const std::uint64_t start = align(cursor_.position(), where_);
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::uint64_t first = checked_add(start, offset, where_);
      if (first > file_.size() || sizes[i] > file_.size() - first)
        bad_input("{}: {} lies at bytes {} to {}, the file has {}; is it complete?", where_,
                  printable(out_.tensors[i].name), first, first + sizes[i], file_.size());
      out_.tensors[i].bytes = file_.subspan(first, sizes[i]);
      offset = align(offset + sizes[i], where_);
    }
  }

  // Reads one description; returns the bytes that the tensor takes.
  std::uint64_t read_tensor(std::uint64_t expected_offset) {
    const auto length = cursor_.read<std::uint64_t>("a tensor's name");
    if (length == 0 || length > kMaxTensorName)
      bad_input("{}: a tensor's name must have 1 to {} bytes; found {}", where_, kMaxTensorName,
                length);
    TensorInfo tensor;
    tensor.name = cursor_.text(length, "a tensor's name");
    const std::string what = fmt::format("{}: {}", where_, printable(tensor.name));
    const auto rank = cursor_.read<std::uint32_t>("a tensor's rank");
    if (rank > kMaxRank)
      bad_input("{}: a tensor may have {} dimensions; found {}", what, kMaxRank, rank);
    std::uint64_t count = 1;
    for (std::uint32_t i = 0; i < rank; ++i) {
      const auto size = cursor_.read<std::uint64_t>("a tensor's shape");
      if (size == 0 || size > INT64_MAX)
        bad_input("{}: a dimension must be from 1 to 2^63 - 1; found {}", what, size);
      count = checked_multiply(count, size, what);
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
    }
    const auto id = cursor_.read<std::uint32_t>("a tensor's type");
    const std::optional<GgufType> type = gguf_type(id);
    if (!type) unsupported("{}: has the unknown tensor type {}", what, id);
    tensor.dtype = type->name;
    const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % type->block != 0)
      bad_input("{}: a row of type {} must be a multiple of {} numbers; found {}", what, type->name,
                type->block, row);
    const auto offset = cursor_.read<std::uint64_t>("a tensor's offset");
    if (offset != expected_offset)
      bad_input("{}: must start at byte {} of the data, right after the one before; found {}", what,
                expected_offset, offset);
    out_.tensors.push_back(std::move(tensor));
    return checked_multiply(count / static_cast<std::uint64_t>(type->block),
                            static_cast<std::uint64_t>(type->bytes), what);
  }

  ByteSpan file_;
  Cursor cursor_;
  std::string_view where_;
  std::uint64_t tensors_ = 0, keys_ = 0, values_ = 0, alignment_ = 32;
  Gguf out_;
};

}  // namespace

std::optional<GgufType> gguf_type(std::uint32_t id) {
  for (const GgufType& type : kTypes)
    if (type.id == id) return type;
  return std::nullopt;
}

std::optional<GgufType> gguf_type(std::string_view name) {
  for (const GgufType& type : kTypes)
    if (type.name == name) return type;
  return std::nullopt;
}

Gguf parse_gguf(ByteSpan file, std::string_view where) { return Parser(file, where).parse(); }

}  // namespace farthing::io
