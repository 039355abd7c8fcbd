// The rows of the table in registry.cc, one function a row, each in the file of its step.
#pragma once

#include "compress/step.h"
#include "compress/sweep.h"
#include "formats/format.h"

namespace farthing::compress {

StepRow round_to_nearest_step();  // round_to_nearest.cc
StepRow hqq_step();               // hqq.cc
StepRow smooth_step();            // smooth.cc
StepRow awq_step();               // awq.cc
StepRow gptq_step();              // gptq.cc
StepRow rotate_step();            // rotate.cc
StepRow autoround_step();         // autoround.cc
StepRow magnitude_step();         // magnitude.cc
StepRow wanda_step();             // wanda.cc
StepRow sparsegpt_step();         // sparsegpt.cc
StepRow drop_layers_step();       // drop_layers.cc
StepRow drop_channels_step();     // drop_channels.cc
StepRow drop_heads_step();        // drop_channels.cc
StepRow drop_experts_step();      // drop_experts.cc
StepRow split_vocabulary_step();  // split_vocabulary.cc

// A step that rounds, for the matrices of `match` alone (compress/matches.h).
std::unique_ptr<Step> matched_step(std::unique_ptr<Step> step, const Setting& match);

// What steps share with round_to_nearest.cc.
std::unique_ptr<Rounder> nearest_rounder(RoundMethod method);
// "search", "shrink" or "minmax". Error: bad input, naming the step.
RoundMethod range_of(const Setting& setting, std::string_view step);
// The index of one of the names. Error: bad input, naming `what` and the names.
std::size_t choice_of(const Setting& setting, std::string_view what,
                      std::span<const std::string_view> names);

struct BlockMatrix;
// Takes weights out of a matrix by |w_ij| sqrt(square_j), or by |w_ij| when square is empty.
void prune_matrix(Runtime& runtime, BlockMatrix& matrix, std::span<const float> square,
                  const Sparsity& sparsity, Compare compare);

}  // namespace farthing::compress
