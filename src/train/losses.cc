#include "train/losses.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "kernels/gradients/gradients.h"

namespace farthing::train {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"forward", "reverse", "jsd", "skew-forward",
                                                    "skew-reverse"};
constexpr double kFloor = 1e-30;  // of a probability inside of a logarithm

double log_of(double probability) { return std::log(std::max(probability, kFloor)); }

double default_mix(Divergence divergence) {
  return divergence == Divergence::kJensenShannon ? 0.5 : 0.1;
}

// The loss of one outcome, and its derivative by q up to a constant that all outcomes share.
struct Term {
  double loss, slope;
};
Term term(Divergence divergence, double mix, double p, double q) {
  switch (divergence) {
    case Divergence::kForward:
      return {p > 0 ? p * (log_of(p) - log_of(q)) : 0, -p / std::max(q, kFloor)};
    case Divergence::kReverse: {
      const double ratio = log_of(q) - log_of(p);
      return {q * ratio, ratio};
    }
    case Divergence::kJensenShannon: {
      const double m = mix * p + (1 - mix) * q, over = log_of(q) - log_of(m);
      return {mix * p * (log_of(p) - log_of(m)) + (1 - mix) * q * over, (1 - mix) * over};
    }
    case Divergence::kSkewForward: {
      const double m = mix * p + (1 - mix) * q;
      return {p * (log_of(p) - log_of(m)), -p * (1 - mix) / std::max(m, kFloor)};
    }
    case Divergence::kSkewReverse: {
      const double m = (1 - mix) * p + mix * q, ratio = log_of(q) - log_of(m);
      return {q * ratio, ratio - q * mix / std::max(m, kFloor)};
    }
  }
  return {};
}

}  // namespace

Divergence parse_divergence(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    usage_error("--loss must be one of {}; got {}", join(kNames, ", "), printable(name));
  return static_cast<Divergence>(found - kNames.begin());
}
std::string_view divergence_name(Divergence divergence) {
  return kNames[static_cast<std::size_t>(divergence)];
}

// The student's probabilities of the teacher's outcomes. The rest is added up, not what is missing
// to 1: a difference would be noise where it is small, and divided by.
void LossOperator::collect(const TeacherRow& teacher) {
  outcomes_.clear();
  rest_ = soft_;
  for (const std::int32_t token : teacher.tokens) {
    outcomes_.push_back(soft_[static_cast<std::size_t>(token)]);
    rest_[static_cast<std::size_t>(token)] = 0;
  }
  double rest = 0;
  for (const float q : rest_) rest += static_cast<double>(q);
  outcomes_.push_back(static_cast<float>(rest));
}

double LossOperator::slopes_of(std::span<const float> p) {
  const std::span<const float> q = outcomes_;
  const double mix = options_.mix > 0 ? options_.mix : default_mix(options_.divergence);
  slopes_.resize(p.size());
  double loss = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const Term t =
        term(options_.divergence, mix, static_cast<double>(p[i]), static_cast<double>(q[i]));
    loss += t.loss;
    slopes_[i] = static_cast<float>(t.slope);
  }
  return loss;
}

RowLoss LossOperator::apply(std::span<float> logits, std::int32_t label, const TeacherRow& teacher,
                            double weight) {
  RowLoss loss;
  const std::size_t n = logits.size();
  const auto at = static_cast<std::size_t>(label);
  q_.resize(n);
  const double own = static_cast<double>(logits[at]);
  loss.labels = kernels::softmax_row(isas_, logits, 1.0f, q_) - own;
  loss.total = options_.labels * loss.labels;
  const double share = 1 - options_.labels, t = options_.temperature;
  if (share > 0) {
    soft_.resize(n);
    kernels::softmax_row(isas_, logits, static_cast<float>(1 / t), soft_);
  }
  const auto label_weight = static_cast<float>(weight * options_.labels);
  for (std::size_t i = 0; i < n; ++i) logits[i] = label_weight * q_[i];
  logits[at] -= label_weight;
  if (!(share > 0)) return loss;

  const bool whole = teacher.tokens.empty();
  if (whole)
    outcomes_.assign(soft_.begin(), soft_.end());
  else
    collect(teacher);
  loss.divergence = slopes_of(teacher.probabilities);
  loss.total += share * t * t * loss.divergence;
  // Through the softmax: d / d logit_i = q_i (slope_i - sum q slope) / t; times t^2.
  const auto scale = static_cast<float>(weight * share * t);
  double mean = 0;
  for (std::size_t i = 0; i < outcomes_.size(); ++i)
    mean += static_cast<double>(outcomes_[i]) * static_cast<double>(slopes_[i]);
  const auto centre = static_cast<float>(mean);
  if (whole) {
    for (std::size_t i = 0; i < n; ++i) logits[i] += scale * soft_[i] * (slopes_[i] - centre);
    return loss;
  }
  rest_.assign(n, slopes_.back());
  for (std::size_t i = 0; i < teacher.tokens.size(); ++i)
    rest_[static_cast<std::size_t>(teacher.tokens[i])] = slopes_[i];
  for (std::size_t i = 0; i < n; ++i) logits[i] += scale * soft_[i] * (rest_[i] - centre);
  return loss;
}

}  // namespace farthing::train
