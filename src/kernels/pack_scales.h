// The scales and offsets behind a group's codes (linear_slice.h), written and read back.
#pragma once

#include <vector>

#include "kernels/packed_matrix.h"

namespace farthing::kernels {

// Sixteen rows of a grid, read one after another.
class GridReader {
 public:
  GridReader(const StackedRows& rows, const CodeTiles& tiles, std::int64_t in)
      : rows_(rows),
        codes_(static_cast<std::size_t>(in)),
        scales_(static_cast<std::size_t>(tiles.scale_count())),
        offsets_(tiles.offsets == OffsetForm::kNone ? 0 : scales_.size()),
        scale_factors_(tiles.scales == ScaleForm::kFactored ? tiles.groups : 0),
        offset_factors_(tiles.offsets == OffsetForm::kFactored ? tiles.groups : 0) {}
  void read(std::int64_t output) {
    const StackedRows::Place place = rows_.at(output);
    const QuantizedTensor& weight = *place.source->weight;
    weight.format->read_grid(weight, place.row,
                             {codes_, scales_, offsets_, scale_factors_, offset_factors_});
  }
  const std::uint8_t* codes() const { return codes_.data(); }
  float scale(std::int64_t g) const { return scales_[static_cast<std::size_t>(g)]; }
  float offset(std::int64_t g) const { return offsets_[static_cast<std::size_t>(g)]; }
  float scale_factor(std::int64_t g) const { return scale_factors_[static_cast<std::size_t>(g)]; }
  float offset_factor(std::int64_t g) const { return offset_factors_[static_cast<std::size_t>(g)]; }

 private:
  const StackedRows& rows_;
  std::vector<std::uint8_t> codes_;
  std::vector<float> scales_, offsets_, scale_factors_, offset_factors_;
};

// The number of 8 bits that times the factor gives the number exactly, or 128.
int multiple_of(float factor, float number);

// Bytes of a group's offsets.
std::int64_t offset_bytes(const CodeTiles& tiles);

// Write the scales (times step) and the offsets of one lane and group. False when the form cannot
// hold them exactly.
bool put_scales(const CodeTiles& tiles, const GridReader& grid, std::int64_t group, int lane,
                float step, std::byte* to);
bool put_offsets(const CodeTiles& tiles, const GridReader& grid, std::int64_t group, int lane,
                 float step, std::byte* to);

// The scale and the offset of one lane and unit of the group at `group`.
void get_unit(const CodeTiles& tiles, const std::byte* group, std::int64_t unit, int lane,
              float& scale, float& offset);

}  // namespace farthing::kernels
