#include "convert/foreign_layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/text.h"
#include "formats/packing.h"
#include "formats/parts.h"
#include "io/gptq_matrix.h"
#include "io/quantization_config.h"

namespace farthing::convert {
namespace {

constexpr std::array<int, 4> kGptqBits = {2, 3, 4, 8};
constexpr std::array<int, 1> kAwqBits = {4};
constexpr std::array<int, 7> kPackedBits = {2, 3, 4, 5, 6, 7, 8};

constexpr std::array kKinds = {
    ForeignKind{"gptq", Packer::kGptq, kGptqBits, false},
    ForeignKind{"awq", Packer::kAwq, kAwqBits, true},
    ForeignKind{"compressed-tensors", Packer::kPacked, kPackedBits, false},
};

using Codes = std::vector<std::uint8_t>;
using Bytes = std::vector<std::byte>;

// The matrix as codes (out, in), scales and zero points (out, groups).
struct Numbers {
  std::int64_t rows, cols, groups;
  int bits;
  Codes codes, zeros;
  std::vector<Fp16> scales;
};

Numbers read_numbers(const QuantizedTensor& matrix) {
  Numbers n{.rows = matrix.shape.rows,
            .cols = matrix.shape.cols,
            .groups = groups_of(matrix.scheme, matrix.shape.cols),
            .bits = matrix.scheme.bits,
            .codes = {},
            .zeros = {},
            .scales = {}};
  n.codes.resize(index(n.rows * n.cols));
  const Grid grid = matrix.format->grid(matrix);
  std::vector<float> scales(index(n.groups)), offsets(index(n.groups));
  for (std::int64_t r = 0; r < n.rows; ++r) {
    matrix.format->read_grid(
        matrix, r, {std::span(n.codes).subspan(index(r * n.cols), index(n.cols)), scales, offsets});
    for (std::size_t g = 0; g < scales.size(); ++g) {
      // offset = scale * (bias - zero), rounded once; the quotient is near that whole number.
      const float moved = grid.has_offsets && scales[g] != 0 ? offsets[g] / scales[g] : 0.0f;
      n.zeros.push_back(static_cast<std::uint8_t>(grid.bias - std::lround(moved)));
      n.scales.push_back(to_fp16(scales[g]));
    }
  }
  return n;
}

// (groups, out), as both keep scales.
Bytes turned_scales(const Numbers& n) {
  Bytes bytes(index(n.groups * n.rows) * sizeof(Fp16));
  for (std::int64_t g = 0; g < n.groups; ++g)
    for (std::int64_t o = 0; o < n.rows; ++o)
      store(bytes.data(), g * n.rows + o, n.scales[index(o * n.groups + g)]);
  return bytes;
}

// GPTQ: each output's codes are one stream down the words of its column; the zero points of a group
// are one along the outputs; g_idx names the group of each input.
std::vector<Bytes> gptq_bytes(const Numbers& n, std::int64_t group) {
  const std::int64_t words = n.cols * n.bits / 32;
  Bytes weight(index(words * n.rows) * 4), zeros(index(n.groups * n.rows * n.bits / 8)),
      groups(index(n.cols) * 4), stream(index(words) * 4);
  for (std::int64_t o = 0; o < n.rows; ++o) {
    pack_bits(std::span(n.codes).subspan(index(o * n.cols), index(n.cols)), n.bits, stream.data());
    for (std::int64_t w = 0; w < words; ++w)
      store(weight.data(), w * n.rows + o, load<std::uint32_t>(stream.data(), w));
  }
  Codes row(index(n.rows));
  for (std::int64_t g = 0; g < n.groups; ++g) {
    for (std::int64_t o = 0; o < n.rows; ++o) row[index(o)] = n.zeros[index(o * n.groups + g)];
    pack_bits(row, n.bits, zeros.data() + g * n.rows * n.bits / 8);
  }
  for (std::int64_t j = 0; j < n.cols; ++j)
    store(groups.data(), j, static_cast<std::int32_t>(j / group));
  return {std::move(weight), std::move(zeros), turned_scales(n), std::move(groups)};
}

// AWQ: a word holds eight outputs of one input, in an order of their own.
std::vector<Bytes> awq_bytes(const Numbers& n) {
  const std::int64_t words = n.rows / 8;
  const auto pack = [&](std::int64_t rows, auto code) {
    Bytes bytes(index(rows * words) * 4);
    for (std::int64_t j = 0; j < rows; ++j)
      for (std::int64_t w = 0; w < words; ++w) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i)
          word |= static_cast<std::uint32_t>(code(w * 8 + io::kAwqOrder[i], j)) << (4 * i);
        store(bytes.data(), j * words + w, word);
      }
    return bytes;
  };
  Bytes weight =
      pack(n.cols, [&](std::int64_t o, std::int64_t j) { return n.codes[index(o * n.cols + j)]; });
  Bytes zeros = pack(
      n.groups, [&](std::int64_t o, std::int64_t g) { return n.zeros[index(o * n.groups + g)]; });
  return {std::move(weight), std::move(zeros), turned_scales(n)};
}

std::int64_t config_group(const WeightScheme& scheme) {
  return scheme.strategy == Strategy::kGroup ? scheme.group_size : -1;
}

const WeightScheme& commonest(std::span<const ForeignModule> modules) {
  const WeightScheme* best = nullptr;
  std::ptrdiff_t most = 0;
  for (const ForeignModule& module : modules) {
    if (!module.scheme) continue;
    const auto count = std::ranges::count(modules, module.scheme, &ForeignModule::scheme);
    if (count > most) best = &*module.scheme, most = count;
  }
  return *best;
}

// "+:^name$" of GPTQModel's table of exceptions.
std::string expression(char sign, std::string_view base) {
  std::string text = {sign, ':', '^'};
  for (const char c : base) {
    if (c == '.') text += '\\';
    text += c;
  }
  return text + "$";
}

Json gptq_config(std::span<const ForeignModule> modules) {
  const WeightScheme& usual = commonest(modules);
  Json exceptions = Json::object();
  for (const ForeignModule& module : modules) {
    if (!module.scheme)
      exceptions[expression('-', module.base)] = Json::object();
    else if (*module.scheme != usual)
      exceptions[expression('+', module.base)] = {{"bits", module.scheme->bits},
                                                  {"group_size", config_group(*module.scheme)},
                                                  {"sym", module.scheme->symmetric}};
  }
  Json config = {{"quant_method", "gptq"}, {"checkpoint_format", "gptq_v2"},
                 {"bits", usual.bits},     {"group_size", config_group(usual)},
                 {"sym", usual.symmetric}, {"desc_act", false},
                 {"lm_head", false}};
  if (!exceptions.empty()) config["dynamic"] = std::move(exceptions);
  return config;
}

Json awq_config(std::span<const ForeignModule> modules) {
  Json floats = Json::array();
  for (const ForeignModule& module : modules)
    if (!module.scheme) floats.push_back(module.base);
  return {{"quant_method", "awq"},
          {"version", "gemm"},
          {"bits", 4},
          {"group_size", config_group(commonest(modules))},
          {"zero_point", true},
          {"modules_to_not_convert", std::move(floats)}};
}

}  // namespace

const ForeignKind& find_foreign(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ForeignKind& kind : kKinds) {
    names.push_back(kind.name);
    if (kind.name == name) return kind;
  }
  const std::string nearest = nearest_name(name, names);
  usage_error("--to {}: is no kind of checkpoint that can be written; known: {}{}", printable(name),
              join(names, ", "), nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

std::optional<std::string> why_not(const ForeignKind& kind, Shape shape,
                                   const WeightScheme& scheme) {
  if (std::ranges::find(kind.bits, scheme.bits) == kind.bits.end())
    return fmt::format("{} has no weights of {} bits", kind.name, scheme.bits);
  if (kind.packer == Packer::kGptq &&
      (shape.rows * scheme.bits % 32 != 0 || shape.cols * scheme.bits % 32 != 0))
    return fmt::format("rows and columns of gptq must fill whole words of 32 bits; it has {} x {}",
                       shape.rows, shape.cols);
  if (kind.packer == Packer::kAwq && shape.rows % 8 != 0)
    return fmt::format("awq keeps 8 outputs in a word; it has {}", shape.rows);
  return std::nullopt;
}

std::vector<io::PlannedTensor> foreign_tensors(const ForeignKind& kind, const std::string& base,
                                               Shape shape, const WeightScheme& scheme) {
  const std::int64_t groups = groups_of(scheme, shape.cols), rows = shape.rows, cols = shape.cols;
  if (kind.packer == Packer::kGptq)
    return {{base + ".qweight", "I32", {cols * scheme.bits / 32, rows}},
            {base + ".qzeros", "I32", {groups, rows * scheme.bits / 32}},
            {base + ".scales", "F16", {groups, rows}},
            {base + ".g_idx", "I32", {cols}}};
  if (kind.packer == Packer::kAwq)
    return {{base + ".qweight", "I32", {cols, rows / 8}},
            {base + ".qzeros", "I32", {groups, rows / 8}},
            {base + ".scales", "F16", {groups, rows}}};
  std::vector<io::PlannedTensor> tensors;
  for (const Part& part : find_format(scheme).parts(shape, scheme))
    tensors.push_back({base + std::string(part.suffix), std::string(part.dtype), part.shape});
  return tensors;
}

std::vector<std::vector<std::byte>> foreign_bytes(const ForeignKind& kind,
                                                  const QuantizedTensor& matrix) {
  if (kind.packer == Packer::kGptq)
    return gptq_bytes(read_numbers(matrix), group_inputs(matrix.scheme, matrix.shape.cols));
  if (kind.packer == Packer::kAwq) return awq_bytes(read_numbers(matrix));
  std::vector<std::vector<std::byte>> bytes;
  const auto parts = matrix.format->parts(matrix.shape, matrix.scheme);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const ByteSpan view = matrix.parts[i].view();
    auto& part = bytes.emplace_back(view.begin(), view.end());
    if (parts[i].suffix != ".weight_shape") continue;
    const std::int64_t sizes[] = {matrix.shape.rows, matrix.shape.cols};
    part.resize(sizeof sizes);
    std::memcpy(part.data(), sizes, sizeof sizes);
  }
  return bytes;
}

Json foreign_config(const ForeignKind& kind, std::span<const ForeignModule> modules,
                    bool all_linears_named) {
  if (kind.packer == Packer::kGptq) return gptq_config(modules);
  if (kind.packer == Packer::kAwq) return awq_config(modules);
  std::vector<io::NamedScheme> named;
  for (const ForeignModule& module : modules) {
    io::NamedScheme& one = named.emplace_back(io::NamedScheme{module.base, std::nullopt});
    if (module.scheme) one.scheme = io::LinearScheme{*module.scheme, std::nullopt};
  }
  return io::write_quantization_config(named, io::QuantMethod::kCompressedTensors,
                                       all_linears_named, "");
}

}  // namespace farthing::convert
