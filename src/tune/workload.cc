#include "tune/workload.h"

#include <algorithm>
#include <memory>

#include "bench/measure.h"
#include "bench/model_bench.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::tune {
namespace {

constexpr std::int64_t kChunk = 512;  // tokens of a prompt that run together
constexpr std::int64_t kDecodeContext = 128;
constexpr int kPromptRepeats = 4;
constexpr int kTurn = 5, kLeastTurns = 3, kMostTurns = 100;  // decoded steps; turns of models
constexpr double kPassSeconds = 0.3;                         // a model, if that is enough turns
constexpr double kMostStretch = 2.5;

// Linears that read one input lie in one packed matrix when they are alike: also the parts of a
// head.
int sibling_kind(std::string_view kind) {
  if (kind == "q" || kind == "k" || kind == "v") return 1;
  if (kind == "gate" || kind == "up") return 2;
  if (kind == "head") return 3;
  return 0;
}

}  // namespace

Workload find_workload(std::string_view name, std::int64_t batch, std::int64_t max_positions) {
  Workload w{.name = std::string(name), .batch = batch};
  if (name == "decode") {
    w.answer = 128, w.kept = kDecodeContext;
  } else if (name == "prefill") {
    w.prompt = kChunk;
  } else {
    std::vector<std::string_view> known = {"decode", "prefill"};
    bool found = false;
    for (const bench::Scenario& s : bench::scenarios()) {
      known.push_back(s.name);
      if (s.name != name) continue;
      w.prompt = s.prompt, w.answer = s.answer, w.kept = s.kept, found = true;
    }
    if (!found)
      usage_error("--for: unknown use \"{}\"; known: {}", printable(name), join(known, ", "));
  }
  if (max_positions > 0 && w.length() > max_positions) {
    const double share = static_cast<double>(max_positions) / static_cast<double>(w.length());
    const auto shorten = [&](std::int64_t& tokens) {
      if (tokens > 0)
        tokens = std::max<std::int64_t>(
            1, static_cast<std::int64_t>(static_cast<double>(tokens) * share));
    };
    shorten(w.prompt), shorten(w.answer), shorten(w.kept);
  }
  return w;
}

namespace {

// A model and a sequence in the middle of its answer.
struct Decoding {
  Decoding(Runtime& runtime, const TimedModel& of, const Workload& w)
      : driver(runtime, *of.model, of.kv),
        context(std::max<std::int64_t>(1, w.kept + w.prompt + w.answer / 2)),
        sequences(driver.open(w.batch, context)) {}
  double step() {
    const double seconds = driver.feed(sequences, 1);
    driver.rewind(sequences, context);
    return seconds;
  }
  bench::Driver driver;
  std::int64_t context;
  bench::Driver::Sequences sequences;
};

// The least step of each turn, which an interruption does not touch; of the turns the median, for a
// machine that is fast at one moment and slow at the next may show one model its best side only.
void time_decode(Runtime& runtime, std::span<const TimedModel> models, const Workload& w,
                 std::vector<PassTimes>& times) {
  std::vector<std::unique_ptr<Decoding>> running;
  double once = 0;  // a turn of all
  for (const TimedModel& model : models) {
    running.push_back(std::make_unique<Decoding>(runtime, model, w));
    running.back()->step();
    once += running.back()->step();
  }
  std::vector<std::vector<double>> turn_times(running.size());
  const double seconds = kPassSeconds * static_cast<double>(models.size());
  const auto turns = static_cast<int>(
      std::clamp(seconds / std::max(once * kTurn, 1e-9), 1.0 * kLeastTurns, 1.0 * kMostTurns));
  for (int turn = 0; turn < turns; ++turn)
    for (std::size_t i = 0; i < running.size(); ++i) {
      running[i]->step();  // its weights come back into the caches
      double least = running[i]->step();
      for (int repeat = 2; repeat < kTurn; ++repeat) least = std::min(least, running[i]->step());
      turn_times[i].push_back(least);
    }
  for (std::size_t i = 0; i < running.size(); ++i) times[i].decode = bench::median(turn_times[i]);
}

void time_prefill(Runtime& runtime, std::span<const TimedModel> models, const Workload& w,
                  std::vector<PassTimes>& times) {
  const std::int64_t tokens = std::min(w.prompt, kChunk), before = w.kept + (w.prompt - tokens) / 2;
  for (int repeat = 0; repeat < kPromptRepeats; ++repeat)
    for (std::size_t i = 0; i < models.size(); ++i) {
      bench::Driver driver(runtime, *models[i].model, models[i].kv);
      bench::Driver::Sequences sequences = driver.open(1, before);
      const double seconds = driver.feed(sequences, tokens) / static_cast<double>(tokens);
      if (repeat == 0 || seconds < times[i].prefill) times[i].prefill = seconds;
    }
}

}  // namespace

std::vector<PassTimes> time_models(Runtime& runtime, std::span<const TimedModel> models,
                                   const Workload& w) {
  std::vector<PassTimes> times(models.size());
  if (w.answer > 0) time_decode(runtime, models, w, times);
  if (w.prompt > 0) time_prefill(runtime, models, w, times);
  return times;
}

UnitTimes::UnitTimes(const Space& space, CostModel& costs, const Workload& workload)
    : space_(space), workload_(workload), start_(costs.start_seconds()) {
  for (std::size_t u = 0; u < space.units().size(); ++u) {
    costs_.emplace_back();
    for (std::size_t a = 0; a < space.alternatives(space.units()[u]).size(); ++a)
      costs_.back().push_back(space.offers({u, a}) ? unit_cost({u, a}, costs) : Cost{});
  }
  costs.save();
}

UnitTimes::Cost UnitTimes::unit_cost(const Swap& swap, CostModel& costs) const {
  Cost cost;
  const Unit& unit = space_.units()[swap.unit];
  const model::ModelConfig& config = space_.map().config();
  if (unit.is_cache()) {
    const kernels::KvLayout layout{.type = *space_.alternative(swap).kv,
                                   .kv_heads = static_cast<int>(config.kv_heads),
                                   .head_dim = static_cast<int>(config.head_dim)};
    cost.bytes = static_cast<double>(layout.bytes_per_token()) *
                 static_cast<double>(config.layers * workload_.length() * workload_.batch);
    return cost;
  }
  double around = 0;  // the whole model in this alternative
  for (const Unit& other : space_.units())
    for (const std::size_t member : other.members) {
      const compress::PlannedUnit& planned = space_.planned(member, swap.alternative);
      around += bits_per_weight(planned.scheme, planned.shape.cols) / 8 *
                static_cast<double>(planned.weights());
    }
  for (const std::size_t member : unit.members) {
    const compress::PlannedUnit& planned = space_.planned(member, swap.alternative);
    if (!planned.activations) {  // an embedding by itself: some rows, as they lie in the file
      cost.bytes += static_cast<double>(space_.bytes(swap));
      continue;
    }
    // Of experts, a token meets only some.
    const double share = model::is_expert(planned.unit.slot)
                             ? static_cast<double>(config.experts_per_token) /
                                   static_cast<double>(std::max<std::int64_t>(config.experts, 1))
                             : 1.0;
    const double slices = planned.slices;
    const auto cost_of = [&](std::int64_t tokens) {
      const LinearKind kind{
          .shape = planned.shape,
          .weights = planned.scheme,
          .activations = *planned.activations,
          .multiplied = planned.multiplied,
          .sparsity = planned.keep_zeros ? space_.alternative(swap).sparsity : std::nullopt};
      return costs.linear(kind, tokens, around);
    };
    const LinearCost one = cost_of(workload_.batch);
    cost.bytes += one.bytes * slices;
    if (workload_.answer > 0) {
      cost.apply.decode += one.seconds * slices * share;
      cost.prepare.decode += one.prepare_seconds * slices * share;
    }
    if (workload_.prompt == 0) continue;
    const bool head = unit.kind == "head";  // computed for the last token of a prompt alone
    const std::int64_t tokens = std::min(workload_.prompt, kChunk);
    const LinearCost many = head ? cost_of(1) : cost_of(tokens);
    const double per = static_cast<double>(head ? workload_.prompt : tokens);
    cost.apply.prefill += many.seconds * slices * share / per;
    cost.prepare.prefill += many.prepare_seconds * slices * share / per;
  }
  return cost;
}

PassTimes UnitTimes::linears(const Mix& mix) const {
  PassTimes sum;
  const std::vector<Unit>& units = space_.units();
  const double chunk =
      static_cast<double>(std::max<std::int64_t>(1, std::min(workload_.prompt, kChunk)));
  for (std::size_t u = 0; u < mix.size(); ++u) {
    if (units[u].is_cache()) continue;
    const Cost& cost = costs_[u][mix[u]];
    sum.decode += cost.apply.decode, sum.prefill += cost.apply.prefill;
    bool shares_input = false;
    const int kind = sibling_kind(units[u].kind);
    if (u > 0 && kind != 0 && sibling_kind(units[u - 1].kind) == kind &&
        units[u - 1].layer == units[u].layer) {
      const auto& a = space_.planned(units[u].members[0], mix[u]);
      const auto& b = space_.planned(units[u - 1].members[0], mix[u - 1]);
      const bool plain = !a.multiplied && !b.multiplied;
      shares_input = plain && a.activations == b.activations;
      const bool one_matrix = shares_input && a.scheme == b.scheme;
      // Both are started once, of few tokens whatever their schemes.
      if (one_matrix || (plain && workload_.batch <= kernels::Linear::kStreamTokens))
        sum.decode -= workload_.answer > 0 ? std::min(start_, cost.apply.decode) : 0;
      if (one_matrix)
        sum.prefill -= workload_.prompt > 0 ? std::min(start_ / chunk, cost.apply.prefill) : 0;
    }
    if (!shares_input) sum.decode += cost.prepare.decode, sum.prefill += cost.prepare.prefill;
  }
  return {.decode = sum.decode * stretch_.decode, .prefill = sum.prefill * stretch_.prefill};
}

void UnitTimes::fit(const Mix& quick, const PassTimes& quick_time, const Mix& slow,
                    const PassTimes& slow_time) {
  stretch_ = {.decode = 1, .prefill = 1};
  const PassTimes a = linears(quick), b = linears(slow);
  const auto stretch = [](double known, double measured, double whole) {
    // A small difference is mostly noise.
    if (!(known > 0.1 * whole)) return 1.0;
    return std::clamp(measured / known, 1 / kMostStretch, kMostStretch);
  };
  stretch_ = {
      .decode = stretch(b.decode - a.decode, slow_time.decode - quick_time.decode, a.decode),
      .prefill = stretch(b.prefill - a.prefill, slow_time.prefill - quick_time.prefill, a.prefill)};
}

void UnitTimes::set_rest(const Mix& mix, std::size_t cache, const PassTimes& measured) {
  const PassTimes known = linears(mix);
  rest_[cache] = {.decode = std::max(0.0, measured.decode - known.decode),
                  .prefill = std::max(0.0, measured.prefill - known.prefill)};
}

PassTimes UnitTimes::pass(const Mix& mix) const {
  PassTimes sum = linears(mix);
  const bool has_cache = !mix.empty() && space_.units().back().is_cache();
  const auto rest = rest_.find(has_cache ? mix.back() : 0);
  if (rest != rest_.end()) sum.decode += rest->second.decode, sum.prefill += rest->second.prefill;
  return sum;
}

double UnitTimes::seconds(const Swap& swap) const {
  if (space_.units()[swap.unit].is_cache()) {
    const auto rest = rest_.find(swap.alternative);
    return rest == rest_.end() ? 0 : rest->second.request(workload_);
  }
  const Cost& cost = costs_[swap.unit][swap.alternative];
  const PassTimes sum = {.decode = stretch_.decode * (cost.apply.decode + cost.prepare.decode),
                         .prefill = stretch_.prefill * (cost.apply.prefill + cost.prepare.prefill)};
  return sum.request(workload_);
}

double UnitTimes::memory(const Swap& swap) const {
  return costs_[swap.unit][swap.alternative].bytes;
}

}  // namespace farthing::tune
