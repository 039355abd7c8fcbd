#include "calibrate/select.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <unordered_map>

#include "core/error.h"
#include "core/random.h"

namespace farthing::calibrate {
namespace {

// Random signs / sqrt(kStateWidth), (width, kStateWidth): keeps lengths on average.
std::vector<float> projection(std::int64_t width) {
  std::vector<float> signs(static_cast<std::size_t>(width * kStateWidth));
  Random random(1);
  const float size = 1 / std::sqrt(static_cast<float>(kStateWidth));
  for (float& sign : signs) sign = (random.bits() >> 63) != 0 ? size : -size;
  return signs;
}

// One row of states: x scaled to mean square 1, times the projection.
void project(std::span<const float> x, const std::vector<float>& signs, float* out) {
  double square = 0;
  for (const float value : x) square += static_cast<double>(value) * value;
  const auto scale = static_cast<float>(1 / std::sqrt(square + 1e-20));
  std::fill(out, out + kStateWidth, 0.0f);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float value = x[i] * scale;
    const float* row = signs.data() + i * kStateWidth;
    for (std::int64_t j = 0; j < kStateWidth; ++j) out[j] += value * row[j];
  }
}

// log det(I + sum of outer products) as rows join, by the inverse of the matrix.
class Volume {
 public:
  Volume() : inverse_(kStateWidth * kStateWidth) {
    for (std::int64_t i = 0; i < kStateWidth; ++i) at(i, i) = 1;
  }
  // The rise that these kStateRows rows would bring: log det(I + F inverse F^T).
  double gain(const float* rows) const {
    Small small = products(rows);
    return factor(small);
  }
  // Sherman-Morrison-Woodbury: inverse -= (F inverse)^T (I + F inverse F^T)^-1 (F inverse).
  void add(const float* rows) {
    Small small = products(rows);
    factor(small);
    std::vector<double> left = times_inverse(rows);  // (kStateRows, kStateWidth)
    for (std::int64_t i = 0; i < kStateRows; ++i)    // left = L^-1 left
      for (std::int64_t j = 0; j < kStateWidth; ++j) {
        double value = left[index(i, j)];
        for (std::int64_t k = 0; k < i; ++k) value -= small.at(i, k) * left[index(k, j)];
        left[index(i, j)] = value / small.at(i, i);
      }
    for (std::int64_t a = 0; a < kStateWidth; ++a)
      for (std::int64_t b = 0; b < kStateWidth; ++b) {
        double sum = 0;
        for (std::int64_t i = 0; i < kStateRows; ++i) sum += left[index(i, a)] * left[index(i, b)];
        at(a, b) -= sum;
      }
  }

 private:
  struct Small {
    double values[kStateRows * kStateRows];
    double& at(std::int64_t i, std::int64_t j) { return values[i * kStateRows + j]; }
  };
  static std::size_t index(std::int64_t row, std::int64_t column) {
    return static_cast<std::size_t>(row * kStateWidth + column);
  }
  double& at(std::int64_t i, std::int64_t j) { return inverse_[index(i, j)]; }

  std::vector<double> times_inverse(const float* rows) const {
    std::vector<double> product(kStateRows * kStateWidth);
    for (std::int64_t i = 0; i < kStateRows; ++i)
      for (std::int64_t k = 0; k < kStateWidth; ++k)
        for (std::int64_t j = 0; j < kStateWidth; ++j)
          product[index(i, j)] += static_cast<double>(rows[index(i, k)]) * inverse_[index(k, j)];
    return product;
  }
  Small products(const float* rows) const {
    const std::vector<double> left = times_inverse(rows);
    Small small{};
    for (std::int64_t i = 0; i < kStateRows; ++i)
      for (std::int64_t j = 0; j < kStateRows; ++j) {
        double sum = i == j ? 1 : 0;
        for (std::int64_t k = 0; k < kStateWidth; ++k)
          sum += left[index(i, k)] * static_cast<double>(rows[index(j, k)]);
        small.at(i, j) = sum;
      }
    return small;
  }
  // Cholesky in place (lower); the log of the determinant.
  static double factor(Small& small) {
    double log_det = 0;
    for (std::int64_t i = 0; i < kStateRows; ++i)
      for (std::int64_t j = 0; j <= i; ++j) {
        double sum = small.at(i, j);
        for (std::int64_t k = 0; k < j; ++k) sum -= small.at(i, k) * small.at(j, k);
        if (i == j) {
          small.at(i, i) = std::sqrt(std::max(sum, 1e-12));
          log_det += 2 * std::log(small.at(i, i));
        } else {
          small.at(i, j) = sum / small.at(j, j);
        }
      }
    return log_det;
  }

  std::vector<double> inverse_;
};

// sum over tokens of log(1 + occurrences).
class Coverage {
 public:
  double gain(const Sample& sample) const {
    std::unordered_map<Token, int> added;
    double sum = 0;
    for (const Token id : sample.tokens) {
      const auto found = counts_.find(id);
      const int before = (found == counts_.end() ? 0 : found->second) + added[id]++;
      sum += std::log1p(1.0 / (1 + before));
    }
    return sum;
  }
  void add(const Sample& sample) {
    for (const Token id : sample.tokens) ++counts_[id];
  }

 private:
  std::unordered_map<Token, int> counts_;
};

class Gains {
 public:
  Gains(std::span<const Sample> samples, std::span<const float> states)
      : samples_(samples), states_(states) {}
  double tokens(std::size_t i) const { return coverage_.gain(samples_[i]); }
  double states(std::size_t i) const { return states_.empty() ? 0 : volume_.gain(rows(i)); }
  void add(std::size_t i) {
    coverage_.add(samples_[i]);
    if (!states_.empty()) volume_.add(rows(i));
  }

 private:
  const float* rows(std::size_t i) const { return states_.data() + i * kStateRows * kStateWidth; }
  std::span<const Sample> samples_;
  std::span<const float> states_;
  Coverage coverage_;
  Volume volume_;
};

}  // namespace

std::vector<float> hidden_states(Runtime& runtime, model::Model& model,
                                 std::span<const Sample> samples, Progress& progress) {
  const model::ModelConfig& config = model.config();
  const auto blocks = static_cast<int>((config.layers + 1) / 2);
  const std::vector<float> signs = projection(config.hidden);
  std::vector<float> states(samples.size() * kStateRows * kStateWidth);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    const auto& tokens = samples[i].tokens;
    const auto count = static_cast<std::int64_t>(tokens.size());
    auto kv = model.make_cache(kernels::KvType::kF32);
    const cache::SequenceSlice slice{.sequence = kv.open(), .count = count};
    const cache::Batch batch{tokens, {&slice, 1}, {}};
    kv.extend(slice.sequence, count);
    std::vector<float> hidden(static_cast<std::size_t>(count * config.hidden));
    const MatrixView<float> view(hidden.data(), count, config.hidden);
    model.embed(runtime, batch, view);
    model.run_blocks(runtime, batch, kv, 0, blocks, view);
    for (std::int64_t r = 0; r < kStateRows; ++r) {  // never the first: it is like no other
      const std::int64_t at = count == 1 ? 0 : 1 + r * (count - 1) / kStateRows;
      const std::span<const float> row(hidden.data() + at * config.hidden,
                                       static_cast<std::size_t>(config.hidden));
      project(row, signs,
              states.data() + (static_cast<std::int64_t>(i) * kStateRows + r) * kStateWidth);
    }
    progress.update("samples", static_cast<std::int64_t>(i) + 1, std::ssize(samples));
  }
  return states;
}

Selection select_samples(std::span<const Sample> candidates, std::span<const float> states,
                         std::size_t count) {
  count = std::min(count, candidates.size());
  double all_tokens = 0, all_states = 0;
  {
    Gains all(candidates, states);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      all_tokens += all.tokens(i), all_states += all.states(i);
      all.add(i);
    }
  }
  const auto part = [](double value, double whole) { return whole > 0 ? value / whole : 0; };
  Gains gains(candidates, states);
  Selection selection;
  const auto gain = [&](std::size_t i) {
    return part(gains.tokens(i), all_tokens) + part(gains.states(i), all_states);
  };
  struct Waiting {
    double gain;
    std::size_t sample, round;
    bool operator<(const Waiting& o) const {  // equal gains: the first sample goes first
      return gain != o.gain ? gain < o.gain : sample > o.sample;
    }
  };
  std::priority_queue<Waiting> queue;
  for (std::size_t i = 0; i < candidates.size(); ++i) queue.push({gain(i), i, 0});
  while (selection.chosen.size() < count) {
    Waiting best = queue.top();
    queue.pop();
    if (best.round != selection.chosen.size()) {  // known from an earlier round: an upper bound
      best.gain = gain(best.sample), best.round = selection.chosen.size();
      queue.push(best);
      continue;
    }
    selection.tokens += part(gains.tokens(best.sample), all_tokens);
    selection.states += part(gains.states(best.sample), all_states);
    gains.add(best.sample);
    selection.chosen.push_back(best.sample);
  }
  return selection;
}

}  // namespace farthing::calibrate
