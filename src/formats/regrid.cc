#include "formats/regrid.h"

#include <algorithm>
#include <cmath>

#include "formats/parts.h"

namespace farthing {
namespace {

bool is_number_of(float x, ScaleType type) {
  if (type == ScaleType::kF32) return true;
  return x == (type == ScaleType::kF16 ? to_float(to_fp16(x)) : to_float(to_bf16(x)));
}

float nearest_of(float x, ScaleType type) {
  if (type == ScaleType::kF32) return x;
  return type == ScaleType::kF16 ? to_float(to_fp16(x)) : to_float(to_bf16(x));
}

// Groups of the target must divide those of the source, and both weights be scale * integer.
bool same_kind(const Grid& source, const Grid& target, const WeightScheme& scheme) {
  return source.codebook == nullptr && target.codebook == nullptr &&
         scheme.element == Element::kInt && source.group_size % target.group_size == 0;
}

}  // namespace

Regridder::Regridder(const QuantizedTensor& from, const WeightScheme& scheme)
    : from_(from), scheme_(scheme) {
  const Format& format = find_format(scheme);
  if (from.format->read_grid == nullptr || format.write_grid == nullptr) return;
  const std::int64_t cols = from.shape.cols;
  const std::int64_t group = scheme.strategy == Strategy::kGroup ? scheme.group_size : cols;
  if (cols % group != 0) return;
  source_ = from.format->grid(from);
  const QuantizedTensor none{&format, from.shape, scheme, {}};
  target_ = format.grid(none);
  possible_ = same_kind(source_, target_, scheme);
  if (!possible_) return;
  from_codes_.resize(index(cols));
  to_codes_.resize(index(cols));
  from_scales_.resize(index(cols / source_.group_size));
  from_offsets_.resize(from_scales_.size());
  to_scales_.resize(index(cols / target_.group_size));
  to_offsets_.resize(to_scales_.size());
  taken_ = {from_codes_, from_scales_, from_offsets_};
  to_ = {to_codes_, to_scales_, to_offsets_};
}

GridFit Regridder::read(std::int64_t row) {
  if (!possible_) return GridFit::kNone;
  from_.format->read_grid(from_, row, taken_);
  GridFit fit = GridFit::kExact;
  for (std::int64_t g = 0; g < std::ssize(to_scales_) && fit != GridFit::kNone; ++g)
    fit = std::min(fit, move_group(g));
  return fit;
}

// weight = scale * (code - zero): the target's codes are the source's where it has zero points or
// offsets, and code - zero where it has none.
GridFit Regridder::move_group(std::int64_t group) {
  const std::int64_t first = group * target_.group_size;
  const auto from_group = index(first / source_.group_size);
  const float scale = from_scales_[from_group];
  const float offset = source_.has_offsets ? from_offsets_[from_group] : 0.0f;
  const auto source_bias = static_cast<float>(source_.bias);
  const auto target_bias = static_cast<float>(target_.bias);
  const float zero = source_bias - (scale == 0 ? 0.0f : offset / scale);
  const float whole = std::nearbyint(zero);
  if (scale == 0 && offset != 0) return GridFit::kNone;
  if (scheme_.zero_point != ZeroPoint::kFloat &&
      (std::abs(zero) > 1024 || scale * (source_bias - whole) != offset))
    return GridFit::kNone;
  const int highest = (1 << target_.bits) - 1;
  const int shift = target_.has_offsets ? 0 : target_.bias - static_cast<int>(whole);
  if (scheme_.zero_point == ZeroPoint::kInteger &&
      (whole < 0 || whole > static_cast<float>(highest)))
    return GridFit::kNone;
  for (std::int64_t j = first; j < first + target_.group_size; ++j) {
    const int code = from_codes_[index(j)] + shift;
    if (code < 0 || code > highest) return GridFit::kNone;
    to_codes_[index(j)] = static_cast<std::uint8_t>(code);
  }
  const float moved = target_.has_offsets ? offset + scale * (target_bias - source_bias) : 0.0f;
  to_scales_[index(group)] = nearest_of(scale, scheme_.scale);
  to_offsets_[index(group)] = moved;
  return check_numbers(scale, moved);
}

GridFit Regridder::check_numbers(float scale, float offset) const {
  if (!std::isfinite(nearest_of(scale, scheme_.scale))) return GridFit::kNone;
  if (!is_number_of(scale, scheme_.scale)) return GridFit::kRounded;
  if (scheme_.zero_point != ZeroPoint::kFloat) return GridFit::kExact;
  if (!std::isfinite(nearest_of(offset, scheme_.scale))) return GridFit::kNone;
  return is_number_of(offset, scheme_.scale) ? GridFit::kExact : GridFit::kRounded;
}

GridFit grid_fit(const QuantizedTensor& from, const WeightScheme& scheme) {
  Regridder regridder(from, scheme);
  GridFit fit = GridFit::kExact;
  for (std::int64_t row = 0; row < from.shape.rows && fit != GridFit::kNone; ++row)
    fit = std::min(fit, regridder.read(row));
  return fit;
}

}  // namespace farthing
