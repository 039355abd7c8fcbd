// FP8 E4M3 weights as compressed-tensors' float-quantized keeps them: ".weight" in F8_E4M3 and one
// scale a row or a tensor. Read only.
#include "formats/parts.h"
#include "formats/rows.h"

namespace farthing {
namespace {

bool holds(const WeightScheme& scheme) { return scheme.element == Element::kF8e4m3; }

std::vector<Part> parts(Shape shape, const WeightScheme& scheme) {
  check_groups(shape, scheme);
  return {make_part(".weight", "F8_E4M3", shape.rows, shape.cols, 1), scale_part(shape, scheme)};
}

void dequantize(const QuantizedTensor& tensor, std::int64_t first_row, MatrixView<float> out) {
  const std::int64_t inputs = group_inputs(tensor.scheme, out.cols);
  for (std::int64_t r = 0; r < out.rows; ++r) {
    const std::int64_t row = first_row + r;
    const std::byte* from = tensor.parts[0].view().data() + row * tensor.shape.cols;
    float* to = out.row_data(r);
    std::int64_t scale_at = scale_index(tensor, row);
    for (std::int64_t begin = 0; begin < out.cols; begin += inputs, ++scale_at) {
      const float scale = load_scale(tensor.parts[1], scale_at, tensor.scheme.scale);
      for (std::int64_t j = begin; j < begin + inputs; ++j)
        to[j] = to_float(load<Fp8E4m3>(from, j)) * scale;
    }
  }
}

}  // namespace

Format fp8_format() { return {"fp8", holds, parts, dequantize, nullptr}; }

}  // namespace farthing
