#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace farthing::engine {

void check(const SamplingOptions& o, std::string_view file) {
  const auto need = [&](bool holds, std::string_view option, std::string_view rule, double got) {
    if (holds) return;
    if (file.empty()) usage_error("--{} must be {}; got {}", option, rule, got);
    std::string key(option);
    std::ranges::replace(key, '-', '_');
    bad_input("{}: {} must be {}; got {}", file, key, rule, got);
  };
  need(o.temperature >= 0 && o.temperature <= 100, "temperature", "from 0 (greedy) to 100",
       o.temperature);
  need(o.top_k >= 0, "top-k", "0 (off) or more", o.top_k);
  need(o.top_p > 0 && o.top_p <= 1, "top-p", "above 0 and at most 1", o.top_p);
  need(o.min_p >= 0 && o.min_p < 1, "min-p", "from 0 to below 1", o.min_p);
  need(o.repetition_penalty > 0 && o.repetition_penalty <= 100, "repetition-penalty",
       "above 0 and at most 100", o.repetition_penalty);
}

void check_logits(std::span<const float> logits) {
  bool good = true;
  for (const float logit : logits) good &= logit <= std::numeric_limits<float>::max();
  if (!good)
    bad_input(
        "the model's logits are not numbers: its weights are damaged, or overflow in the type that "
        "they run in (--dtype fp32 has the widest range)");
}

Token most_likely(std::span<const float> logits) {
  return static_cast<Token>(std::ranges::max_element(logits) - logits.begin());
}

Token Sampler::sample(std::span<const float> logits, std::span<const Token> context) {
  check_logits(logits);
  if (options_.repetition_penalty != 1.0) {
    penalized_.assign(logits.begin(), logits.end());
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    for (Token token : context) {
      const auto i = static_cast<std::size_t>(token);
      if (i < logits.size())
        penalized_[i] = logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty;
    }
    logits = penalized_;
  }
  if (options_.temperature == 0) return most_likely(logits);

  // The most likely first; ties by token, so that the order is one.
  candidates_.resize(logits.size());
  std::iota(candidates_.begin(), candidates_.end(), 0);
  const auto before = [&](Token a, Token b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  };
  if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < candidates_.size()) {
    std::partial_sort(candidates_.begin(), candidates_.begin() + options_.top_k, candidates_.end(),
                      before);
    candidates_.resize(static_cast<std::size_t>(options_.top_k));
  } else {
    std::sort(candidates_.begin(), candidates_.end(), before);
  }

  probabilities_.resize(candidates_.size());
  const double best = logits[static_cast<std::size_t>(candidates_[0])];
  double sum = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i)
    sum += probabilities_[i] =
        std::exp((logits[static_cast<std::size_t>(candidates_[i])] - best) / options_.temperature);
  std::size_t kept = candidates_.size();
  if (options_.top_p < 1) {
    double reached = 0;
    kept = 0;
    while (kept < probabilities_.size() && reached < options_.top_p * sum)
      reached += probabilities_[kept++];
  }
  while (kept > 1 && probabilities_[kept - 1] < options_.min_p * probabilities_[0]) --kept;
  sum = std::accumulate(probabilities_.begin(),
                        probabilities_.begin() + static_cast<std::ptrdiff_t>(kept), 0.0);
  double left = random_.uniform() * sum;
  for (std::size_t i = 0; i + 1 < kept; ++i)
    if ((left -= probabilities_[i]) < 0) return candidates_[i];
  return candidates_[kept - 1];
}

}  // namespace farthing::engine
