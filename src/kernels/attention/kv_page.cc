#include "kernels/attention/kv_page.h"

#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "tensor/float16.h"

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

// The scale of one head's numbers at one position, and what to multiply by to get codes. INT8 is
// symmetric in +-127. INT4 uses all 16 codes: the largest number in magnitude gets code -8, so the
// scale carries its sign. A number that is not finite shows as a scale that is not.
struct Grid {
  float scale;
  float inverse;
};
Grid grid_of(KvType type, const float* x, int count) {
  float largest = 0.0f;
  bool finite = true;
  for (int i = 0; i < count; ++i) {
    finite = finite && std::isfinite(x[i]);
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  if (!finite) return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  if (std::fabs(largest) < 1e-30f) return {0.0f, 0.0f};
  if (type == KvType::kInt8) return {std::fabs(largest) / 127.0f, 127.0f / std::fabs(largest)};
  return {largest / -8.0f, -8.0f / largest};
}

int code(float x, float inverse, int low, int high) {
  const float scaled = x * inverse;
  if (!(scaled > static_cast<float>(low))) return low;  // NaN too
  if (scaled >= static_cast<float>(high)) return high;
  return static_cast<int>(std::lrint(scaled));
}

Fp16 to_fp16_saturated(float x) {
  const Fp16 half = to_fp16(x);
  const bool overflow = (half.bits & 0x7FFFu) == 0x7C00u && std::isfinite(x);
  return overflow ? Fp16{static_cast<std::uint16_t>(half.bits - 1)} : half;
}

void put_nibble(std::byte* byte, bool high, int code4) {
  const unsigned old = std::to_integer<unsigned>(*byte);
  const auto bits = static_cast<unsigned>(code4 + 8);
  *byte = static_cast<std::byte>(high ? (old & 0x0Fu) | bits << 4 : (old & 0xF0u) | bits);
}
int get_nibble(std::byte byte, bool high) {
  const unsigned bits = std::to_integer<unsigned>(byte);
  return static_cast<int>(high ? bits >> 4 : bits & 15u) - 8;
}

// Where number d of a position's keys or values lies: the byte, and for INT4 which half of it.
struct Place {
  std::size_t byte;
  bool high;
};
Place key_place(const KvPage& page, int slot, int d) {
  const auto p = static_cast<std::size_t>(slot), i = static_cast<std::size_t>(d);
  if (page.element_bits == 4) return {i / 2 * kPageTokens + p, i % 2 != 0};
  return {(i * kPageTokens + p) * page.element_bits / 8, false};
}
Place value_place(const KvPage& page, int slot, int d) {
  const std::size_t row = page.values + static_cast<std::size_t>(slot) * page.value_stride;
  const auto i = static_cast<std::size_t>(d);
  if (page.element_bits == 4) return {row + i / 16 * 8 + i % 8, i % 16 >= 8};
  return {row + i * page.element_bits / 8, false};
}

template <class T>
void put(std::byte* at, T number) {
  *reinterpret_cast<T*>(at) = number;
}
template <class T>
T get(const std::byte* at) {
  return *reinterpret_cast<const T*>(at);
}

void store_number(KvType type, std::byte* head, Place place, float x, float inverse) {
  std::byte* at = head + place.byte;
  switch (type) {
    case KvType::kF32:
      return put(at, x);
    case KvType::kBf16:
      return put(at, to_bf16(x));
    case KvType::kF16:
      return put(at, to_fp16_saturated(x));
    case KvType::kInt8:
      return put(at, static_cast<std::int8_t>(code(x, inverse, -127, 127)));
    case KvType::kInt4:
      return put_nibble(at, place.high, code(x, inverse, -8, 7));
  }
}

float load_number(KvType type, const std::byte* head, Place place, float scale) {
  const std::byte* at = head + place.byte;
  switch (type) {
    case KvType::kF32:
      return get<float>(at);
    case KvType::kBf16:
      return to_float(get<Bf16>(at));
    case KvType::kF16:
      return to_float(get<Fp16>(at));
    case KvType::kInt8:
      return static_cast<float>(get<std::int8_t>(at)) * scale;
    case KvType::kInt4:
      return static_cast<float>(get_nibble(*at, place.high)) * scale;
  }
  return 0.0f;
}

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
  const std::size_t key_rows = element_bits == 4 ? (dim + 1) / 2 : dim;
  const std::size_t row_bytes = element_bits == 4 ? kPageTokens : kPageTokens * element_bits / 8;
  key_scales = round_up(key_rows * row_bytes, kAlignment);
  values = key_scales + scales;
  value_scales = values + kPageTokens * value_stride;
  head_bytes = round_up(value_scales + scales, kAlignment);
}

std::size_t KvLayout::page_bytes() const {
  return KvPage(*this).head_bytes * static_cast<std::size_t>(kv_heads);
}

void store_kv(const KvLayout& layout, std::byte* page, int slot, const float* keys,
              const float* values) {
  assert(slot >= 0 && slot < kPageTokens);
  const KvPage at(layout);
  const bool scaled = has_scales(layout.type);
  for (int h = 0; h < layout.kv_heads; ++h) {
    std::byte* head = page + static_cast<std::size_t>(h) * at.head_bytes;
    const float* k = keys + static_cast<std::ptrdiff_t>(h) * layout.head_dim;
    const float* v = values + static_cast<std::ptrdiff_t>(h) * layout.head_dim;
    Grid key_grid{1.0f, 1.0f}, value_grid{1.0f, 1.0f};
    if (scaled) {
      key_grid = grid_of(layout.type, k, layout.head_dim);
      value_grid = grid_of(layout.type, v, layout.head_dim);
      put(head + at.key_scales + static_cast<std::size_t>(slot) * sizeof(float), key_grid.scale);
      put(head + at.value_scales + static_cast<std::size_t>(slot) * sizeof(float),
          value_grid.scale);
    }
    for (int d = 0; d < layout.head_dim; ++d) {
      store_number(layout.type, head, key_place(at, slot, d), k[d], key_grid.inverse);
      store_number(layout.type, head, value_place(at, slot, d), v[d], value_grid.inverse);
    }
  }
}

void load_kv(const KvLayout& layout, const std::byte* page, int slot, float* keys, float* values) {
  const KvPage at(layout);
  for (int h = 0; h < layout.kv_heads; ++h) {
    const std::byte* head = page + static_cast<std::size_t>(h) * at.head_bytes;
    const std::size_t s = static_cast<std::size_t>(slot) * sizeof(float);
    const bool scaled = has_scales(layout.type);
    const float key_scale = scaled ? get<float>(head + at.key_scales + s) : 1.0f;
    const float value_scale = scaled ? get<float>(head + at.value_scales + s) : 1.0f;
    for (int d = 0; d < layout.head_dim; ++d) {
      const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(h) * layout.head_dim + d;
      keys[i] = load_number(layout.type, head, key_place(at, slot, d), key_scale);
      values[i] = load_number(layout.type, head, value_place(at, slot, d), value_scale);
    }
  }
}

}  // namespace farthing::kernels
