// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cache/batch.h"
#include "core/random.h"

namespace farthing::engine {

using cache::Token;

struct SamplingOptions {
  double temperature = 1.0;  // 0: greedy, the first of the largest logits
  int top_k = 0;             // keep the k most likely; 0: all
  double top_p = 1.0;        // keep the fewest whose probabilities reach p (Holtzman et al., 2020)
  double min_p = 0.0;        // keep those at least min_p times as likely as the best
  double repetition_penalty = 1.0;  // of tokens in the context (Keskar et al., 2019)
  std::uint64_t seed = 0;
};

// Error: a usage error that names the option and its range; bad input where they come from a file.
void check(const SamplingOptions& options, std::string_view file = "");

// The filters apply in the order that transformers applies them: penalty, temperature, top-k,
// top-p, min-p. The same seed and logits give the same tokens.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {}
  Token sample(std::span<const float> logits, std::span<const Token> context);

 private:
  SamplingOptions options_;
  Random random_;
  std::vector<float> penalized_;
  std::vector<Token> candidates_;
  std::vector<double> probabilities_;
};

// Error, bad input: a logit is NaN or +infinity, which has no order and no probability.
void check_logits(std::span<const float> logits);

Token most_likely(std::span<const float> logits);

}  // namespace farthing::engine
