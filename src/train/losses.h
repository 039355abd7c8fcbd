// What training makes small: how far the student's next-token distribution is from a teacher's,
// from the labels, or from both (Hinton et al., 2015).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/cpu.h"

namespace farthing::train {

// With teacher p and student q (Hinton et al., 2015; Agarwal et al., 2024; Ko et al., 2024):
//   forward       sum p log(p / q)
//   reverse       sum q log(q / p)
//   jsd           mix sum p log(p / m) + (1 - mix) sum q log(q / m), m = mix p + (1 - mix) q
//   skew-forward  sum p log(p / m), m = mix p + (1 - mix) q
//   skew-reverse  sum q log(q / m), m = (1 - mix) p + mix q
enum class Divergence : std::uint8_t {
  kForward,
  kReverse,
  kJensenShannon,
  kSkewForward,
  kSkewReverse
};
// Error: usage, lists the names.
Divergence parse_divergence(std::string_view name);
std::string_view divergence_name(Divergence divergence);

struct LossOptions {
  Divergence divergence = Divergence::kForward;
  double mix = 0;          // 0: the default of the divergence, 0.5 for jsd and 0.1 for the skewed
  double temperature = 1;  // of both distributions; the divergence counts its square times
  double labels = 0;       // share of the cross entropy to the labels; 1: no teacher
};

// The outcomes that a teacher gives probabilities for: the whole vocabulary, or its best tokens
// and, last, one bucket for all others.
struct TeacherRow {
  std::span<const std::int32_t> tokens;  // empty: the whole vocabulary in order
  std::span<const float> probabilities;  // (tokens + 1 for the rest) or (vocabulary), at the
                                         // temperature of the options
};

struct RowLoss {
  double total = 0;       // what training makes small
  double divergence = 0;  // its parts: at the temperature, not yet times its square
  double labels = 0;      // cross entropy in nats
};

// One position. logits (vocabulary) become the gradient of `total`, times `weight`. Holds the
// scratch of one thread.
class LossOperator {
 public:
  LossOperator(IsaSet isas, const LossOptions& options) : isas_(isas), options_(options) {}
  RowLoss apply(std::span<float> logits, std::int32_t label, const TeacherRow& teacher,
                double weight);

 private:
  void collect(const TeacherRow& teacher);
  double slopes_of(std::span<const float> p);

  IsaSet isas_;
  LossOptions options_;
  std::vector<float> q_, soft_;  // student: at temperature 1; at the teacher's
  std::vector<float> rest_;      // what is not among the teacher's tokens; slopes of all tokens
  std::vector<float> outcomes_;  // soft_ over the teacher's outcomes
  std::vector<float> slopes_;    // d divergence / d outcome
};

}  // namespace farthing::train
