// What calibration data says about the inputs of one linear.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/runtime.h"
#include "tensor/matrix_view.h"

namespace farthing::calibrate {

// What a step wants to know, as bits.
enum Statistic : unsigned {
  kNoStatistics = 0,
  kMoments = 1,  // the vectors of LinearStatistics
  kHessian = 2,  // mean of x x^T
  kDrift = 4,    // mean of (x_float - x) x^T, for asymmetric calibration (Li et al., 2025, GPTAQ)
  kSample = 8,   // some of the tokens themselves
};

// What the first token of a sample counts by default; docs/calibration.md has the measurement.
constexpr double kFirstWeight = 9;

// All means are over tokens.
struct LinearStatistics {
  std::int64_t tokens = 0;
  double share = 1;                   // of all tokens: what reaches an expert
  std::vector<float> mean_magnitude;  // (in) mean |x_j|
  std::vector<float> square;          // (in) weighted mean x_j^2, the diagonal of the Hessian
  std::vector<float> least, most;     // (in)
  // (in) max |x_j| of tokens that do not begin a sample: the first token draws all attention that
  // finds nothing else, and some of its inputs are a thousand times those of others.
  std::vector<float> later_peak;
  Matrix<float> hessian;  // (in, in), symmetric, weighted; empty when it was not asked for
  Matrix<float> drift;    // (in, in), weighted; empty when it was not asked for
  // (about kSampleTokens, in): tokens spread over all, and some that begin a sample.
  Matrix<float> sample;
  std::vector<bool> sample_is_first;

  float peak(std::int64_t j) const;  // max |x_j|
};

// Adds up the inputs of one linear. Sums run over tokens in the order in which they come, so that
// neither the cut into pieces of whole multiples of kPiece nor threads change a bit.
class Accumulator {
 public:
  static constexpr std::int64_t kPiece = 256;  // tokens
  static constexpr std::int64_t kSampleTokens = 512, kSampleFirst = 32;

  // expected: tokens that will come, which decides which of them the sample takes. first_weight: as
  // SampleRows::first_weight.
  Accumulator(std::int64_t inputs, unsigned wanted, std::int64_t expected, double first_weight = 1);
  // x (tokens, in). reference: the same tokens' inputs in the float model, for kDrift. first_rows:
  // those that begin a sample, ascending. Error: bad input for an input that is not finite, naming
  // its feature.
  void add(Runtime& runtime, MatrixView<const float> x, MatrixView<const float> reference = {},
           std::span<const std::int64_t> first_rows = {});
  LinearStatistics finish(Runtime& runtime);
  unsigned wanted() const { return wanted_; }
  static std::uint64_t bytes(std::int64_t inputs, unsigned wanted);

 private:
  void add_moments(Runtime& runtime, MatrixView<const float> x,
                   std::span<const std::int64_t> first_rows);
  void add_sample(MatrixView<const float> x, std::span<const std::int64_t> first_rows);
  void add_products(Runtime& runtime, MatrixView<const float> x, MatrixView<const float> reference,
                    float weight);

  std::int64_t inputs_, tokens_ = 0, expected_;
  double first_weight_, weights_ = 0;  // weights_: the sum over tokens
  unsigned wanted_;
  std::vector<double> magnitude_, square_;
  std::vector<float> least_, most_, later_peak_;
  Matrix<float> hessian_, drift_;  // upper triangle; whole
  Matrix<float> difference_;
  std::int64_t stride_;  // of the sample's tokens; odd, so that all positions of windows occur
  std::vector<float> sample_;
  std::vector<bool> sample_is_first_;
};

}  // namespace farthing::calibrate
