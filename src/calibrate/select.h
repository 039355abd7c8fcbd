// Chooses samples that stand for many: coverage-greedy by tokens and by the rank they add to
// hidden-state statistics.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/data.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "model/model.h"

namespace farthing::calibrate {

// Some hidden states of each sample, (samples * kStateRows, kStateWidth): rows of a middle block's
// output, each of mean square 1, projected on random signs.
inline constexpr std::int64_t kStateRows = 16, kStateWidth = 128;
std::vector<float> hidden_states(Runtime& runtime, model::Model& model,
                                 std::span<const Sample> samples, Progress& progress);

struct Selection {
  std::vector<std::size_t> chosen;  // best first
  // What the chosen bring, as a share of what all candidates would.
  double tokens = 0, states = 0;
};

// Maximises the sum of two monotone submodular gains, each as a share of its value over all
// candidates: sum over tokens of log(1 + occurrences), and log det(I + sum of the states' outer
// products). Greedy is within 1 - 1/e of the best (Nemhauser, Wolsey, Fisher 1978); candidates wait
// in a queue by their last known gain (Minoux 1978). `states` may be empty: tokens alone.
Selection select_samples(std::span<const Sample> candidates, std::span<const float> states,
                         std::size_t count);

}  // namespace farthing::calibrate
