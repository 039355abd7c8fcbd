#include "kernels/squeeze.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace farthing::kernels {
namespace {

constexpr std::int64_t kSlack = 64;  // bytes that expanding may read behind a tile

constexpr Expander kExpanders[] = {
#if defined(__x86_64__)
    {.name = "avx512vbmi2",
     .run = expand_avx512vbmi2,
     .thin_words = thin_words_avx512vbmi2,
     .thin_int8 = thin_int8_avx512vbmi2,
     .thin_int16 = thin_int16_avx512vbmi2,
     .break_even = {0.65, 0.7, 0.65}},
    {.name = "avx2",
     .run = expand_avx2,
     .thin_words = thin_words_avx2,
     .break_even = {0.0, 0.0, 0.5}},
#endif
    {.name = "scalar", .run = expand_scalar},
};

bool may_run(const Expander& expander, IsaSet isas) {
#if defined(__x86_64__)
  if (expander.name == "avx512vbmi2")
    return isas.has(Isa::kAvx512Vnni) && __builtin_cpu_supports("avx512vbmi2");
  if (expander.name == "avx2") return isas.has(Isa::kAvx2);
#endif
  return expander.name == "scalar" || isas.best() == Isa::kScalar;
}

// The kernel for one token of this matrix, or null.
ThinRun thin_of(const Expander& expander, const PackedMatrix& matrix) {
  const LinearKernel& kernel = *matrix.kernel;
  if (matrix.packing == Packing::kBf16)
    return kernel.form == InputForm::kFloats ? expander.thin_words : nullptr;
  if (kernel.code_shift != 0) return nullptr;
  if (kernel.form == InputForm::kBytes) return expander.thin_int8;
  return kernel.form == InputForm::kPlanes ? expander.thin_int16 : nullptr;
}

// How a matrix would be squeezed; groups 0: it cannot be.
SqueezedTiles shape_of(const PackedMatrix& matrix) {
  SqueezedTiles s;
  s.dense_bytes = matrix.squeezed.groups > 0 ? matrix.squeezed.dense_bytes : matrix.tile_bytes;
  const CodeTiles& codes = matrix.codes;
  switch (matrix.packing) {
    case Packing::kBf16:
    case Packing::kF16:
      s.element = SqueezedElement::kWords;
      s.groups = 1;
      s.vectors = s.dense_bytes / 64;
      s.run = kSqueezedRunWords;
      s.raw_bytes = s.dense_bytes % 64;
      return s;
    case Packing::kU4:
    case Packing::kU8:
      break;
    default:
      return s;
  }
  if (codes.offsets != OffsetForm::kNone) return s;  // their zero is another code in each group
  const bool halves = matrix.packing == Packing::kU4;
  s.element = halves ? SqueezedElement::kHalfBytes : SqueezedElement::kBytes;
  s.zero = static_cast<std::uint8_t>(halves ? codes.bias * 17 : codes.bias);
  s.groups = codes.groups;
  s.vectors = codes.code_bytes / 64;
  s.run = codes.unit_vectors;
  s.raw_bytes = codes.group_bytes - codes.code_bytes;
  return s;
}

// The masks of a vector; values of all its elements that are not zero go to `put`.
struct Masks {
  std::uint64_t bits[2] = {};
  std::int64_t count() const { return std::popcount(bits[0]) + std::popcount(bits[1]); }
};
Masks masks_of(const SqueezedTiles& s, const std::byte* vector) {
  Masks masks;
  for (int i = 0; i < 64; ++i) {
    const auto byte = static_cast<std::uint8_t>(static_cast<std::uint8_t>(vector[i]) ^ s.zero);
    const std::uint64_t bit = std::uint64_t{1}
                              << (s.element == SqueezedElement::kWords ? i / 2 : i);
    if (s.element == SqueezedElement::kHalfBytes) {
      if ((byte & 15) != 0) masks.bits[0] |= bit;
      if ((byte >> 4) != 0) masks.bits[1] |= bit;
    } else if (byte != 0) {
      masks.bits[0] |= bit;
    }
  }
  return masks;
}

std::int64_t value_bytes(const SqueezedTiles& s, const Masks& masks) {
  if (s.element == SqueezedElement::kWords) return 2 * std::popcount(masks.bits[0]);
  if (s.element == SqueezedElement::kBytes) return std::popcount(masks.bits[0]);
  return (std::popcount(masks.bits[0]) + 1) / 2 + (std::popcount(masks.bits[1]) + 1) / 2;
}

// The values of a vector that its masks name.
void put_values(const SqueezedTiles& s, const std::byte* vector, const Masks& masks,
                std::byte* to) {
  const int bytes = s.element == SqueezedElement::kWords ? 2 : 1;
  if (s.element != SqueezedElement::kHalfBytes) {
    for (std::uint64_t rest = masks.bits[0]; rest != 0; rest &= rest - 1)
      for (int b = 0; b < bytes; ++b)
        *to++ = vector[std::countr_zero(rest) * bytes + b] ^ std::byte{s.zero};
    return;
  }
  for (int half = 0; half < 2; ++half) {
    int n = 0;
    for (std::uint64_t rest = masks.bits[half]; rest != 0; rest &= rest - 1, ++n) {
      const std::byte both = vector[std::countr_zero(rest)] ^ std::byte{s.zero};
      const std::byte value = half == 0 ? both & std::byte{15} : both >> 4;
      to[n / 2] = n % 2 == 0 ? value : to[n / 2] | value << 4;
    }
    to += (n + 1) / 2;
  }
}

// Bytes of a tile once squeezed, and its elements that are not zero.
std::int64_t squeezed_bytes(const SqueezedTiles& s, const std::byte* tile, std::int64_t& kept) {
  std::int64_t bytes = s.groups * (s.vectors * squeezed_mask_bytes(s.element) + s.raw_bytes);
  for (std::int64_t g = 0; g < s.groups; ++g, tile += s.raw_bytes)
    for (std::int64_t v = 0; v < s.vectors; ++v, tile += 64) {
      const Masks masks = masks_of(s, tile);
      bytes += value_bytes(s, masks);
      kept += masks.count();
    }
  return bytes;
}

void squeeze_tile(const SqueezedTiles& s, const std::byte* tile, std::byte* to) {
  const std::int64_t mask_bytes = squeezed_mask_bytes(s.element);
  for (std::int64_t g = 0; g < s.groups; ++g, tile += s.raw_bytes) {
    std::memcpy(to, tile + 64 * s.vectors, static_cast<std::size_t>(s.raw_bytes));
    to += s.raw_bytes;
    for (std::int64_t left = s.vectors; left > 0; left -= s.run) {
      const std::int64_t count = std::min(left, s.run);
      std::byte* values = to + count * mask_bytes;
      for (std::int64_t v = 0; v < count; ++v, tile += 64, to += mask_bytes) {
        const Masks masks = masks_of(s, tile);
        std::memcpy(to, masks.bits, static_cast<std::size_t>(mask_bytes));
        put_values(s, tile, masks, values);
        values += value_bytes(s, masks);
      }
      to = values;
    }
  }
}

// Outputs that only fill up the last tile count as zeros, whatever they were; nobody reads them.
void clear_padding(const SqueezedTiles& s, PackedMatrix& matrix) {
  const std::int64_t lanes = matrix.out % kTileRows;
  if (lanes == 0 || s.element == SqueezedElement::kWords) return;
  std::byte* tile = matrix.tiles.data() + matrix.out / kTileRows * matrix.tile_bytes;
  for (std::int64_t g = 0; g < s.groups; ++g, tile += s.raw_bytes)
    for (std::int64_t v = 0; v < s.vectors; ++v, tile += 64)
      std::memset(tile + 4 * lanes, s.zero, static_cast<std::size_t>(64 - 4 * lanes));
}

std::int64_t elements_of(const SqueezedTiles& s) {
  const std::int64_t of_vector = s.element == SqueezedElement::kHalfBytes ? 128
                                 : s.element == SqueezedElement::kBytes   ? 64
                                                                          : 32;
  return s.groups * s.vectors * of_vector;
}

}  // namespace

const Expander& choose_expander(IsaSet isas) {
  for (const Expander& expander : kExpanders)
    if (may_run(expander, isas)) return expander;
  return kExpanders[std::size(kExpanders) - 1];
}

double density(const PackedMatrix& matrix, bool all) {
  const SqueezedTiles s = shape_of(matrix);
  if (s.groups == 0 || matrix.squeezed.groups > 0) return 1;
  const std::int64_t whole = matrix.out / kTileRows;  // a last tile that is not full counts not
  if (whole == 0) return 1;
  const std::int64_t stride = all ? 1 : std::max<std::int64_t>(whole / 4, 1);
  std::int64_t kept = 0, tiles = 0;
  for (std::int64_t tile = 0; tile < whole; tile += stride, ++tiles)
    squeezed_bytes(s, matrix.tiles.data() + tile * matrix.tile_bytes, kept);
  return static_cast<double>(kept) / static_cast<double>(tiles * elements_of(s));
}

double break_even(const PackedMatrix& matrix, IsaSet isas) {
  return choose_expander(isas).break_even[static_cast<std::size_t>(shape_of(matrix).element)];
}

bool squeeze(Runtime& runtime, PackedMatrix& matrix, double most) {
  SqueezedTiles s = shape_of(matrix);
  if (s.groups == 0 || matrix.squeezed.groups > 0 || !(density(matrix, false) <= most))
    return false;
  clear_padding(s, matrix);
  std::atomic<std::int64_t> largest = 0;
  runtime.parallel(matrix.tile_count(), 1, [&](std::int64_t tile, std::int64_t end) {
    for (; tile < end; ++tile) {
      std::int64_t kept = 0;
      const std::int64_t bytes =
          squeezed_bytes(s, matrix.tiles.data() + tile * matrix.tile_bytes, kept);
      std::int64_t seen = largest.load();
      while (seen < bytes && !largest.compare_exchange_weak(seen, bytes)) {
      }
    }
  });
  const std::int64_t bytes = (largest + kSlack + 63) / 64 * 64;  // whole cache lines
  if (bytes >= s.dense_bytes) return false;
  AlignedArray<std::byte> dense = std::move(matrix.tiles);
  matrix.tile_bytes = bytes;
  matrix.squeezed = s;
  const Expander& expander = choose_expander(runtime.isas);
  matrix.expand = expander.run;
  matrix.thin = thin_of(expander, matrix);
  matrix.kernel_name = "squeezed " + matrix.kernel_name;
  matrix.tiles = allocate_tiles(matrix);
  runtime.parallel_shares(matrix.tile_count(), kTileUnit, [&](std::int64_t tile, std::int64_t end) {
    for (; tile < end; ++tile)
      squeeze_tile(s, dense.data() + tile * s.dense_bytes, matrix.tiles.data() + tile * bytes);
  });
  return true;
}

}  // namespace farthing::kernels
