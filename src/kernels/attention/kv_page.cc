#include "kernels/attention/kv_page.h"

#include <array>
#include <cassert>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace farthing::kernels {
namespace {

struct KvTypeRow {
  KvType type;
  std::string_view name;
  std::size_t bits;
};
constexpr std::array kTypes = {
    KvTypeRow{KvType::kF32, "fp32", 32}, KvTypeRow{KvType::kBf16, "bf16", 16},
    KvTypeRow{KvType::kF16, "fp16", 16}, KvTypeRow{KvType::kInt8, "int8", 8},
    KvTypeRow{KvType::kInt4, "int4", 4}};

const KvTypeRow& row_of(KvType type) { return kTypes[static_cast<std::size_t>(type)]; }
bool has_scales(KvType type) { return type == KvType::kInt8 || type == KvType::kInt4; }
std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

std::string_view kv_type_name(KvType type) { return row_of(type).name; }

KvType parse_kv_type(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& row : kTypes) {
    if (row.name == name) return row.type;
    names.push_back(row.name);
  }
  usage_error("unknown type \"{}\" for keys and values; choose one of: {}", printable(name),
              join(names, ", "));
}

KvPage::KvPage(const KvLayout& layout) {
  assert(layout.head_dim > 0 && layout.kv_heads > 0);
  const auto dim = static_cast<std::size_t>(layout.head_dim);
  const std::size_t scales = has_scales(layout.type) ? kPageTokens * sizeof(float) : 0;
  element_bits = row_of(layout.type).bits;
  padded_dim = round_up(dim, kLanes);
  value_stride = padded_dim * element_bits / 8;
  // Features that share a number, or a lane of a product, come together.
  const std::size_t together = element_bits == 4 ? 2 : element_bits == 8 ? 4 : 1;
  key_scales = round_up(round_up(dim, together) * kPageTokens * element_bits / 8, kAlignment);
  values = key_scales + scales;
  value_scales = values + kPageTokens * value_stride;
  head_bytes = round_up(value_scales + scales, kAlignment);
}

std::size_t KvLayout::page_bytes() const {
  return KvPage(*this).head_bytes * static_cast<std::size_t>(kv_heads);
}

}  // namespace farthing::kernels
