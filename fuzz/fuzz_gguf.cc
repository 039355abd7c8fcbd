// A GGUF file: metadata, tensor table, the configuration made from it, and reading every matrix.
// Layer: io
#include <vector>

#include "formats/format.h"
#include "fuzz/fuzz.h"
#include "io/gguf.h"
#include "io/plain_matrix.h"

namespace {

using namespace farthing;

void read_matrix(const io::TensorInfo& tensor) {
  const QuantizedTensor matrix = io::plain_matrix(tensor, 0, 1, "fuzz.gguf");
  if (matrix.shape.size() > 1 << 20) return;
  std::vector<float> numbers(static_cast<std::size_t>(matrix.shape.cols));
  for (std::int64_t row = 0; row < matrix.shape.rows; ++row)
    matrix.format->dequantize(matrix, row, {numbers.data(), 1, matrix.shape.cols});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect_result_or_complaint([&] {
    const io::Gguf content = io::parse_gguf(fuzz::bytes_of(data, size), "fuzz.gguf");
    fuzz::expect_result_or_complaint(
        [&] { io::gguf_config(content.metadata, content.tensors, "fuzz.gguf"); });
    for (const io::TensorInfo& tensor : content.tensors)
      fuzz::expect_result_or_complaint([&] { read_matrix(tensor); });
  });
  return 0;
}
