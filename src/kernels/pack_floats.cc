#include <cassert>
#include <cstring>

#include "kernels/packed_matrix.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

// A row of the weight as elements of the packing, wherever it comes from.
template <class T>
const T* source_row(const StackedRows::Place& place, std::int64_t in, std::vector<T>& room) {
  const QuantizedTensor& weight = *place.source->weight;
  if constexpr (std::is_same_v<T, float>) {
    if (weight.scheme.element != Element::kF32) {  // FP8 and the like: as its format reads it
      room.resize(static_cast<std::size_t>(in));
      weight.format->dequantize(weight, place.row, MatrixView<float>(room.data(), 1, in));
      return room.data();
    }
  }
  // Not through T*: a mapped file owes nobody alignment.
  room.resize(static_cast<std::size_t>(in));
  const std::size_t bytes = static_cast<std::size_t>(in) * sizeof(T);
  std::memcpy(room.data(),
              weight.parts[0].view().data() + static_cast<std::size_t>(place.row) * bytes, bytes);
  return room.data();
}

template <class T>
void pack_tiles(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix) {
  matrix.tile_bytes = matrix.in * kTileRows * static_cast<std::int64_t>(sizeof(T));
  matrix.tiles =
      AlignedArray<std::byte>(static_cast<std::size_t>(matrix.tile_count() * matrix.tile_bytes));
  runtime.parallel(matrix.tile_count(), 1, [&](std::int64_t tile, std::int64_t end) {
    std::vector<T> room;
    for (; tile < end; ++tile) {
      T* out = reinterpret_cast<T*>(matrix.tiles.data() + tile * matrix.tile_bytes);
      for (int lane = 0; lane < kTileRows; ++lane) {
        const std::int64_t output = tile * kTileRows + lane;
        const T* in =
            output < matrix.out ? source_row<T>(rows.at(output), matrix.in, room) : nullptr;
        for (std::int64_t k = 0; k < matrix.in; ++k)
          out[k * kTileRows + lane] = in != nullptr ? in[k] : T{};
      }
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
