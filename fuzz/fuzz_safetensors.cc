// A safetensors file: header, offsets, and that every tensor's bytes can be read.
// Layer: io
#include "fuzz/fuzz.h"
#include "io/plain_matrix.h"
#include "io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace farthing;
  fuzz::expect_result_or_complaint([&] {
    const io::Safetensors content =
        io::parse_safetensors(fuzz::bytes_of(data, size), "fuzz.safetensors");
    unsigned sum = 0;
    for (const io::TensorInfo& tensor : content.tensors) {
      for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
      fuzz::expect_result_or_complaint(
          [&] { static_cast<void>(io::plain_matrix(tensor, 0, 1, "fuzz.safetensors")); });
    }
    volatile unsigned keep = sum;
    static_cast<void>(keep);
  });
  return 0;
}
