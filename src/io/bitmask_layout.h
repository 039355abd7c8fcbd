// Writing matrices as a bitmap and the elements that are not zero: the inverse of what
// bitmask_matrix.h reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime.h"
#include "io/checkpoint.h"
#include "io/planned_safetensors.h"
#include "io/quantization_config.h"
#include "tensor/shape.h"

namespace farthing::io {

// A matrix of a checkpoint, and how many of its elements a bitmap has to keep.
struct BitmaskMatrix {
  std::string base;
  const TensorInfo* dense = nullptr;  // ".weight" or ".weight_packed"
  int code_bits = 0;                  // of packed codes; 0: elements of whole bytes
  std::int64_t element_bits = 0;
  Shape shape;
  std::vector<std::int64_t> kept;  // of each row: elements whose bits are not those of zero

  std::int64_t all_kept() const;
  std::uint64_t dense_bytes() const { return dense->bytes.size(); }
  std::uint64_t stored_bytes() const;  // of bitmask_tensors()
  bool gains() const { return stored_bytes() < dense_bytes(); }
};

// The share of elements below which a bitmap takes fewer bytes: 1 bit + density * bits < bits.
inline double bitmask_break_even(std::int64_t element_bits) {
  return 1.0 - 1.0 / static_cast<double>(element_bits);
}

// Counts what is not zero in `tensor`, which must hold the weights of a matrix: floats, or
// symmetric codes as `config` says (null: floats alone). nullopt: it is no matrix of that kind.
// A float -0 is kept, so that nothing changes when it is read. Error: as compressed_matrix().
std::optional<BitmaskMatrix> count_bitmask(Runtime& runtime, const Checkpoint& checkpoint,
                                           const TensorInfo& tensor,
                                           const QuantizationConfig* config);

// The matrix' tensors in a file: those of compressed-tensors' sparse-bitmask for elements of whole
// bytes, else Farthing's own for packed codes (bitmask_matrix.h).
std::vector<PlannedTensor> bitmask_tensors(const BitmaskMatrix& matrix);
// Writes them; the first is number `first` of the file. Error: as PlannedSafetensors::write().
void write_bitmask(Runtime& runtime, const BitmaskMatrix& matrix, PlannedSafetensors& file,
                   std::size_t first);

}  // namespace farthing::io
