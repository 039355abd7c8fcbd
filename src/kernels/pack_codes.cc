// Codes, scales and offsets of any format with a grid become CodeTiles.
#include <atomic>
#include <cassert>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/code_tiles/code_tiles.h"
#include "kernels/pack_scales.h"
#include "kernels/packed_matrix.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

bool integer_inputs(const PackedMatrix& matrix) {
  return matrix.activations.mode == ActivationMode::kInt8 ||
         matrix.activations.mode == ActivationMode::kInt16;
}

// Inputs within which neither scale changes, at most kMaxUnit; a group or a row when floats enter.
std::int64_t unit_inputs(const PackedMatrix& matrix, std::int64_t weight_group) {
  if (!integer_inputs(matrix)) return weight_group;
  const ActivationScheme& scheme = matrix.activations;
  const bool grouped = scheme.strategy == Strategy::kGroup && scheme.group_size < matrix.in;
  const std::int64_t common =
      std::gcd(weight_group < matrix.in ? weight_group : 0, grouped ? scheme.group_size : 0);
  if (common == 0) return std::min<std::int64_t>(matrix.in, code_tiles::kMaxUnit);
  std::int64_t unit = common;
  for (std::int64_t parts = 2; unit > code_tiles::kMaxUnit; ++parts)
    if (common % parts == 0) unit = common / parts;
  return unit;
}

// The largest step of which every level is a multiple within 8 bits; 0 when there is none.
float level_step(const float* levels) {
  for (const float step : {1.0f, 0.5f}) {
    bool whole = true;
    for (int i = 0; i < 16; ++i) {
      const float multiple = levels[i] / step;
      whole = whole && multiple == std::nearbyint(multiple) && std::abs(multiple) <= 127;
    }
    if (whole) return step;
  }
  return 0;
}

// The smallest form that holds every offset exactly.
OffsetForm find_offset_form(Runtime& runtime, const StackedRows& rows, const PackedMatrix& matrix) {
  std::atomic<bool> i8 = true, f16 = true;
  runtime.parallel(matrix.out, 16, [&](std::int64_t output, std::int64_t end) {
    GridReader grid(rows, matrix.codes, matrix.in);
    for (; output < end && (i8 || f16); ++output) {
      grid.read(output);
      for (std::int64_t g = 0; g < matrix.codes.groups; ++g) {
        const float offset = grid.offset(g);
        if (multiple_of(grid.scale(g), offset) == 128) i8 = false;
        if (to_float(to_fp16(offset)) != offset) f16 = false;
      }
    }
  });
  return i8 ? OffsetForm::kI8 : f16 ? OffsetForm::kF16 : OffsetForm::kF32;
}

void set_levels(const float* levels, bool integers, CodeTiles& tiles) {
  std::copy(levels, levels + 16, tiles.levels);
  if (!integers) return;
  const float step = level_step(levels);
  tiles.bias = 128;
  for (int i = 0; i < 16; ++i)
    tiles.level_bytes[i] = static_cast<std::uint8_t>(levels[i] / step + 128);
  if (step != 1.0f) tiles.scales = ScaleForm::kF32;  // a scale times the step need not be FP16
}

// Whether scales can be kept as the format has them: a byte a unit and a factor a group.
bool can_be_factored(const Grid& grid, const PackedMatrix& matrix) {
  return grid.factor_inputs > 0 && matrix.in % grid.factor_inputs == 0 &&
         unit_inputs(matrix, grid.group_size) == grid.group_size &&
         (grid.codebook == nullptr || level_step(grid.codebook) == 1.0f);
}

void set_geometry(const StackedRows& rows, PackedMatrix& matrix, ScaleForm scales,
                  OffsetForm form) {
  const Grid grid = rows.first().format->grid(rows.first());
  const std::int64_t scaled = std::min(grid.group_size, matrix.in);
  const std::int64_t group = scales == ScaleForm::kFactored ? grid.factor_inputs : scaled;
  CodeTiles& tiles = matrix.codes;
  tiles.groups = divide_up(matrix.in, group);
  tiles.group_inputs = group;
  tiles.unit_inputs = unit_inputs(matrix, scaled);
  tiles.units = divide_up(group, tiles.unit_inputs);
  const CodePlanes planes = planes_of(matrix.packing);
  const std::int64_t blocks = divide_up(tiles.unit_inputs, planes.inputs);
  tiles.unit_padded = blocks * planes.inputs;
  tiles.unit_vectors = blocks * planes.vectors();
  tiles.bias = grid.bias;
  tiles.scales = scales;
  tiles.offsets = form;
  if (grid.codebook != nullptr) set_levels(grid.codebook, integer_inputs(matrix), tiles);
  if (grid.codebook == nullptr)
    for (int code = 0; code < 16; ++code)
      tiles.levels[code] = static_cast<float>(code - tiles.bias);
  tiles.code_bytes = tiles.units * tiles.unit_vectors * 64;
  tiles.group_bytes = tiles.code_bytes + tiles.scales_bytes() + offset_bytes(tiles);
  matrix.tile_bytes = tiles.groups * tiles.group_bytes;
}

// Calls body(k, count, byte) for every unit of a lane: its first input, how many inputs are real,
// and where in a tile its codes begin.
template <class Body>
void for_each_unit(const PackedMatrix& matrix, int lane, const Body& body) {
  const CodeTiles& tiles = matrix.codes;
  for (std::int64_t g = 0; g < tiles.groups; ++g)
    for (std::int64_t u = 0; u < tiles.units; ++u) {
      const std::int64_t in_group = u * tiles.unit_inputs,
                         first = g * tiles.group_inputs + in_group;
      const std::int64_t count =
          std::min({tiles.unit_inputs, tiles.group_inputs - in_group, matrix.in - first});
      body(first, count, g * tiles.group_bytes + u * tiles.unit_vectors * 64 + 4 * lane);
    }
}

// The codes of one lane and unit at 8 and at 4 bits, where speed of loading matters most.
void put_bytes(const std::uint8_t* codes, std::int64_t count, std::byte* to) {
  for (; count >= 4; count -= 4, codes += 4, to += 64) std::memcpy(to, codes, 4);
  std::memcpy(to, codes, static_cast<std::size_t>(count));
}

void put_halves(const std::uint8_t* codes, std::int64_t count, std::byte* to) {
  std::uint8_t rest[8] = {};
  for (; count > 0; count -= 8, codes += 8, to += 64) {
    if (count < 8) std::memcpy(rest, codes, static_cast<std::size_t>(count));
    const std::uint8_t* eight = count < 8 ? rest : codes;
    std::uint32_t low = 0, high = 0;
    std::memcpy(&low, eight, 4);
    std::memcpy(&high, eight + 4, 4);
    low |= high << 4;  // codes are below 16: nothing crosses a byte
    std::memcpy(to, &low, 4);
  }
}

// Codes of any planes, bit by bit of the description.
void put_planes(const CodePlanes& planes, const std::uint8_t* codes, std::int64_t count,
                std::byte* to) {
  for (; count > 0; count -= planes.inputs, codes += planes.inputs) {
    int shift = 0;
    for (const int bits : {planes.low, planes.high}) {
      const std::int64_t inputs = bits == 0 ? 0 : planes.inputs;
      for (std::int64_t first = 0; first < inputs; first += 32 / bits, to += 64) {
        std::uint32_t word = 0;
        for (std::int64_t i = 0; i < 32 / bits && first + i < count; ++i) {
          const std::uint32_t part = codes[first + i] >> shift & ((1u << bits) - 1);
          word |= part << (i % 4 * 8 + i / 4 * bits);
        }
        std::memcpy(to, &word, 4);
      }
      shift += bits;
    }
  }
}

int get_code(const CodePlanes& planes, const std::byte* from, std::int64_t i) {
  from += i / planes.inputs * planes.vectors() * 64;
  i %= planes.inputs;
  int code = 0, shift = 0;
  for (const int bits : {planes.low, planes.high}) {
    if (bits == 0) break;
    const std::int64_t within = i % (32 / bits);
    const int byte = static_cast<int>(from[i / (32 / bits) * 64 + within % 4]);
    code |= (byte >> within / 4 * bits & ((1 << bits) - 1)) << shift;
    shift += bits;
    from += planes.inputs * bits / 32 * 64;
  }
  return code;
}

bool pack_row(const PackedMatrix& matrix, const GridReader& grid, int lane, float step,
              std::byte* tile) {
  const CodeTiles& tiles = matrix.codes;
  const CodePlanes planes = planes_of(matrix.packing);
  for_each_unit(matrix, lane, [&](std::int64_t k, std::int64_t count, std::int64_t byte) {
    if (planes.low == 8)
      put_bytes(grid.codes() + k, count, tile + byte);
    else if (planes.high == 0 && planes.low == 4)
      put_halves(grid.codes() + k, count, tile + byte);
    else
      put_planes(planes, grid.codes() + k, count, tile + byte);
  });
  for (std::int64_t g = 0; g < tiles.groups; ++g) {
    std::byte* scales = tile + g * tiles.group_bytes + tiles.code_bytes;
    if (!put_scales(tiles, grid, g, lane, step, scales) ||
        !put_offsets(tiles, grid, g, lane, step, scales + tiles.scales_bytes()))
      return false;
  }
  return true;
}

float step_of(const PackedMatrix& matrix) {
  if (matrix.packing != Packing::kLevels || !integer_inputs(matrix)) return 1;
  return level_step(matrix.codes.levels);
}

// Every thread packs what it will multiply, so that on machines with several NUMA nodes the pages
// lie near it. False when an offset does not fit its form.
bool pack_tiles(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix) {
  matrix.tiles = allocate_tiles(matrix);
  const float step = step_of(matrix);
  std::atomic<bool> fits = true;
  runtime.parallel_shares(matrix.tile_count(), kTileUnit, [&](std::int64_t tile, std::int64_t end) {
    GridReader grid(rows, matrix.codes, matrix.in);
    for (; tile < end && fits.load(std::memory_order_relaxed); ++tile) {
      std::byte* out = matrix.tiles.data() + tile * matrix.tile_bytes;
      std::memset(out, 0, static_cast<std::size_t>(matrix.tile_bytes));
      for (int lane = 0; lane < kTileRows && tile * kTileRows + lane < matrix.out; ++lane) {
        grid.read(tile * kTileRows + lane);
        if (!pack_row(matrix, grid, lane, step, out)) fits = false;
      }
    }
  });
  return fits;
}

}  // namespace

bool levels_are_integers(const float* levels) { return level_step(levels) != 0; }

void pack_codes(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix) {
  const Grid grid = rows.first().format->grid(rows.first());
  const auto try_forms = [&](ScaleForm scales, OffsetForm offsets) {
    set_geometry(rows, matrix, scales, grid.has_offsets ? offsets : OffsetForm::kNone);
    return pack_tiles(runtime, rows, matrix);
  };
  if (can_be_factored(grid, matrix) && try_forms(ScaleForm::kFactored, OffsetForm::kFactored))
    return;
  // Nearly all offsets are small multiples of their scales: looking first would read everything
  // twice.
  const ScaleForm scales = grid.scales_are_f16 ? ScaleForm::kF16 : ScaleForm::kF32;
  if (try_forms(scales, OffsetForm::kI8)) return;
  try_forms(scales, find_offset_form(runtime, rows, matrix));
}

void unpack_codes(const PackedMatrix& matrix, std::int64_t row, std::span<float> out) {
  const CodeTiles& tiles = matrix.codes;
  const std::byte* tile = matrix.tiles.data() + row / kTileRows * matrix.tile_bytes;
  const int lane = static_cast<int>(row % kTileRows);
  const CodePlanes planes = planes_of(matrix.packing);
  const float step = step_of(matrix);
  float scale = 0, offset = 0;
  for_each_unit(matrix, lane, [&](std::int64_t k, std::int64_t count, std::int64_t byte) {
    const std::int64_t group = k / tiles.group_inputs;
    const std::int64_t unit = (k - group * tiles.group_inputs) / tiles.unit_inputs;
    get_unit(tiles, tile + group * tiles.group_bytes, unit, lane, scale, offset);
    scale /= step;
    for (std::int64_t i = 0; i < count; ++i) {
      const int code = get_code(planes, tile + byte, i);
      float& weight = out[static_cast<std::size_t>(k + i)];
      if (matrix.packing == Packing::kLevels)
        weight = scale * tiles.levels[code];
      else
        weight = scale * static_cast<float>(code - tiles.bias);
      if (tiles.offsets != OffsetForm::kNone) weight += offset;
    }
  });
}

}  // namespace farthing::kernels
