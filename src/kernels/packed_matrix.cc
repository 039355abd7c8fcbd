#include "kernels/packed_matrix.h"

#include <cassert>

namespace farthing::kernels {

InputLayout PackedMatrix::input_layout() const {
  return {.form = kernel->form,
          .round_to_bf16 = activations.mode == ActivationMode::kBf16,
          .width = kernel->panel_tokens};
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
