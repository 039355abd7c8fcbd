#include "io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "core/text.h"
#include "io/file_kind.h"

namespace farthing::io {
namespace {

struct Dtype {
  std::string_view name;
  int bits;
};
constexpr std::array kDtypes = {
    Dtype{"BOOL", 8},    Dtype{"F4", 4},          Dtype{"F6_E2M3", 6},     Dtype{"F6_E3M2", 6},
    Dtype{"U8", 8},      Dtype{"I8", 8},          Dtype{"F8_E5M2", 8},     Dtype{"F8_E4M3", 8},
    Dtype{"F8_E8M0", 8}, Dtype{"F8_E4M3FNUZ", 8}, Dtype{"F8_E5M2FNUZ", 8}, Dtype{"I16", 16},
    Dtype{"U16", 16},    Dtype{"F16", 16},        Dtype{"BF16", 16},       Dtype{"I32", 32},
    Dtype{"U32", 32},    Dtype{"F32", 32},        Dtype{"C64", 64},        Dtype{"F64", 64},
    Dtype{"I64", 64},    Dtype{"U64", 64},
};

// The header's text and the data after it. Error: what is not even that may be another kind of
// file, which says more than the numbers would.
std::pair<std::string_view, ByteSpan> split_file(ByteSpan file, std::string_view where) {
  if (file.empty()) bad_input("{}: is empty; a safetensors file has at least 10 bytes", where);
  if (file.size() < 8) {
    refuse_foreign_file(file, where);
    bad_input("{}: has {} bytes; a safetensors file starts with a header length of 8 bytes", where,
              file.size());
  }
  Cursor cursor(file, where);
  const auto length = cursor.read<std::uint64_t>("header length");
  const bool odd = length > std::min<std::uint64_t>(kMaxSafetensorsHeader, cursor.remaining()) ||
                   length < 2 || file[8] != std::byte{'{'};
  if (odd && !starts_as_safetensors(file)) refuse_foreign_file(file, where);
  if (length > kMaxSafetensorsHeader)
    bad_input("{}: its header would have {} bytes; safetensors allows {}; this is no such file",
              where, length, kMaxSafetensorsHeader);
  const std::string_view header = cursor.text(length, "header");
  if (!header.starts_with('{'))
    bad_input("{}: the header must start with '{{'; found {}", where,
              header.empty() ? "no header at all" : "\"" + printable(header, 20) + "\"");
  return {header, file.subspan(cursor.position())};
}

std::uint64_t read_count(const Json& value, std::string_view what, std::string_view tensor,
                         std::string_view where) {
  if (!value.is_number_unsigned())
    bad_input("{}: {}: {} must be a whole number >= 0; found {}", where, printable(tensor), what,
              json_shown(value));
  return value.get<std::uint64_t>();
}

const Json& read_field(const Json& entry, std::string_view key, std::string_view tensor,
                       std::string_view where) {
  const Json* field = json_find(entry, key);
  if (field == nullptr)
    bad_input("{}: {}: the header gives no \"{}\"", where, printable(tensor), key);
  return *field;
}

std::vector<std::int64_t> read_shape(const Json& value, std::string_view tensor,
                                     std::string_view where) {
  if (!value.is_array() || value.size() > kMaxTensorRank)
    bad_input("{}: {}: shape must be a list of at most {} numbers; found {}", where,
              printable(tensor), kMaxTensorRank, json_shown(value));
  std::vector<std::int64_t> shape;
  for (const Json& dim : value) {
    const std::uint64_t size = read_count(dim, "a dimension", tensor, where);
    if (size > INT64_MAX)
      bad_input("{}: {}: dimension {} does not fit 63 bits", where, printable(tensor), size);
    shape.push_back(static_cast<std::int64_t>(size));
  }
  return shape;
}

// The bytes that a tensor of this type and shape takes.
std::uint64_t size_of(const TensorInfo& tensor, std::string_view where) {
  const std::optional<int> bits = dtype_bits(tensor.dtype);
  if (!bits)
    unsupported("{}: {}: unknown dtype \"{}\"", where, printable(tensor.name),
                printable(tensor.dtype));
  const std::string what = fmt::format("{}: {}", where, printable(tensor.name));
  std::uint64_t count = static_cast<std::uint64_t>(*bits);
  for (const std::int64_t dim : tensor.shape)
    count = checked_multiply(count, static_cast<std::uint64_t>(dim), what);
  if (count % 8 != 0)
    bad_input("{}: {} bits of {} do not fill whole bytes", what, count, tensor.dtype);
  return count / 8;
}

TensorInfo read_tensor(const std::string& name, const Json& entry, ByteSpan data,
                       std::string_view where) {
  if (!entry.is_object())
    bad_input("{}: {}: its header entry must be an object; found {}", where, printable(name),
              json_shown(entry));
  TensorInfo tensor{.name = name, .dtype = {}, .shape = {}, .bytes = {}};
  const Json& dtype = read_field(entry, "dtype", name, where);
  if (!dtype.is_string())
    bad_input("{}: {}: dtype must be a string; found {}", where, printable(name),
              json_shown(dtype));
  tensor.dtype = dtype.get<std::string>();
  tensor.shape = read_shape(read_field(entry, "shape", name, where), name, where);
  const Json& offsets = read_field(entry, "data_offsets", name, where);
  if (!offsets.is_array() || offsets.size() != 2)
    bad_input("{}: {}: data_offsets must be [begin, end]; found {}", where, printable(name),
              json_shown(offsets));
  const std::uint64_t begin = read_count(offsets[0], "data_offsets' begin", name, where);
  const std::uint64_t end = read_count(offsets[1], "data_offsets' end", name, where);
  if (begin > end)
    bad_input("{}: {}: data_offsets run backwards, from {} to {}", where, printable(name), begin,
              end);
  if (end > data.size())
    bad_input("{}: {}: ends at byte {} of the data, the file has only {}; is it complete?", where,
              printable(name), end, data.size());
  if (const std::uint64_t needed = size_of(tensor, where); needed != end - begin)
    bad_input("{}: {}: {} of shape [{}] takes {} bytes, data_offsets give it {}", where,
              printable(name), tensor.dtype, fmt::join(tensor.shape, ", "), needed, end - begin);
  tensor.bytes = data.subspan(begin, end - begin);
  return tensor;
}

void read_metadata(const Json& entry, std::string_view where, Safetensors& out) {
  if (entry.is_null()) return;  // the reference reader allows it, and MLX writes it
  if (!entry.is_object())
    bad_input("{}: __metadata__ must be an object of strings; found {}", where, json_shown(entry));
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string())
      bad_input("{}: __metadata__: \"{}\" must be a string; found {}", where, printable(key),
                json_shown(value));
    out.metadata.emplace_back(key, value.get<std::string>());
  }
}

// Sorts by position and holds that the tensors tile the data.
void check_layout(std::vector<TensorInfo>& tensors, ByteSpan data, std::string_view where) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tuple(a.bytes.data(), a.bytes.size(), std::string_view(a.name)) <
           std::tuple(b.bytes.data(), b.bytes.size(), std::string_view(b.name));
  });
  const std::byte* end = data.data();
  for (const TensorInfo& tensor : tensors) {
    if (tensor.bytes.data() != end)
      bad_input("{}: {}: starts at byte {} of the data, the tensor before it ends at {}; {}", where,
                printable(tensor.name), tensor.bytes.data() - data.data(), end - data.data(),
                tensor.bytes.data() < end ? "tensors must not overlap" : "no gaps are allowed");
    end += tensor.bytes.size();
  }
  if (end != data.data() + data.size())
    bad_input("{}: {} bytes follow the last tensor; the data must end with it", where,
              data.size() - static_cast<std::size_t>(end - data.data()));
}

}  // namespace

std::optional<int> dtype_bits(std::string_view dtype) {
  for (const Dtype& row : kDtypes)
    if (row.name == dtype) return row.bits;
  return std::nullopt;
}

Safetensors parse_safetensors(ByteSpan file, std::string_view where) {
  const auto [header, data] = split_file(file, where);
  const std::string header_name = fmt::format("{} (header)", where);
  const Json json = parse_json(header, header_name, {.bytes = kMaxSafetensorsHeader, .depth = 4});
  Safetensors out;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__")
      read_metadata(entry, where, out);
    else
      out.tensors.push_back(read_tensor(name, entry, data, where));
  }
  check_layout(out.tensors, data, where);
  return out;
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : file_(path), content_(parse_safetensors(file_.bytes(), printable(path, 400))) {}

}  // namespace farthing::io
