// fp32, bf16, fp16: one part, ".weight".
#include <cmath>

#include "formats/parts.h"

namespace farthing {
namespace {

template <class T>
struct Float;
template <>
struct Float<float> {
  static constexpr std::string_view kName = "fp32", kDtype = "F32";
  static constexpr Element kElement = Element::kF32;
  static float from(float x) { return x; }
};
template <>
struct Float<Bf16> {
  static constexpr std::string_view kName = "bf16", kDtype = "BF16";
  static constexpr Element kElement = Element::kBf16;
  static Bf16 from(float x) { return to_bf16(x); }
};
template <>
struct Float<Fp16> {
  static constexpr std::string_view kName = "fp16", kDtype = "F16";
  static constexpr Element kElement = Element::kF16;
  static Fp16 from(float x) { return to_fp16(x); }
};

template <class T>
bool holds(const WeightScheme& scheme) {
  return scheme.element == Float<T>::kElement;
}

template <class T>
std::vector<Part> parts(Shape shape, const WeightScheme&) {
  return {make_part(".weight", Float<T>::kDtype, shape.rows, shape.cols, sizeof(T))};
}

template <class T>
void dequantize(const QuantizedTensor& tensor, std::int64_t first_row, MatrixView<float> out) {
  const std::byte* bytes = tensor.parts[0].view().data();
  for (std::int64_t r = 0; r < out.rows; ++r) {
    const std::byte* from = bytes + index((first_row + r) * tensor.shape.cols) * sizeof(T);
    float* to = out.row_data(r);
    for (std::int64_t j = 0; j < out.cols; ++j) to[j] = to_float(load<T>(from, j));
  }
}

// A number beyond the narrower type's range is refused rather than turned into an infinity.
template <class T>
void quantize(QuantizedTensor& tensor, std::int64_t first_row, MatrixView<const float> rows,
              const RoundOptions&) {
  check_finite(rows, first_row);
  std::byte* bytes = tensor.parts[0].writable().data();
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    std::byte* to = bytes + index((first_row + r) * tensor.shape.cols) * sizeof(T);
    const float* from = rows.row_data(r);
    for (std::int64_t j = 0; j < rows.cols; ++j) {
      const T value = Float<T>::from(from[j]);
      if (std::isinf(to_float(value)))
        bad_input("the weight at row {}, column {} is {}, beyond the range of {}: use a wider type",
                  first_row + r, j, from[j], Float<T>::kName);
      store(to, j, value);
    }
  }
}

template <class T>
Format format() {
  Format format{Float<T>::kName, holds<T>, parts<T>, dequantize<T>, quantize<T>};
  format.named = WeightScheme{.element = Float<T>::kElement, .bits = 8 * sizeof(T)};
  return format;
}

}  // namespace

Format fp32_format() { return format<float>(); }
Format bf16_format() { return format<Bf16>(); }
Format fp16_format() { return format<Fp16>(); }

}  // namespace farthing
