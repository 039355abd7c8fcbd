#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "kernels/packed_matrix.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

// A row of the weight as bytes of the packing's elements: where it lies, or decoded into `room`.
template <class T>
const std::byte* source_row(const StackedRows::Place& place, std::int64_t in, T* room) {
  const QuantizedTensor& weight = *place.source->weight;
  if constexpr (std::is_same_v<T, float>) {
    if (weight.scheme.element != Element::kF32) {  // FP8 and the like: as its format reads it
      weight.format->dequantize(weight, place.row, MatrixView<float>(room, 1, in));
      return reinterpret_cast<const std::byte*>(room);
    }
  }
  return weight.parts[0].view().data() + static_cast<std::size_t>(place.row * in) * sizeof(T);
}

// Sixteen rows become a tile: input by input, one element of each row.
template <class T>
void interleave(const std::array<const std::byte*, kTileRows>& rows, std::int64_t in, T* tile) {
  for (std::int64_t k = 0; k < in; ++k)
    for (std::size_t lane = 0; lane < kTileRows; ++lane)  // not through T*: files owe no alignment
      std::memcpy(tile + k * kTileRows + static_cast<std::int64_t>(lane),
                  rows[lane] + static_cast<std::size_t>(k) * sizeof(T), sizeof(T));
}

template <class T>
void pack_tiles(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix) {
  // 16 bits: a whole number of pairs of inputs, for kernels that take two at a time.
  const std::int64_t padded = sizeof(T) == 2 ? (matrix.in + 1) / 2 * 2 : matrix.in;
  matrix.tile_bytes = padded * kTileRows * static_cast<std::int64_t>(sizeof(T));
  matrix.tiles = allocate_tiles(matrix);
  runtime.parallel_shares(matrix.tile_count(), kTileUnit, [&](std::int64_t tile, std::int64_t end) {
    const auto width = static_cast<std::size_t>(matrix.in);
    std::vector<T> room(width * kTileRows), zeros(width);
    for (; tile < end; ++tile) {
      std::array<const std::byte*, kTileRows> sources;
      for (std::size_t lane = 0; lane < kTileRows; ++lane) {
        const std::int64_t output = tile * kTileRows + static_cast<std::int64_t>(lane);
        sources[lane] = output < matrix.out
                            ? source_row<T>(rows.at(output), matrix.in, room.data() + lane * width)
                            : reinterpret_cast<const std::byte*>(zeros.data());
      }
      T* out = reinterpret_cast<T*>(matrix.tiles.data() + tile * matrix.tile_bytes);
      interleave(sources, matrix.in, out);
      std::fill(out + matrix.in * kTileRows, out + padded * kTileRows, T{});
    }
  });
}

template <class T>
void unpack_row_of(const PackedMatrix& matrix, std::int64_t row, std::span<float> out) {
  const T* tile =
      reinterpret_cast<const T*>(matrix.tiles.data() + row / kTileRows * matrix.tile_bytes);
  for (std::int64_t k = 0; k < matrix.in; ++k)
    out[static_cast<std::size_t>(k)] = to_float(tile[k * kTileRows + row % kTileRows]);
}

}  // namespace

void pack_floats(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix) {
  switch (matrix.packing) {
    case Packing::kF32:
      return pack_tiles<float>(runtime, rows, matrix);
    case Packing::kBf16:
      return pack_tiles<Bf16>(runtime, rows, matrix);
    case Packing::kF16:
      return pack_tiles<Fp16>(runtime, rows, matrix);
    default:
      assert(false && "codes");
  }
}

void unpack_floats(const PackedMatrix& matrix, std::int64_t row, std::span<float> out) {
  switch (matrix.packing) {
    case Packing::kF32:
      return unpack_row_of<float>(matrix, row, out);
    case Packing::kBf16:
      return unpack_row_of<Bf16>(matrix, row, out);
    case Packing::kF16:
      return unpack_row_of<Fp16>(matrix, row, out);
    default:
      assert(false && "codes");
  }
}

}  // namespace farthing::kernels
