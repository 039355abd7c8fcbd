// PackedMatrix: weights as one kernel reads them. Never written to a file.
#pragma once

#include <string>
#include <string_view>

#include "core/memory.h"
#include "kernels/activations.h"
#include "kernels/linear.h"
#include "kernels/linear_slice.h"

namespace farthing::kernels {

// How tiles of 16 outputs lie in memory.
enum class Packing : std::uint8_t { kF32, kBf16, kF16 };

// A row of a kernel table. Tables are sorted best first.
struct LinearKernel {
  std::string_view family;
  Isa isa = Isa::kScalar;
  Packing packing = Packing::kF32;
  InputForm form = InputForm::kFloatPanels;
  int panel_tokens = 1;  // kFloatPanels
  LinearRun run = nullptr;
};

// Every kernel that this build contains, best first.
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

  std::int64_t tile_bytes = 0;
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
  struct Place {
    const LinearSource* source = nullptr;
    std::int64_t output = 0;  // within the source
    std::int64_t row = 0;     // of its tensor, after row_order
  };
  Place at(std::int64_t output) const;

 private:
  std::span<const LinearSource> sources_;
};

// Fills tiles and tile_bytes; in, out and packing are set.
void pack_floats(Runtime& runtime, const StackedRows& rows, PackedMatrix& matrix);
void unpack_floats(const PackedMatrix& matrix, std::int64_t row, std::span<float> out);

}  // namespace farthing::kernels
