// Rows of a matrix on their way from the checkpoint to the artefact. Slabs bound the memory: a head
// or embedding of a large vocabulary is never in memory at once.
#pragma once

#include <cstdint>
#include <vector>

#include "compress/layout.h"
#include "compress/step.h"
#include "compress/stream_blocks.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "io/planned_safetensors.h"

namespace farthing::compress {

// Rows of a slab of about so many bytes as floats: a multiple of 32, because the zero points of 32
// rows share words, so that parts of slabs follow one another without a seam.
std::int64_t slab_rows(Shape shape, std::uint64_t slab_bytes);
// Memory for one slab of this unit.
std::uint64_t slab_need(const PlannedUnit& unit, std::uint64_t slab_bytes, int threads);

// A stored matrix, for messages.
struct MatrixName {
  std::string path;
  const PlannedUnit& unit;
  int slice = 0;
};
// Rows first .. first + rows.rows of a stored matrix as floats. Error: bad input naming row and
// column of a weight that is not finite.
void read_rows(Runtime& runtime, const MatrixName& name, const QuantizedTensor& source,
               std::int64_t first, MatrixView<float> rows);

// Adds what rounding did to these rows to the result.
void add_rounding_error(Runtime& runtime, const QuantizedTensor& made, MatrixView<const float> rows,
                        UnitResult& result);

class SlabWriter {
 public:
  SlabWriter(Runtime& runtime, const model::TensorMap& map, io::PlannedSafetensors& file,
             std::span<const std::unique_ptr<Step>> steps, std::uint64_t slab_bytes)
      : runtime_(runtime), map_(map), file_(file), steps_(steps), slab_bytes_(slab_bytes) {}

  // Writes the tensors of a unit that is rounded already, slice by slice.
  void write_made(const PlannedUnit& unit, std::span<const QuantizedTensor> slices,
                  std::size_t first);

  // Reads the unit, rounds it and writes its tensors, the first of which is number `first` of the
  // file. `worked` is called with the number of weights after each slab.
  UnitResult write(const PlannedUnit& unit, const Rounder& rounder, std::size_t first,
                   FunctionRef<void(std::int64_t)> worked);

 private:
  struct Place {
    const PlannedUnit& unit;
    std::size_t first;
    int slice;
  };
  void write_slice(const Place& place, const Rounder& rounder, UnitResult& result,
                   FunctionRef<void(std::int64_t)> worked);
  QuantizedTensor load(const PlannedUnit& unit, int slice) const;
  void write_parts(const Place& place, const QuantizedTensor& made, std::int64_t first_row);

  Runtime& runtime_;
  const model::TensorMap& map_;
  io::PlannedSafetensors& file_;
  std::span<const std::unique_ptr<Step>> steps_;  // that transform rows outside of the blocks
  std::uint64_t slab_bytes_;
  Matrix<float> floats_;
};

}  // namespace farthing::compress
