// Numbers into pages and back, one position at a time.
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention/kv_page.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

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

std::byte biased_byte(int code8) { return static_cast<std::byte>(code8 + kCodeBias); }
int code_of(std::byte biased) { return std::to_integer<int>(biased) - kCodeBias; }

void put_nibble(std::byte* byte, bool high, int code4) {
  const unsigned old = std::to_integer<unsigned>(*byte);
  const auto bits = static_cast<unsigned>(code4 + 8);
  *byte = static_cast<std::byte>(high ? (old & 0x0Fu) | bits << 4 : (old & 0xF0u) | bits);
}
int get_nibble(std::byte byte, bool high) {
  const unsigned bits = std::to_integer<unsigned>(byte);
  return static_cast<int>(high ? bits >> 4 : bits & 15u) - 8;
}

template <class T>
void put(std::byte* at, T number) {
  std::memcpy(at, &number, sizeof number);
}
template <class T>
T get(const std::byte* at) {
  T number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

// One head's block of a page at one position. The bytes of a feature of an integer type:
struct HeadSlot {
  const KvPage& page;
  std::size_t slot;
  int dim;

  std::size_t key_scale() const { return page.key_scales + slot * sizeof(float); }
  std::size_t value_scale() const { return page.value_scales + slot * sizeof(float); }
  std::size_t value_row() const { return page.values + slot * page.value_stride; }
  std::size_t key_byte8(std::size_t d) const { return d / 4 * kKeyGroupBytes + slot * 4 + d % 4; }
  std::size_t value_byte8(std::size_t d) const {
    return page.values + slot / 4 * 4 * page.value_stride + d * 4 + slot % 4;
  }
  std::size_t key_byte4(std::size_t d) const { return d / 2 * kPageTokens + slot; }
  std::size_t value_byte4(std::size_t d) const { return value_row() + d / 16 * 8 + d % 8; }
};

template <class Convert>
void store_whole(const HeadSlot& at, std::byte* head, const float* k, const float* v,
                 Convert convert) {
  using T = decltype(convert(0.0f));
  std::byte* keys = head + at.slot * sizeof(T);
  for (int d = 0; d < at.dim; ++d, keys += kPageTokens * sizeof(T)) put(keys, convert(k[d]));
  std::byte* values = head + at.value_row();
  for (int d = 0; d < at.dim; ++d, values += sizeof(T)) put(values, convert(v[d]));
}

void store_integers(KvType type, const HeadSlot& at, std::byte* head, const float* k,
                    const float* v) {
  Grid keys = grid_of(type, k, at.dim);
  const Grid values = grid_of(type, v, at.dim);
  keys.scale += 0.0f * values.scale;  // what is no number shows in the score: weights may hide it
  put(head + at.key_scale(), keys.scale);
  put(head + at.value_scale(), values.scale);
  for (int d = 0; d < at.dim; ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (type == KvType::kInt8) {
      head[at.key_byte8(i)] = biased_byte(code(k[d], keys.inverse, -127, 127));
      head[at.value_byte8(i)] = biased_byte(code(v[d], values.inverse, -127, 127));
    } else {
      put_nibble(head + at.key_byte4(i), i % 2 != 0, code(k[d], keys.inverse, -8, 7));
      put_nibble(head + at.value_byte4(i), i % 16 >= 8, code(v[d], values.inverse, -8, 7));
    }
  }
}

void store_head(KvType type, const HeadSlot& at, std::byte* head, const float* k, const float* v) {
  switch (type) {
    case KvType::kF32:
      return store_whole(at, head, k, v, [](float x) { return x; });
    case KvType::kBf16:
      return store_whole(at, head, k, v, [](float x) { return to_bf16(x); });
    case KvType::kF16:
      return store_whole(at, head, k, v, to_fp16_saturated);
    case KvType::kInt8:
    case KvType::kInt4:
      return store_integers(type, at, head, k, v);
  }
}

template <class T>
void load_whole(const HeadSlot& at, const std::byte* head, float* k, float* v) {
  for (int d = 0; d < at.dim; ++d) {
    const auto i = static_cast<std::size_t>(d);
    k[d] = to_float(get<T>(head + (i * kPageTokens + at.slot) * sizeof(T)));
    v[d] = to_float(get<T>(head + at.value_row() + i * sizeof(T)));
  }
}

void load_integers(KvType type, const HeadSlot& at, const std::byte* head, float* k, float* v) {
  const float key_scale = get<float>(head + at.key_scale());
  const float value_scale = get<float>(head + at.value_scale());
  for (int d = 0; d < at.dim; ++d) {
    const auto i = static_cast<std::size_t>(d);
    const int key = type == KvType::kInt8 ? code_of(head[at.key_byte8(i)])
                                          : get_nibble(head[at.key_byte4(i)], i % 2 != 0);
    const int value = type == KvType::kInt8 ? code_of(head[at.value_byte8(i)])
                                            : get_nibble(head[at.value_byte4(i)], i % 16 >= 8);
    k[d] = static_cast<float>(key) * key_scale;
    v[d] = static_cast<float>(value) * value_scale;
  }
}

void load_head(KvType type, const HeadSlot& at, const std::byte* head, float* k, float* v) {
  switch (type) {
    case KvType::kF32:
      return load_whole<float>(at, head, k, v);
    case KvType::kBf16:
      return load_whole<Bf16>(at, head, k, v);
    case KvType::kF16:
      return load_whole<Fp16>(at, head, k, v);
    case KvType::kInt8:
    case KvType::kInt4:
      return load_integers(type, at, head, k, v);
  }
}

}  // namespace

void store_kv(const KvLayout& layout, std::byte* page, int slot, const float* keys,
              const float* values) {
  assert(slot >= 0 && slot < kPageTokens);
  const KvPage geometry(layout);
  const HeadSlot at{geometry, static_cast<std::size_t>(slot), layout.head_dim};
  for (int h = 0; h < layout.kv_heads; ++h) {
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(h) * layout.head_dim;
    store_head(layout.type, at, page + static_cast<std::size_t>(h) * geometry.head_bytes,
               keys + first, values + first);
  }
}

void load_kv(const KvLayout& layout, const std::byte* page, int slot, float* keys, float* values) {
  const KvPage geometry(layout);
  const HeadSlot at{geometry, static_cast<std::size_t>(slot), layout.head_dim};
  for (int h = 0; h < layout.kv_heads; ++h) {
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(h) * layout.head_dim;
    load_head(layout.type, at, page + static_cast<std::size_t>(h) * geometry.head_bytes,
              keys + first, values + first);
  }
}

}  // namespace farthing::kernels
