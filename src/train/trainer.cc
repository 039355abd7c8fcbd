#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "io/mapped_file.h"
#include "train/training_state.h"

namespace farthing::train {
namespace {

constexpr std::int64_t kPartTokens = 2048;  // whose activations are in memory at once

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void add(const BatchLoss& loss, BatchLoss& sum) {
  sum.total += loss.total;
  sum.divergence += loss.divergence;
  sum.labels += loss.labels;
  sum.hidden += loss.hidden;
}
BatchLoss mean(BatchLoss sum, std::int64_t count) {
  const double n = static_cast<double>(std::max<std::int64_t>(count, 1));
  return {sum.total / n, sum.divergence / n, sum.labels / n, sum.hidden / n};
}

class Training {
 public:
  Training(Runtime& runtime, Decoder& decoder, StandIn* stand_in, const Batches& batches,
           Objective& objective, const TrainOptions& options, Progress& progress)
      : runtime_(runtime),
        decoder_(decoder),
        stand_in_(stand_in),
        batches_(batches),
        objective_(objective),
        options_(options),
        progress_(progress) {
    std::vector<Parameter*> trained = select_part(decoder.parameters(), options.part);
    if (stand_in != nullptr)
      for (Parameter* parameter : stand_in->parameters()) trained.push_back(parameter);
    for (const Parameter* parameter : trained) report_.trained += parameter->size();
    optimizer_.emplace(std::move(trained), options.optimizer);
    if (options.state_file.empty() || !io::file_exists(options.state_file)) return;
    load_state(options.state_file, *optimizer_);
    saved_ = optimizer_->steps();
    if (stand_in_ != nullptr) stand_in_->apply(runtime);
    progress.note(fmt::format("goes on after step {}", optimizer_->steps()));
  }

  TrainReport run() {
    report_.first_step = optimizer_->steps();
    report_.steps = options_.steps;
    start_ = Clock::now();
    const std::int64_t tenth = std::max<std::int64_t>(1, options_.steps / 10);
    BatchLoss first, last;
    std::int64_t firsts = 0, lasts = 0;
    for (std::int64_t step = report_.first_step; step < options_.steps; ++step) {
      if (progress_.cancelled()) stop();
      const BatchLoss loss = one_step(step);
      if (step < report_.first_step + tenth) add(loss, first), ++firsts;
      if (step >= options_.steps - tenth) add(loss, last), ++lasts;
      tell(step, loss);
      if ((step + 1) % options_.save_every == 0 && step + 1 < options_.steps) save();
    }
    report_.first = mean(first, firsts);
    report_.last = mean(last, lasts);
    report_.seconds = seconds_since(start_);
    report_.gflops = rate();
    return report_;
  }

 private:
  BatchLoss one_step(std::int64_t step) {
    const TrainingBatch batch = objective_.revise(batches_.step(step), step, decoder_.parameters());
    decoder_.parameters().clear_gradients(runtime_);
    BatchLoss loss;
    try {
      for (const TrainingBatch& part : split(batch, kPartTokens))
        add(decoder_.accumulate(part, objective_), loss);
    } catch (const Error& error) {
      if (error.fault != Fault::kBadInput) throw;
      refuse(step, error.what());
    }
    if (stand_in_ != nullptr) {
      stand_in_->clear_gradients(runtime_);
      stand_in_->take_gradients(runtime_);
    }
    const Optimizer::Norm norm = optimizer_->gradient_norm(runtime_);
    if (!norm.broken.empty())
      refuse(step,
             fmt::format("the gradient of {} is not a number; lower --lr or --clip", norm.broken));
    const double rate = options_.learning_rate *
                        schedule(step, options_.steps, options_.warmup, options_.last_rate);
    optimizer_->step(runtime_, rate, norm.norm);
    if (stand_in_ != nullptr) stand_in_->apply(runtime_);
    report_.tokens += std::ssize(batch.tokens);
    return loss;
  }

  [[noreturn]] void refuse(std::int64_t step, std::string_view why) const {
    const std::string kept = saved_ < 0 ? "no checkpoint was written yet"
                                        : fmt::format("{} keeps the checkpoint of step {}",
                                                      printable(options_.state_file, 400), saved_);
    bad_input("training stopped at step {}: {}; {}", step + 1, why, kept);
  }
  [[noreturn]] void stop() {
    if (!options_.state_file.empty()) save();
    throw Error(Fault::kInterrupted,
                fmt::format("interrupted after step {}; the same command goes on from there",
                            optimizer_->steps()));
  }
  void save() {
    if (options_.state_file.empty()) return;
    save_state(options_.state_file, *optimizer_);
    saved_ = optimizer_->steps();
  }

  double rate() const {  // GFLOP/s, what is computed twice counted once
    double weights = 0;
    for (const auto& parameter : decoder_.parameters().all())
      if (parameter->is_matrix) weights += static_cast<double>(parameter->size());
    if (!decoder_.config().tied)  // rows of an embedding are looked up
      weights -= static_cast<double>(decoder_.config().vocab * decoder_.config().embedding_dim);
    return 6 * weights * static_cast<double>(report_.tokens) / seconds_since(start_) / 1e9;
  }

  void tell(std::int64_t step, const BatchLoss& loss) {
    progress_.update("steps", step + 1, options_.steps);
    add(loss, window_);
    ++window_steps_;
    const std::int64_t every = std::max<std::int64_t>(1, options_.steps / 20);
    if ((step + 1) % every != 0 && step + 1 != options_.steps) return;
    const BatchLoss m = mean(window_, window_steps_);
    window_ = {};
    window_steps_ = 0;
    const double elapsed = seconds_since(start_);
    const double left = elapsed * static_cast<double>(options_.steps - step - 1) /
                        static_cast<double>(step + 1 - report_.first_step);
    std::string parts;
    if (m.divergence > 0) parts += fmt::format(", divergence {:.4f}", m.divergence);
    if (m.hidden > 0) parts += fmt::format(", hidden {:.4f}", m.hidden);
    std::string share;
    if (options_.peak_gflops > 0)
      share = fmt::format(" ({:.0f} % of this machine's {:.0f})",
                          100 * rate() / options_.peak_gflops, options_.peak_gflops);
    progress_.note(fmt::format(
        "step {} of {}: loss {:.4f}, cross entropy {:.4f}{}; {:.0f} tokens/s, {:.1f} GFLOP/s{}, "
        "{:.0f} s left",
        step + 1, options_.steps, m.total, m.labels, parts,
        static_cast<double>(report_.tokens) / elapsed, rate(), share, left));
  }

  Runtime& runtime_;
  Decoder& decoder_;
  StandIn* stand_in_;
  const Batches& batches_;
  Objective& objective_;
  const TrainOptions& options_;
  Progress& progress_;
  std::optional<Optimizer> optimizer_;
  TrainReport report_;
  Clock::time_point start_;
  BatchLoss window_;
  std::int64_t window_steps_ = 0;
  std::int64_t saved_ = -1;
};

}  // namespace

TrainReport train(Runtime& runtime, Decoder& decoder, StandIn* stand_in, const Batches& batches,
                  Objective& objective, const TrainOptions& options, Progress& progress) {
  return Training(runtime, decoder, stand_in, batches, objective, options, progress).run();
}

std::uint64_t memory_need(const model::ModelConfig& c, std::int64_t parameters,
                          const TrainOptions& options, std::int64_t longest) {
  const bool all = options.part == Part::kAll;
  const std::int64_t numbers_each =
      2 + (options.part == Part::kAdapters || options.part == Part::kScales ? 1 : 0) +
      (all && options.optimizer.kind == OptimizerKind::kAdamW ? 2 : 0) +
      (all && options.optimizer.bf16 ? 1 : 0);
  const std::int64_t rows = std::max(kPartTokens, longest);
  const std::int64_t wide = (c.block.gated ? 2 : 1) * c.intermediate;
  // Of a row: the states between blocks, 14 copies of the stream inside of one, and what attention
  // and MLP keep with its gradient and one turned copy.
  const std::int64_t of_row = (c.layers + 15) * c.hidden + 5 * (c.q_width() + 2 * c.kv_width()) +
                              3 * wide + 2 * c.intermediate;
  const std::int64_t head = c.vocab * c.embedding_dim + 3 * logit_rows(c.vocab) * c.vocab;
  return static_cast<std::uint64_t>(numbers_each * parameters + rows * of_row + head) *
         sizeof(float);
}

std::uint64_t kept_need(const model::ModelConfig& c, std::int64_t longest) {
  const std::int64_t wide = (c.block.gated ? 2 : 1) * c.intermediate;
  const std::int64_t of_row =
      8 * c.hidden + 3 * c.q_width() + 4 * c.kv_width() + wide + c.intermediate;
  return static_cast<std::uint64_t>((c.layers - 1) * std::max(kPartTokens, longest) * of_row) *
         sizeof(float);
}

}  // namespace farthing::train
