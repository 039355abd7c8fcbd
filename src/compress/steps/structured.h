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
// by what they do to them, kTaylor by what the loss would do without them (gate_scores()).
enum class ChannelScore : std::uint8_t { kFlap, kWanda, kTaylor };

// One number an input of a linear with these weights (out, in): its variance (kFlap) or mean square
// (kWanda) times the square of its column's length.
std::vector<double> input_scores(Runtime& runtime, MatrixView<const float> weights,
                                 const calibrate::LinearStatistics& inputs, ChannelScore score);
// First-order Taylor importance (Molchanov et al., 2019, arXiv 1906.10771): each `width`
// consecutive inputs of a layer's `slot` (kDown, kO) pass a gate that is 1; its score is the mean
// over samples of the squared derivative of the sample's mean cross entropy by it, which is the sum
// of weight times gradient over their columns. One number a gate and layer. Holds the model and the
// gradients of these matrices in FP32. Error: unsupported for mixtures of experts; bad input.
std::vector<std::vector<double>> gate_scores(const Survey& survey, model::Slot slot,
                                             std::int64_t width);

// What the inputs that go gave on average: sum over them of column j times mean x_j, (out).
std::vector<float> lost_mean(MatrixView<const float> weights,
                             const calibrate::LinearStatistics& inputs,
                             const std::vector<std::int32_t>& kept);
// Of each layer with a mixture of experts, one number an expert: the mean, over the tokens that are
// routed to it, of its router weight times the length of its output; 0 for one that no token
// reaches (Lasby et al., 2025, REAP, arXiv 2510.13999). Other layers have none. Takes the samples
// of the survey through the whole model.
std::vector<std::vector<double>> expert_scores(const Survey& survey);

// The `count` places of the highest scores, ascending; of equal ones the first stay.
std::vector<std::int32_t> highest(const std::vector<double>& scores, std::int64_t count);

}  // namespace farthing::compress
