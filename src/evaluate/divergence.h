// Perplexity of a model and its difference to a reference, both run in one pass over a text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/progress.h"
#include "evaluate/statistics.h"
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
  double kld = 0;                    // KL(reference || model) of the next token
  double delta_p = 0;                // of the true token
  Token top = 0, reference_top = 0;  // their first choices
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
  // A position on which the two models differ much.
  struct Difference {
    std::int64_t window = 0, position = 0;  // of the token that is predicted
    Token truth = 0, reference_top = 0, top = 0;
    double kld = 0, reference_probability = 0, probability = 0;  // the last two: of the truth
  };
  struct Against {
    Divergence kld;
    double top1_agreement = 0, rms_delta_p = 0;
    double reference_perplexity = 0, log_ratio_stderr = 0;  // of nll - reference nll, paired
    // Paired 95 % intervals. Tokens of one window are not independent: the windows are the sample
    // where there are several (cluster-robust errors; Miller, arXiv 2411.00640).
    struct {
      Interval kld, top1_agreement, rms_delta_p, perplexity_ratio;
    } interval;
    std::vector<std::int64_t> histogram;  // positions by KL: kld_edges() and one above
    std::vector<Difference> worst;        // the largest KL first
  };
  std::optional<Against> against;
};

// Error: bad input.
void check_same_vocabulary(const model::Model& model, const model::Model& reference);

// Edges of the histogram's bins, four a decade: bin i holds edge i - 1 <= KL < edge i.
std::vector<double> kld_edges();

// Runs every window; with a reference both models see it before the next. Error: bad input when the
// vocabularies differ; interrupted.
TextResult evaluate_text(Runtime& runtime, const Runner& runner, const Runner* reference,
                         const EvalText& text, Progress& progress);

}  // namespace farthing::evaluate
