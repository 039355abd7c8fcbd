// A weight format is one file and one row of the table in registry.cc. Everything above formats/
// and kernels/ asks the row and never switches on a format.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "formats/quantized_tensor.h"
#include "tensor/matrix_view.h"

namespace farthing {

// How one part lies in a file. `suffix` follows the tensor's base name: ".weight_packed". Dtypes
// are safetensors': "I32", "F16", "BF16", "F32", "I8", "U8", "F8_E4M3".
struct Part {
  std::string_view suffix;
  std::string_view dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
};

// The grid of a tensor whose weights are scale * (code - bias) + offset, one scale (and offset) a
// group of consecutive inputs: what the packers of integer kernels need to know. Evaluated in FP32
// as written, it equals dequantize() bit for bit; only asymmetric integers whose file brings FP32
// scales of more than 16 significant bits may differ in the last place.
struct Grid {
  int bits = 8;                 // codes are 0 .. 2^bits - 1
  int bias = 0;                 // subtracted from every code
  std::int64_t group_size = 0;  // inputs a group; the row's length when per channel
  bool has_offsets = false;
  bool scales_are_f16 = false;      // every scale is exactly an FP16 number
  // Inputs in which every scale (and offset) is a number of 8 bits times one FP16 factor; 0: none.
  std::int64_t factor_inputs = 0;
  const float* codebook = nullptr;  // when set: weight = scale * codebook[code], 16 entries
};
struct GridRow {
  std::span<std::uint8_t> codes;  // (cols)
  std::span<float> scales;        // (groups)
  std::span<float> offsets;       // (groups), used when the grid has offsets
  // (cols / factor_inputs), or empty when not asked for: the factors of scales and of offsets.
  std::span<float> scale_factors = {}, offset_factors = {};
};

// How to round when nothing is known about the inputs (algorithms.md 1.1, 1.2).
enum class RoundMethod : std::uint8_t { kMinMax, kShrink, kScaleSearch, kHqq };
struct RoundOptions {
  RoundMethod method = RoundMethod::kScaleSearch;
  // (cols), or empty: how much the squared error of each input counts.
  std::span<const float> importance;
};

struct Format {
  std::string_view name;
  bool (*holds)(const WeightScheme&);
  // The parts of a tensor in this format. Error: bad input when the shape does not suit the format.
  std::vector<Part> (*parts)(Shape, const WeightScheme&);
  // Writes rows first_row .. first_row + out.rows as floats.
  void (*dequantize)(const QuantizedTensor&, std::int64_t first_row, MatrixView<float> out);
  // Rounds rows of a matrix into rows first_row.. of a tensor made by allocate(). Null where only
  // files bring the format. Rows are independent: threads may each take some, in any cut. Error:
  // bad input naming row and column of a weight that is not finite or beyond the scale's range.
  void (*quantize)(QuantizedTensor&, std::int64_t first_row, MatrixView<const float> rows,
                   const RoundOptions&);
  // Integer and codebook formats; null for floats.
  Grid (*grid)(const QuantizedTensor&) = nullptr;
  void (*read_grid)(const QuantizedTensor&, std::int64_t row, const GridRow&) = nullptr;
  // The inverse, for steps that choose codes themselves. The scales must be numbers of the scheme's
  // scale type, and the offsets scale * (bias - zero point). Null where nothing writes the format.
  void (*write_grid)(QuantizedTensor&, std::int64_t row, const GridRow&) = nullptr;
  // The scheme that parse_scheme() gives for the format's own name; families of schemes have their
  // grammar in quant_scheme.cc instead.
  std::optional<WeightScheme> named = {};
};

std::span<const Format> formats();
// The row that holds the scheme. Error: unsupported.
const Format& find_format(const WeightScheme& scheme);

// An owned tensor of the right sizes, its bytes zero.
QuantizedTensor allocate_tensor(Shape shape, const WeightScheme& scheme);
// (1, values) of the scheme, which has no data to go by. Error: as its format's quantize().
QuantizedTensor make_vector(std::span<const float> values,
                            const WeightScheme& scheme = {.element = Element::kF32, .bits = 32});
// The same tensor without owning its bytes; `tensor` must outlive it.
QuantizedTensor borrow_tensor(const QuantizedTensor& tensor);
// A tensor over bytes of a file, checked against the format's parts. Error: bad input, naming
// `where`.
QuantizedTensor borrow_tensor(Shape shape, const WeightScheme& scheme, std::vector<Bytes> parts,
                              std::string_view where);

}  // namespace farthing
