// Moving a tensor from one format to another on its own grid: the codes stay (or are shifted), no
// weight is rounded again.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/format.h"

namespace farthing {

// What a target can keep of a grid. kRounded: the codes, but scales or offsets only to the nearest
// number of its type.
enum class GridFit : std::uint8_t { kNone, kRounded, kExact };

// Holds the scratch of one thread.
class Regridder {
 public:
  // Towards `scheme`, whose format must have write_grid. The tensor is borrowed.
  Regridder(const QuantizedTensor& from, const WeightScheme& scheme);

  // The fit of one row; after kRounded or kExact, row() is what write_grid() takes.
  GridFit read(std::int64_t row);
  const GridRow& row() const { return to_; }

 private:
  GridFit move_group(std::int64_t group);
  GridFit check_numbers(float scale, float offset) const;

  const QuantizedTensor& from_;
  WeightScheme scheme_;
  bool possible_ = false;
  Grid source_, target_;
  std::vector<std::uint8_t> from_codes_, to_codes_;
  std::vector<float> from_scales_, from_offsets_, to_scales_, to_offsets_;
  GridRow taken_, to_;
};

// The fit of the whole tensor.
GridFit grid_fit(const QuantizedTensor& from, const WeightScheme& scheme);

}  // namespace farthing
