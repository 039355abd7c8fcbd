// PackedMatrix: weights as one kernel reads them. Never written to a file.
#pragma once

#include <string>
#include <string_view>

#include "core/memory.h"
#include "kernels/activations.h"
#include "kernels/linear.h"
#include "kernels/linear_slice.h"
#include "kernels/squeezed/squeezed.h"

namespace farthing::kernels {

// Tiles that a thread takes at least: whole pairs of pairs.
inline constexpr std::int64_t kTileUnit = 4;

// How tiles of 16 outputs lie in memory: floats input by input, or CodeTiles of codes of some bits,
// or of 4 bits that choose one of 16 levels (kLevels).
enum class Packing : std::uint8_t { kF32, kBf16, kF16, kU2, kU3, kU4, kU5, kU6, kU8, kLevels };
constexpr bool is_codes(Packing packing) { return packing >= Packing::kU2; }
constexpr CodePlanes planes_of(Packing packing) {
  switch (packing) {
    case Packing::kU2:
      return {2, 0, 16};
    case Packing::kU3:
      return {2, 1, 32};
    case Packing::kU5:
      return {4, 1, 32};
    case Packing::kU6:
      return {4, 2, 16};
    case Packing::kU8:
      return {8, 0, 8};
    default:
      return {4, 0, 8};
  }
}

// A row of the kernel table, which is sorted best first.
struct LinearKernel {
  std::string_view family;
  Isa isa = Isa::kScalar;
  Packing packing = Packing::kF32;
  int input_bits = 0;  // 8, 16; 0: floats
  InputForm form = InputForm::kFloats;
  int panel_tokens = 1;
  LinearRun run = nullptr;
  QuantizeRun quantize = nullptr;  // fills the form; null for floats
  int code_shift = 0;              // the kernel multiplies code - code_shift
  bool exact = true;               // the bits of the scalar kernel; else near them
};

// Every kernel that this build contains.
std::span<const LinearKernel> linear_kernels();

// The first row that suits and may run; null when there is none. Nothing else decides.
const LinearKernel* choose_kernel(std::span<const LinearKernel> table, Packing packing,
                                  ActivationMode mode, IsaSet isas);

class PackedMatrix {
 public:
  std::int64_t in = 0, out = 0;
  Packing packing = Packing::kF32;
  ActivationScheme activations;
  const LinearKernel* kernel = nullptr;
  std::string kernel_name;

  CodeTiles codes;  // geometry, for packings of codes
  std::int64_t tile_bytes = 0;
  SqueezedTiles squeezed;  // groups > 0: the tiles are, and an expander makes them dense
  ExpandRun expand = nullptr;
  ThinRun thin = nullptr;  // for one token, where there is a kernel of its own
  AlignedArray<std::byte> tiles;
  AlignedArray<float> bias;  // padded to whole tiles with zeros, or empty

  std::int64_t tile_count() const { return (out + kTileRows - 1) / kTileRows; }
  InputLayout input_layout() const;
};

// Output r of stacked sources is row `row` of `source`.
class StackedRows {
 public:
  explicit StackedRows(std::span<const LinearSource> sources) : sources_(sources) {}
  std::int64_t rows() const;
  const QuantizedTensor& first() const { return *sources_[0].weight; }
  struct Place {
    const LinearSource* source = nullptr;
    std::int64_t output = 0;  // within the source
    std::int64_t row = 0;     // of its tensor, after row_order
  };
  Place at(std::int64_t output) const;

 private:
  std::span<const LinearSource> sources_;
};

// The packing that keeps a weight as it is, in the fewest bits that its groups can be cut for, or
// FP32 where none does.
Packing packing_of(const QuantizedTensor& weight, ActivationMode mode);

// Whether a codebook can meet integer inputs: its levels are multiples of 1 or of 1/2 that fit 8
// bits.
bool levels_are_integers(const float* levels);

// Memory for all tiles.
AlignedArray<std::byte> allocate_tiles(const PackedMatrix& matrix);

// y (tokens, columns) = outputs first .. first + columns; first is a multiple of 16.
void multiply(Runtime& runtime, const PackedMatrix& matrix, Activations& x, std::int64_t first,
              MatrixView<float> y, const Epilogue& epilogue);

// Packs the sources for the best kernel, zeros and all; Linear::pack() says what can go wrong.
PackedMatrix pack_dense(Runtime& runtime, std::span<const LinearSource> sources,
                        const ActivationScheme& scheme);
// Row `row` as the sources hold it.
void unpack_row(const PackedMatrix& matrix, std::int64_t row, std::span<float> out);

// Fill tiles, tile_bytes and codes; in, out, packing and activations are set.
void pack_floats(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix);
void pack_codes(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix);
// The same as unpack_row(), of a dense matrix.
void unpack_floats(const PackedMatrix& matrix, std::int64_t row, std::span<float> out);
void unpack_codes(const PackedMatrix& matrix, std::int64_t row, std::span<float> out);

}  // namespace farthing::kernels
