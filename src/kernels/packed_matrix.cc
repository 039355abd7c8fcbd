#include "kernels/packed_matrix.h"

#include <cassert>
#include <cstdint>

namespace farthing::kernels {

namespace {

// Groups of whole blocks waste nothing. Codes of 7 bits and those that do not suit take more.
Packing packing_of_codes(const Grid& grid, std::int64_t cols) {
  for (const Packing packing :
       {Packing::kU2, Packing::kU3, Packing::kU4, Packing::kU5, Packing::kU6}) {
    const CodePlanes planes = planes_of(packing);
    const bool whole =
        grid.group_size >= cols || grid.group_size % planes.inputs == 0 || packing == Packing::kU4;
    if (grid.bits <= planes.low + planes.high && whole) return packing;
  }
  return Packing::kU8;
}

}  // namespace

Packing packing_of(const QuantizedTensor& weight, ActivationMode mode) {
  if (weight.format != nullptr && weight.format->grid != nullptr) {
    const Grid grid = weight.format->grid(weight);
    const bool floats = mode == ActivationMode::kF32 || mode == ActivationMode::kBf16;
    // Float kernels take eight inputs of a group at a time.
    if (floats && grid.group_size < weight.shape.cols && grid.group_size % 8 != 0)
      return Packing::kF32;
    if (grid.codebook != nullptr) return Packing::kLevels;
    return packing_of_codes(grid, weight.shape.cols);
  }
  if (weight.scheme.element == Element::kBf16) return Packing::kBf16;
  if (weight.scheme.element == Element::kF16) return Packing::kF16;
  return Packing::kF32;
}

InputLayout PackedMatrix::input_layout() const {
  InputLayout layout = {.form = kernel->form, .width = kernel->panel_tokens};
  layout.round_to_bf16 = activations.mode == ActivationMode::kBf16;
  if (kernel->input_bits == 0) return layout;
  const bool grouped = activations.strategy == Strategy::kGroup && activations.group_size < in;
  layout.bits = kernel->input_bits;
  layout.bias = codes.bias - kernel->code_shift;
  layout.units = codes.groups * codes.units;
  layout.unit_inputs = codes.unit_inputs;
  layout.unit_padded = codes.unit_padded;
  layout.scale_inputs = grouped ? activations.group_size : layout.units * layout.unit_inputs;
  if (!activations.dynamic) layout.fixed_scale = activations.scale;
  layout.quantize = kernel->quantize;
  return layout;
}

AlignedArray<std::byte> allocate_tiles(const PackedMatrix& matrix) {
  return allocate_in_huge_pages(static_cast<std::size_t>(matrix.tile_count() * matrix.tile_bytes));
}

std::int64_t StackedRows::rows() const {
  std::int64_t sum = 0;
  for (const LinearSource& source : sources_) sum += source.weight->shape.rows;
  return sum;
}

StackedRows::Place StackedRows::at(std::int64_t output) const {
  for (const LinearSource& source : sources_) {
    const std::int64_t rows = source.weight->shape.rows;
    if (output >= rows) {
      output -= rows;
      continue;
    }
    if (source.row_order.empty()) return {&source, output, output};
    assert(std::ssize(source.row_order) == rows);
    const std::int64_t row = source.row_order[static_cast<std::size_t>(output)];
    assert(row >= 0 && row < rows);
    return {&source, output, row};
  }
  assert(false && "an output past the stacked rows");
  return {};
}

}  // namespace farthing::kernels
