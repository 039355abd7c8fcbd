// What training brought, text by text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace farthing::report {

struct Gain {
  struct Pair {
    std::optional<double> before, after;
  };
  std::string text;
  Pair perplexity, kld, top1_agreement;
  std::optional<double> teacher;  // its perplexity
  std::optional<double> closed;   // of the gap in perplexity between before and teacher, a share
};

// Of farthing.distill.json; "before" is absent for a student that was drawn at random.
std::vector<Gain> gains_of(const Report& report);

}  // namespace farthing::report
