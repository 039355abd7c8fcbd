#include "tune/search.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/durable_file.h"
#include "io/overlay_checkpoint.h"

namespace farthing::tune {
namespace {

constexpr double kSafety = 0.97;      // of a floor that a corrected mix aims at
constexpr double kNearEnough = 1.06;  // room below a floor that is worth no further round

// The options of the problem are the offered alternatives in their order.
std::vector<std::size_t> offered(const Space& space, std::size_t unit) {
  std::vector<std::size_t> all;
  for (std::size_t a = 0; a < space.alternatives(space.units()[unit]).size(); ++a)
    if (space.offers({unit, a})) all.push_back(a);
  return all;
}

double stored_bytes(const io::Checkpoint& checkpoint) {
  double sum = 0;
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    sum += static_cast<double>(tensor.bytes.size());
  return sum;
}

std::string limit_text(const TuneOptions& o) {
  std::vector<std::string> parts;
  if (o.max_bytes < kNoLimit)
    parts.push_back(human_bytes(static_cast<std::uint64_t>(o.max_bytes)) + " of weights");
  if (o.max_memory < kNoLimit)
    parts.push_back(human_bytes(static_cast<std::uint64_t>(o.max_memory)) + " of memory");
  if (o.max_ms < kNoLimit) parts.push_back(fmt::format("{:.3f} ms a token", o.max_ms));
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " and ") + part;
  return text;
}

void note_round(const Candidate& c, int round, Progress& progress) {
  for (const FloorCheck& check : c.checks)
    progress.note(fmt::format("round {}: {}", round, check_text(check)));
  if (std::abs(c.pace - 1) > 0.03)
    progress.note(
        fmt::format("round {}: this machine takes {:.2f} times as long as before", round, c.pace));
  progress.note(
      fmt::format("round {}: KL {:.5f} (expected {:.5f}), {:.3f} ms a token (expected {:.3f}), {}",
                  round, c.measured.kld, c.expected.kld, c.measured.ms, c.expected.ms,
                  human_bytes(static_cast<std::uint64_t>(c.measured.bytes))));
}

}  // namespace

void check_options(const TuneOptions& o) {
  const bool limits = o.max_bytes < kNoLimit || o.max_memory < kNoLimit || o.max_ms < kNoLimit;
  if (!o.floors.any() && !limits)
    usage_error(
        "tune needs a floor (--max-kld, --max-perplexity-increase, --min-top1, --max-task-drop) or "
        "a limit (--max-bytes, --max-memory, --max-ms)");
  const auto positive = [](std::optional<double> value, std::string_view name) {
    if (value && !(*value > 0 && std::isfinite(*value)))
      usage_error("{} must be above 0; got {}", name, *value);
  };
  positive(o.floors.max_kld, "--max-kld");
  positive(o.floors.max_perplexity_increase, "--max-perplexity-increase");
  positive(o.floors.min_top1, "--min-top1");
  if (o.floors.min_top1 && *o.floors.min_top1 >= 1)
    usage_error("--min-top1 must be below 1, which no rounding keeps; got {}", *o.floors.min_top1);
  positive(o.floors.max_task_drop, "--max-task-drop");
  if (o.floors.max_task_drop && *o.floors.max_task_drop >= 1)
    usage_error("--max-task-drop must be below 1, a share of the documents; got {}",
                *o.floors.max_task_drop);
  if (!(o.max_bytes > 0 && o.max_memory > 0 && o.max_ms > 0))
    usage_error("--max-bytes, --max-memory and --max-ms must be above 0");
}

Search::Search(Study& study, CostModel& costs, TuneOptions options)
    : study_(study),
      options_(std::move(options)),
      times_((study.measure(Effort::kScreen), *study.space), costs, options_.workload) {
  if (!options_.floors.any()) options_.objective = Measure::kLoss;
  double units = 0;
  for (std::size_t u = 0; u < study.space->units().size(); ++u)
    units += static_cast<double>(study.space->bytes({u, 0}));
  other_bytes_ = std::max(0.0, stored_bytes(study.checkpoint()) - units);
  measure_wholes();
}

// The fastest alternative of weights everywhere, or the slowest that compresses.
Mix Search::uniform_extreme(bool slowest) const {
  const Space& space = *study_.space;
  Mix mix(space.units().size(), 0);
  for (std::size_t u = 0; u < mix.size(); ++u) {
    if (space.units()[u].is_cache()) continue;
    for (const std::size_t a : offered(space, u)) {
      const double own = times_.seconds({u, a}), best = times_.seconds({u, mix[u]});
      if (slowest ? a > 0 && (mix[u] == 0 || own > best) : own < best) mix[u] = a;
    }
  }
  return mix;
}

void Search::assemble(const Mix& mix, io::OverlayCheckpoint& to) const {
  const Space& space = *study_.space;
  for (std::size_t u = 0; u < mix.size(); ++u) {
    if (space.units()[u].is_cache() || mix[u] == 0) continue;
    study_.weights->put({u, mix[u]}, to);
  }
}

kernels::KvType Search::cache_of(const Mix& mix) const {
  const Space& space = *study_.space;
  if (!space.units().back().is_cache()) return kernels::KvType::kF16;
  return *space.alternative({mix.size() - 1, mix.back()}).kv;
}

// What a pass takes beyond its linears, and what linears take together: the fastest mix runs with
// each type of cache, and the slowest beside it.
void Search::measure_wholes() {
  const Space& space = *study_.space;
  quick_ = std::make_unique<Yardstick>(study_.checkpoint(), uniform_extreme(false));
  slow_ = std::make_unique<Yardstick>(study_.checkpoint(), uniform_extreme(true));
  for (Yardstick* one : {quick_.get(), slow_.get()}) {
    assemble(one->mix, one->overlay);
    one->model = model::Model::load(study_.runtime, one->overlay);
  }
  const std::size_t caches =
      space.units().back().is_cache() ? space.alternatives(space.units().back()).size() : 1;
  std::vector<TimedModel> models;
  for (std::size_t c = 0; c < caches; ++c) {
    if (space.units().back().is_cache()) quick_->mix.back() = c;
    models.push_back({quick_->model.get(), cache_of(quick_->mix)});
  }
  models.push_back({slow_->model.get(), models[0].kv});
  if (study_.progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
  quick_->times = time_models(study_.runtime, models, options_.workload);
  const PassTimes slow = quick_->times.back();
  quick_->times.pop_back();
  fit_times(0, quick_->times[0], slow);
}

// Both yardsticks with one type of cache as they run at this moment: others may use the machine,
// its clock or its memory be slower than before, and not to the same part for small models and
// large.
void Search::fit_times(std::size_t cache, const PassTimes& quick, const PassTimes& slow) {
  times_.fit(quick_->mix, quick, slow_->mix, slow);
  const PassTimes& before = quick_->times[cache];
  for (std::size_t c = 0; c < quick_->times.size(); ++c) {
    PassTimes now = quick_->times[c];
    if (before.decode > 0) now.decode *= quick.decode / before.decode;
    if (before.prefill > 0) now.prefill *= quick.prefill / before.prefill;
    times_.set_rest(quick_->mix, c, now);
  }
}

Problem Search::problem(double loss_limit) const {
  const Space& space = *study_.space;
  Problem p;
  for (std::size_t u = 0; u < space.units().size(); ++u) {
    p.units.emplace_back();
    for (const std::size_t a : offered(space, u))
      p.units.back().push_back({study_.table->kld({u, a}), times_.seconds({u, a}),
                                static_cast<double>(space.bytes({u, a})), times_.memory({u, a})});
  }
  p.objective = options_.objective;
  at(p.limits, Measure::kLoss) = loss_limit;
  at(p.limits, Measure::kBytes) = options_.max_bytes - other_bytes_;
  at(p.limits, Measure::kMemory) = options_.max_memory - other_bytes_;
  at(p.limits, Measure::kTime) = options_.max_ms * options_.workload.tokens() / 1e3;
  for (std::size_t m = 0; m < kMeasures; ++m) p.limits[m] *= tightened_[m];
  return p;
}

Mix Search::mix_of(const Problem& problem, const std::vector<std::size_t>& picks) const {
  Mix mix;
  for (std::size_t u = 0; u < problem.units.size(); ++u)
    mix.push_back(offered(*study_.space, u)[picks[u]]);
  return mix;
}

Outcome Search::expect(const Mix& mix) const {
  Outcome o{.ms = times_.milliseconds_a_token(mix), .bytes = other_bytes_, .memory = other_bytes_};
  for (std::size_t u = 0; u < mix.size(); ++u) {
    o.kld += correction_ * study_.table->kld({u, mix[u]});
    o.bytes += static_cast<double>(study_.space->bytes({u, mix[u]}));
    o.memory += times_.memory({u, mix[u]});
  }
  return o;
}

// The sum of KL divergences that the floors leave, before anything whole was measured: where the
// reference is right the loss grows by the KL itself, and a KL of 0.013 turned one token in twelve
// of books-llama-8m; a round corrects both.
double Search::first_limit() const {
  double limit = kNoLimit;
  if (options_.floors.max_kld) limit = std::min(limit, *options_.floors.max_kld);
  if (options_.floors.max_perplexity_increase)
    limit = std::min(limit, std::log1p(*options_.floors.max_perplexity_increase));
  if (options_.floors.min_top1)
    limit = std::min(limit, 2 * std::pow(1 - *options_.floors.min_top1, 2));
  for (const evaluate::Task& task : study_.tasks)
    limit =
        std::min(limit, first_task_limit(std::ssize(task.items), *options_.floors.max_task_drop));
  return limit;
}

void Search::refuse(double loss_limit) const {
  Problem free = problem(loss_limit);
  const Values limits = free.limits;
  const auto least = [&](Measure m, bool under_loss) {
    Problem p = free;
    p.limits.fill(kNoLimit);
    if (under_loss) at(p.limits, Measure::kLoss) = at(limits, Measure::kLoss);
    p.objective = m;
    return allocate(p);
  };
  const auto shown = [&](const Assignment& a) {
    return fmt::format(
        "{} of weights, {} of memory and {:.3f} ms a token",
        human_bytes(static_cast<std::uint64_t>(at(a.totals, Measure::kBytes) + other_bytes_)),
        human_bytes(static_cast<std::uint64_t>(at(a.totals, Measure::kMemory) + other_bytes_)),
        1e3 * at(a.totals, Measure::kTime) / options_.workload.tokens());
  };
  const Assignment exact = least(Measure::kLoss, false);
  if (at(exact.totals, Measure::kLoss) > loss_limit)
    unsupported(
        "the floor cannot be reached: the least KL divergence of these alternatives is {:.3g}, and "
        "the floor leaves {:.3g}; it would cost {}; lower the floor or leave the cache out "
        "(--caches \"\")",
        correction_ * at(exact.totals, Measure::kLoss), correction_ * loss_limit, shown(exact));
  Problem budget = free;
  budget.objective = Measure::kLoss;
  at(budget.limits, Measure::kLoss) = kNoLimit;
  const Assignment within_limits = allocate(budget);
  if (!within_limits.feasible) {
    const Assignment small = least(Measure::kBytes, false), quick = least(Measure::kTime, false);
    unsupported(
        "{} cannot be reached with these alternatives: the smallest mix takes {}, the fastest {}; "
        "name coarser --schemes or raise the limit",
        limit_text(options_), shown(small), shown(quick));
  }
  const Assignment floor =
      least(options_.max_ms < kNoLimit ? Measure::kTime : Measure::kBytes, true);
  unsupported(
      "floor and limits contradict each other: within {} the least KL divergence is {:.4g}, and "
      "the "
      "floor leaves {:.4g}; that floor costs at least {}",
      limit_text(options_), correction_ * at(within_limits.totals, Measure::kLoss),
      correction_ * loss_limit, shown(floor));
}

// Allocates, measures the chosen entries that were only read off, and allocates again.
std::optional<Mix> Search::try_allocate(double loss_limit) {
  constexpr int kPasses = 4;
  Mix mix;
  for (int pass = 0; pass < kPasses; ++pass) {
    const Problem p = problem(loss_limit);
    const Assignment found = allocate(p);
    if (!found.feasible) return std::nullopt;
    mix = mix_of(p, found.picks);
    std::vector<Swap> wanted;
    for (std::size_t u = 0; u < mix.size(); ++u)
      if (!study_.table->at({u, mix[u]}).measured) wanted.push_back({u, mix[u]});
    if (wanted.empty() || !options_.measured_entries) break;
    measure_entries(*study_.probe, wanted, *study_.table, *study_.cache, study_.progress);
  }
  return mix;
}

Mix Search::allocate_within(double loss_limit) {
  auto mix = try_allocate(loss_limit);
  if (!mix) refuse(loss_limit);
  return *std::move(mix);
}

Interaction Search::measure_whole(const Mix& mix) {
  return {.sum = sum_of(mix), .together = study_.probe->measure(mix)};
}

double Search::sum_of(const Mix& mix) const {
  double sum = 0;
  for (std::size_t u = 0; u < mix.size(); ++u) sum += study_.table->kld({u, mix[u]});
  return sum;
}

Mix Search::plan() {
  const double limit = first_limit();
  Mix mix = allocate_within(limit);
  for (int pass = 0; pass < 2; ++pass) {
    interaction_ = measure_whole(mix);
    const double ratio = correction_ = interaction_.ratio();
    if (limit == kNoLimit || (ratio < 1.05 && ratio > 0.9)) break;
    mix = allocate_within(limit / ratio);
  }
  return mix;
}

std::vector<WalkStep> Search::walk(const Mix& mix, int measured_steps) {
  const Space& space = *study_.space;
  const bool by_time = options_.objective == Measure::kTime;
  struct Conversion {
    Swap swap;
    double rate;
  };
  std::vector<Conversion> order;
  Mix now(mix.size(), 0);
  for (std::size_t u = 0; u < mix.size(); ++u) {
    if (space.units()[u].is_cache()) {
      now[u] = mix[u];  // there is no uncompressed one among them
      continue;
    }
    if (mix[u] == 0) continue;
    const Swap swap{u, mix[u]};
    const double saved =
        by_time ? times_.seconds({u, 0}) - times_.seconds(swap)
                : static_cast<double>(space.bytes({u, 0})) - static_cast<double>(space.bytes(swap));
    order.push_back({swap, study_.table->kld(swap) / std::max(saved, 1e-30)});
  }
  std::ranges::stable_sort(order, {}, &Conversion::rate);
  std::vector<WalkStep> steps;
  const auto count = std::ssize(order);
  for (std::int64_t i = 0; i < count; ++i) {
    const Swap& swap = order[static_cast<std::size_t>(i)].swap;
    now[swap.unit] = swap.alternative;
    steps.push_back({.swap = swap, .expected = expect(now), .measured = {}});
    const bool shown =
        measured_steps > 0 && (i + 1) * measured_steps / count != i * measured_steps / count;
    if (shown && i + 1 < count) steps.back().measured = study_.probe->measure(now);
  }
  interaction_ = measure_whole(mix);
  if (!steps.empty()) steps.back().measured = interaction_.together;
  return steps;
}

std::vector<std::pair<Mix, Outcome>> Search::frontier(int points) {
  const Measure cost = options_.objective == Measure::kLoss ? Measure::kBytes : options_.objective;
  const Problem p = problem(kNoLimit);
  const HullPath path = hull_path(p, cost);
  std::vector<std::size_t> picks = path.start;
  std::vector<std::pair<Mix, Outcome>> all;
  const auto add = [&] {
    const Mix mix = mix_of(p, picks);
    all.emplace_back(mix, expect(mix));
  };
  add();
  double shown = at(path.totals, cost);
  const double last = path.steps.empty() ? shown : at(path.steps.back().totals, cost);
  const double stride = (shown - last) / std::max(1, points - 1);
  for (std::size_t i = 0; i < path.steps.size(); ++i) {
    const HullStep& step = path.steps[i];
    picks[step.unit] = step.pick;
    if (shown - at(step.totals, cost) < stride && i + 1 < path.steps.size()) continue;
    shown = at(step.totals, cost);
    add();
  }
  return all;
}

std::unique_ptr<io::Checkpoint> Search::make(const Mix& mix, const std::string& place,
                                             const std::string& tool_version,
                                             std::string& recipe_words) {
  compress::Recipe recipe = study_.options.recipe;
  apply_mix(*study_.space, mix, recipe);
  compress::CompressOptions options;
  options.plan = study_.options.plan;
  options.replace = true;
  options.tool_version = tool_version;
  recipe_words = compress::recipe_text(recipe);
  compress::compress(study_.runtime, study_.original, place, recipe, options, study_.progress);
  return io::Checkpoint::open(place);
}

std::vector<TaskChange> Search::measure_tasks(const evaluate::Runner& runner) {
  const auto run = [&](const evaluate::Runner& of, const evaluate::Task& task) {
    return evaluate::run_task(study_.runtime, of, *study_.tokenizer, task, study_.progress);
  };
  std::vector<TaskChange> changes;
  for (std::size_t i = 0; i < study_.tasks.size(); ++i) {
    const evaluate::Task& task = study_.tasks[i];
    if (reference_tasks_.size() == i)
      reference_tasks_.push_back(run({study_.model.get(), study_.kv}, task));
    changes.push_back(task_change(task, reference_tasks_[i], run(runner, task)));
  }
  return changes;
}

Candidate Search::try_mix(const Mix& mix, const std::string& place,
                          const std::string& tool_version) {
  Candidate c;
  c.mix = mix;
  c.expected = expect(mix);
  const auto checkpoint = make(mix, place, tool_version, c.recipe);
  const auto model = model::Model::load(study_.runtime, *checkpoint);
  const bool has_cache = study_.space->units().back().is_cache();
  const kernels::KvType kv = cache_of(mix);
  const evaluate::Runner runner{model.get(), kv}, reference{study_.model.get(), study_.kv};
  c.quality =
      evaluate::evaluate_text(study_.runtime, runner, &reference, study_.text, study_.progress);
  c.tasks = measure_tasks(runner);
  c.checks = check_floors(options_.floors, c.quality, c.tasks);
  const TimedModel models[] = {
      {model.get(), kv}, {quick_->model.get(), kv}, {slow_->model.get(), kv}};
  const auto times = time_models(study_.runtime, models, options_.workload);
  c.pace = times[1].request(options_.workload) /
           quick_->times[has_cache ? mix.back() : 0].request(options_.workload);
  fit_times(has_cache ? mix.back() : 0, times[1], times[2]);
  c.expected = expect(mix);
  c.measured = {.kld = c.quality.against->kld.mean,
                .ms = 1e3 * times[0].request(options_.workload) / options_.workload.tokens(),
                .bytes = stored_bytes(*checkpoint),
                .memory = static_cast<double>(model->bytes())};
  if (has_cache) c.measured.memory += times_.memory({mix.size() - 1, mix.back()});
  c.holds = all_hold(c.checks) && c.measured.bytes <= options_.max_bytes &&
            c.measured.memory <= options_.max_memory && c.measured.ms <= options_.max_ms;
  return c;
}

// A limit that the whole has broken, though the sum was within it, is aimed at so much lower. True
// when there was one.
bool Search::tighten(const Candidate& c) {
  bool broken = false;
  const auto aim = [&](Measure m, double measured, double limit) {
    if (measured <= limit) return;
    at(tightened_, m) *= limit / measured * kSafety;
    broken = true;
  };
  aim(Measure::kTime, c.measured.ms, options_.max_ms);
  aim(Measure::kBytes, c.measured.bytes, options_.max_bytes);
  aim(Measure::kMemory, c.measured.memory, options_.max_memory);
  return broken;
}

void Search::refuse_all(const Found& found) const {
  const Candidate& last = found.rounds.back();
  std::string missed;
  for (const FloorCheck& check : last.checks)
    if (!check.holds) missed += (missed.empty() ? "" : "; ") + check_text(check);
  if (missed.empty())
    missed = fmt::format("{:.3f} ms a token, {} of weights and {} in memory", last.measured.ms,
                         human_bytes(static_cast<std::uint64_t>(last.measured.bytes)),
                         human_bytes(static_cast<std::uint64_t>(last.measured.memory)));
  unsupported(
      "after {} rounds no mix holds what was asked for: the last one has {}; lower the floor, "
      "raise "
      "the limit, or name other --schemes",
      found.rounds.size(), missed);
}

Search::Found Search::find(const std::string& prefix, const std::string& tool_version) {
  Found found;
  const auto value = [&](const Candidate& c) {
    switch (options_.objective) {
      case Measure::kLoss:
        return c.measured.kld;
      case Measure::kTime:
        return expect(c.mix).ms;  // the same model for all: no noise
      case Measure::kBytes:
        return c.measured.bytes;
      default:
        return c.measured.memory;
    }
  };
  Mix mix = plan();
  for (int round = 0; round < options_.rounds; ++round) {
    std::string words;
    for (const std::size_t pick : mix) words += fmt::format("{} ", pick);
    const std::string place = fmt::format("{}-{}", prefix, sha256_hex(words).substr(0, 12));
    Candidate c = try_mix(mix, place, tool_version);
    const bool better = c.holds && (!found.best.holds || value(c) < value(found.best));
    note_round(c, round + 1, study_.progress);
    double room = kNoLimit;
    for (const FloorCheck& check : c.checks) room = std::min(room, check.room);
    if (better || found.place.empty()) {
      if (!found.place.empty()) std::filesystem::remove_all(found.place);
      found.best = c, found.place = place;
    } else {
      std::filesystem::remove_all(place);
    }
    found.rounds.push_back(c);
    const bool broken = tighten(c);
    if (!broken && (c.checks.empty() || (c.holds && room < kNearEnough))) break;
    const double sum = sum_of(mix);
    if (sum > 0) correction_ = c.measured.kld / sum;
    const double limit = room < kNoLimit ? sum * room * kSafety : kNoLimit;
    const auto next = try_allocate(limit);
    if (!next && !found.best.holds) refuse(limit);
    const bool tried = !next || std::ranges::any_of(found.rounds, [&](const Candidate& other) {
      return other.mix == *next;
    });
    if (tried) break;
    mix = *next;
  }
  if (!found.best.holds) {
    std::filesystem::remove_all(found.place);
    refuse_all(found);
  }
  return found;
}

}  // namespace farthing::tune
