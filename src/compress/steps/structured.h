// What the steps share that take whole parts out of a model.
#pragma once

#include <string>
#include <vector>

#include "calibrate/statistics.h"
#include "compress/float_pass.h"
#include "compress/setting.h"
#include "tensor/matrix_view.h"

namespace farthing::compress {

// "sparsity": the share of the layers, channels or heads that goes. Error: bad input outside of 0
// to below 1.
double share_of(const Setting& settings, std::string_view step, double otherwise);

// How the inputs of a linear are scored: kFlap by what their variation does to the outputs, kWanda
// by what they do to them.
enum class ChannelScore : std::uint8_t { kFlap, kWanda };

// One number an input of a linear with these weights (out, in): its variance (kFlap) or mean square
// (kWanda) times the square of its column's length.
std::vector<double> input_scores(Runtime& runtime, MatrixView<const float> weights,
                                 const calibrate::LinearStatistics& inputs, ChannelScore score);
// What the inputs that go gave on average: sum over them of column j times mean x_j, (out).
std::vector<float> lost_mean(MatrixView<const float> weights,
                             const calibrate::LinearStatistics& inputs,
                             const std::vector<std::int32_t>& kept);
// The `count` places of the highest scores, ascending; of equal ones the first stay.
std::vector<std::int32_t> highest(const std::vector<double>& scores, std::int64_t count);

}  // namespace farthing::compress
