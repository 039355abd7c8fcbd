// What changes of a model do to its output: the suffix behind them runs on kept block inputs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calibrate/collect.h"
#include "evaluate/text_windows.h"
#include "io/overlay_checkpoint.h"
#include "tune/rounded.h"
#include "tune/space.h"

namespace farthing::tune {

// Against the uncompressed model, over all scored positions; nats.
struct Shift {
  double kld = 0, stderr_of_kld = 0;
  double nll_increase = 0, stderr_of_nll = 0;
  double top1_agreement = 1;
};

class Probe {
 public:
  // All are borrowed; the model is the uncompressed one, resident. Runs it over the windows and
  // keeps the inputs of every block: layers * tokens * hidden floats, and the logits beside them.
  Probe(Runtime& runtime, const Space& space, model::Model& model, RoundedWeights& weights,
        const evaluate::EvalText& text, kernels::KvType kv);
  ~Probe();

  // The model with these units changed and all others as they are.
  Shift measure(std::span<const Swap> swaps);
  // A whole mix.
  Shift measure(const Mix& mix);

  // The inputs of a layer's linears in the uncompressed model, for comparing outputs; at most about
  // `tokens` of them, spread over the text.
  using Inputs = std::map<calibrate::InputOf, Matrix<float>>;
  Inputs inputs_of(int layer, std::int64_t tokens);

  std::int64_t positions() const;

 private:
  Shift score(model::Model& model, const calibrate::HiddenStates& last);

  Runtime& runtime_;
  const Space& space_;
  model::Model& model_;
  RoundedWeights& weights_;
  const evaluate::EvalText& text_;
  kernels::KvType kv_;
  calibrate::SampleRows rows_;
  std::vector<cache::Token> tokens_;
  std::vector<std::unique_ptr<calibrate::HiddenStates>> inputs_;  // of each block; then the last's
  std::unique_ptr<calibrate::HiddenStates> scratch_, logits_;     // logits of the reference
  io::OverlayCheckpoint overlay_;
  std::unique_ptr<model::Model> changed_;  // streamed, over the overlay
};

}  // namespace farthing::tune
