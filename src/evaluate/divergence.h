// Perplexity of a model and its difference to a reference, both run in one pass over a text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/progress.h"
#include "evaluate/text_windows.h"
#include "io/json.h"
#include "model/model.h"

namespace farthing::evaluate {

struct Runner {
  model::Model* model = nullptr;
  kernels::KvType kv = kernels::KvType::kF32;
};

// What one scored position says; without a reference only nll. Nats.
struct PositionScore {
  double nll = 0, reference_nll = 0;
  double kld = 0;      // KL(reference || model) of the next token
  double delta_p = 0;  // of the true token
  bool same_top = false;
};
// logits and reference (vocabulary) of one position; reference may be empty.
PositionScore score_position(std::span<const float> logits, std::span<const float> reference,
                             Token truth);

struct Divergence {
  double mean = 0, stderr_of_mean = 0, median = 0, p99 = 0, p999 = 0,
         max = 0;  // nats, KL(reference || model)
};

struct TextResult {
  double perplexity = 0, nll = 0, nll_stderr = 0;  // nats a token
  std::int64_t tokens = 0;                         // scored
  double seconds = 0;
  struct Against {
    Divergence kld;
    double top1_agreement = 0, rms_delta_p = 0;
    double reference_perplexity = 0, log_ratio_stderr = 0;  // of nll - reference nll, paired
  };
  std::optional<Against> against;
};

// Runs every window; with a reference both models see it before the next. Error: bad input when the
// vocabularies differ; interrupted.
TextResult evaluate_text(Runtime& runtime, const Runner& runner, const Runner* reference,
                         const EvalText& text, Progress& progress);

}  // namespace farthing::evaluate
