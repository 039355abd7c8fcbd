#include "kernels/pack_scales.h"

#include <cmath>
#include <cstring>

#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

template <class T>
void put(std::byte* to, std::int64_t i, T value) {
  std::memcpy(to + i * static_cast<std::int64_t>(sizeof value), &value, sizeof value);
}
template <class T>
T get(const std::byte* from, std::int64_t i) {
  T value;
  std::memcpy(&value, from + i * static_cast<std::int64_t>(sizeof value), sizeof value);
  return value;
}

// False when 8 bits cannot hold the number as a multiple of the factor.
bool put_multiple(std::byte* to, int lane, float factor, float number) {
  const int multiple = multiple_of(factor, number);
  put(to, lane, static_cast<std::int8_t>(multiple));
  return multiple != 128;
}

// A group's factor and, by number(unit), what its units' bytes times the factor must give. False
// when a byte cannot.
template <class Number>
bool put_factored(const CodeTiles& tiles, std::byte* to, int lane, float factor,
                  const Number& number) {
  put(to + tiles.units * kTileRows, lane, to_fp16(factor).bits);
  bool fits = true;
  for (std::int64_t u = 0; u < tiles.units; ++u)
    fits &= put_multiple(to + u * kTileRows, lane, factor, number(u));
  return fits;
}

float get_f16(const std::byte* from, int lane) {
  return to_float(Fp16{get<std::uint16_t>(from, lane)});
}
float get_i8(const std::byte* from, int lane) {
  return static_cast<float>(get<std::int8_t>(from, lane));
}
float get_factored(const CodeTiles& tiles, const std::byte* from, std::int64_t unit, int lane) {
  return get_f16(from + tiles.units * kTileRows, lane) * get_i8(from + unit * kTileRows, lane);
}

}  // namespace

int multiple_of(float factor, float number) {
  const float multiple = factor == 0 ? 0 : std::nearbyint(number / factor);
  const bool fits = multiple >= -128 && multiple <= 127 && multiple * factor == number;
  return fits ? static_cast<int>(multiple) : 128;
}

std::int64_t offset_bytes(const CodeTiles& tiles) {
  switch (tiles.offsets) {
    case OffsetForm::kNone:
      return 0;
    case OffsetForm::kI8:
      return kTileRows;
    case OffsetForm::kF16:
      return 2 * kTileRows;
    case OffsetForm::kF32:
      break;
    case OffsetForm::kFactored:
      return tiles.factored_bytes();
  }
  return 4 * kTileRows;
}

bool put_scales(const CodeTiles& tiles, const GridReader& grid, std::int64_t g, int lane,
                float step, std::byte* to) {
  if (tiles.scales == ScaleForm::kF16) put(to, lane, to_fp16(grid.scale(g) * step).bits);
  if (tiles.scales == ScaleForm::kF32) put(to, lane, grid.scale(g) * step);
  if (tiles.scales != ScaleForm::kFactored) return true;
  return put_factored(tiles, to, lane, grid.scale_factor(g),
                      [&](std::int64_t u) { return grid.scale(g * tiles.units + u); });
}

bool put_offsets(const CodeTiles& tiles, const GridReader& grid, std::int64_t g, int lane,
                 float step, std::byte* to) {
  switch (tiles.offsets) {
    case OffsetForm::kNone:
      return true;
    case OffsetForm::kI8:
      return put_multiple(to, lane, grid.scale(g) * step, grid.offset(g));
    case OffsetForm::kF16:
      put(to, lane, to_fp16(grid.offset(g)).bits);
      return true;
    case OffsetForm::kF32:
      put(to, lane, grid.offset(g));
      return true;
    case OffsetForm::kFactored:
      break;
  }
  return put_factored(tiles, to, lane, grid.offset_factor(g),
                      [&](std::int64_t u) { return grid.offset(g * tiles.units + u); });
}

void get_unit(const CodeTiles& tiles, const std::byte* group, std::int64_t unit, int lane,
              float& scale, float& offset) {
  const std::byte* scales = group + tiles.code_bytes;
  if (tiles.scales == ScaleForm::kF16) scale = get_f16(scales, lane);
  if (tiles.scales == ScaleForm::kF32) scale = get<float>(scales, lane);
  if (tiles.scales == ScaleForm::kFactored) scale = get_factored(tiles, scales, unit, lane);
  const std::byte* offsets = scales + tiles.scales_bytes();
  if (tiles.offsets == OffsetForm::kI8) offset = scale * get_i8(offsets, lane);
  if (tiles.offsets == OffsetForm::kF16) offset = get_f16(offsets, lane);
  if (tiles.offsets == OffsetForm::kF32) offset = get<float>(offsets, lane);
  if (tiles.offsets == OffsetForm::kFactored) offset = get_factored(tiles, offsets, unit, lane);
}

}  // namespace farthing::kernels
