#include <algorithm>
#include <array>

#include "formats/format.h"
#include "formats/parts.h"

namespace farthing {

// Each in the file of its format.
Format fp32_format();            // floats.cc
Format bf16_format();            // floats.cc
Format fp16_format();            // floats.cc
Format fp8_format();             // fp8.cc
Format int_packed_format();      // int_packed.cc
Format int_plain_format();       // int_plain.cc
Format int_float_zero_format();  // int_float_zero.cc
Format nf4_format();             // nf4.cc
Format mxfp4_format();           // mxfp4.cc
Format q4_0_format();            // gguf_legacy.cc
Format q4_1_format();            // gguf_legacy.cc
Format q5_0_format();            // gguf_legacy.cc
Format q5_1_format();            // gguf_legacy.cc
Format q8_0_format();            // gguf_legacy.cc
Format q2_k_format();            // gguf_k.cc
Format q3_k_format();            // gguf_k.cc
Format q4_k_format();            // gguf_k.cc
Format q5_k_format();            // gguf_k.cc
Format q6_k_format();            // gguf_k.cc
Format iq4_nl_format();          // gguf_iq4.cc
Format iq4_xs_format();          // gguf_iq4.cc

namespace {

const auto& table() {
  // A scheme belongs to the first row that holds it.
  static const std::array rows = {
      fp32_format(),       bf16_format(),      fp16_format(),
      fp8_format(),        nf4_format(),       mxfp4_format(),
      int_packed_format(), int_plain_format(), int_float_zero_format(),
      q4_0_format(),       q4_1_format(),      q5_0_format(),
      q5_1_format(),       q8_0_format(),      q2_k_format(),
      q3_k_format(),       q4_k_format(),      q5_k_format(),
      q6_k_format(),       iq4_nl_format(),    iq4_xs_format(),
  };
  return rows;
}

void check_shape(Shape shape) {
  if (shape.rows <= 0 || shape.cols <= 0)
    bad_input("a weight must have at least one row and one column; found ({}, {})", shape.rows,
              shape.cols);
  // Far beyond any model, and small enough that no size below overflows before it is checked.
  constexpr std::int64_t kLimit = std::int64_t{1} << 40;
  if (shape.rows > kLimit || shape.cols > kLimit)
    bad_input("a weight may have at most {} rows and columns; found ({}, {})", kLimit, shape.rows,
              shape.cols);
}

constexpr std::string_view kShapeSuffix = ".weight_shape";  // I64: rows, cols

}  // namespace

std::span<const Format> formats() { return table(); }

const Format& find_format(const WeightScheme& scheme) {
  const auto rows = formats();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Format& f) { return f.holds(scheme); });
  if (found == rows.end())
    unsupported(
        "no weight format holds element type {} with {} bits{}{}; see docs/schemes.md for those "
        "that exist",
        static_cast<int>(scheme.element), scheme.bits, scheme.block.empty() ? "" : ", block type ",
        scheme.block);
  return *found;
}

QuantizedTensor allocate_tensor(Shape shape, const WeightScheme& scheme) {
  check_shape(shape);
  QuantizedTensor tensor;
  tensor.format = &find_format(scheme);
  tensor.shape = shape;
  tensor.scheme = scheme;
  for (const Part& part : tensor.format->parts(shape, scheme)) {
    AlignedArray<std::byte> bytes(part.bytes);
    std::memset(bytes.data(), 0, bytes.size());
    if (part.suffix == kShapeSuffix) {
      store(bytes.data(), 0, shape.rows);
      store(bytes.data(), 1, shape.cols);
    }
    tensor.parts.push_back(Bytes::own(std::move(bytes)));
  }
  return tensor;
}

QuantizedTensor make_vector(std::span<const float> values, const WeightScheme& scheme) {
  QuantizedTensor vector = allocate_tensor({1, std::ssize(values)}, scheme);
  vector.format->quantize(vector, 0, {values.data(), 1, std::ssize(values)}, {});
  return vector;
}

QuantizedTensor borrow_tensor(const QuantizedTensor& tensor) {
  QuantizedTensor view{tensor.format, tensor.shape, tensor.scheme, {}};
  for (const Bytes& part : tensor.parts) view.parts.push_back(Bytes::borrow(part.view()));
  return view;
}

QuantizedTensor borrow_tensor(Shape shape, const WeightScheme& scheme, std::vector<Bytes> parts,
                              std::string_view where) {
  check_shape(shape);
  const Format& format = find_format(scheme);
  const std::vector<Part> expected = format.parts(shape, scheme);
  if (parts.size() != expected.size())
    bad_input("{}: format {} has {} parts a weight; found {}", where, format.name, expected.size(),
              parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].size() != expected[i].bytes)
      bad_input("{}: {} of a ({}, {}) weight in format {} takes {} bytes; found {}", where,
                expected[i].suffix, shape.rows, shape.cols, format.name, expected[i].bytes,
                parts[i].size());
    if (expected[i].suffix != kShapeSuffix) continue;
    const std::byte* bytes = parts[i].view().data();
    const Shape stored{load<std::int64_t>(bytes, 0), load<std::int64_t>(bytes, 1)};
    if (stored != shape)
      bad_input("{}: {} must say ({}, {}), as the other parts do; it says ({}, {})", where,
                kShapeSuffix, shape.rows, shape.cols, stored.rows, stored.cols);
  }
  QuantizedTensor tensor;
  tensor.format = &format;
  tensor.shape = shape;
  tensor.scheme = scheme;
  tensor.parts = std::move(parts);
  return tensor;
}

}  // namespace farthing
