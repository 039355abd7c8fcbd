// What a model is tuned for, and the time and memory that a mix takes there.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/driver.h"
#include "tune/allocate.h"
#include "tune/costs.h"
#include "tune/space.h"

namespace farthing::tune {

// Requests of `prompt` tokens behind `kept` others, answered by `answer` tokens, `batch` at once.
struct Workload {
  std::string name;
  std::int64_t prompt = 0, answer = 0, kept = 0, batch = 1;
  // What times are given for: tokens of the answer, or of the prompt where there is no answer.
  double tokens() const { return static_cast<double>(answer > 0 ? answer : prompt); }
  std::int64_t length() const { return kept + prompt + answer; }
};
// "decode", "prefill", or a scenario of bench, made shorter where the model has fewer positions.
// Error: usage, naming the known ones.
Workload find_workload(std::string_view name, std::int64_t batch, std::int64_t max_positions);

// Of one pass of a model: seconds a decoded step (all of the batch), and a token of a prompt.
struct PassTimes {
  double decode = 0, prefill = 0;
  double request(const Workload& w) const {
    return decode * static_cast<double>(w.answer) + prefill * static_cast<double>(w.prompt);
  }
};
// Runs models as the workload does, in turns, so that what disturbs this machine meets all of them;
// of each the median over turns of the least time of a turn (decode), or the least (prompts).
struct TimedModel {
  model::Model* model;
  kernels::KvType kv;
};
std::vector<PassTimes> time_models(Runtime& runtime, std::span<const TimedModel> models,
                                   const Workload& w);

// The cost of every unit and alternative for a workload: linears from the cost model, in proportion
// to how much slower one assembled mix is than another; all else of a pass (norms, attention,
// embedding) is what a whole mix takes beyond its linears, measured with each type of cache, and
// belongs to the cache's unit.
class UnitTimes {
 public:
  UnitTimes(const Space& space, CostModel& costs, const Workload& workload);

  // Two mixes whose wholes were measured with one type of cache: between them the times of linears
  // are stretched to what they differ by. Before set_rest().
  void fit(const Mix& quick, const PassTimes& quick_time, const Mix& slow,
           const PassTimes& slow_time);
  // A mix whose whole was measured, by type of cache; sets what is not linears. Without a cache
  // unit: the one type that runs.
  void set_rest(const Mix& mix, std::size_t cache, const PassTimes& measured);
  // Seconds of a request.
  double seconds(const Swap& swap) const;
  double memory(const Swap& swap) const;  // bytes while a request runs
  PassTimes pass(const Mix& mix) const;   // linears that are packed together counted so
  double milliseconds_a_token(const Mix& mix) const {
    return 1e3 * pass(mix).request(workload_) / workload_.tokens();
  }
  const Workload& workload() const { return workload_; }

 private:
  struct Cost {
    PassTimes apply, prepare;
    double bytes = 0;
  };
  Cost unit_cost(const Swap& swap, CostModel& costs) const;
  PassTimes linears(const Mix& mix) const;

  const Space& space_;
  Workload workload_;
  double start_ = 0;
  PassTimes stretch_ = {.decode = 1, .prefill = 1};  // of linears
  std::vector<std::vector<Cost>> costs_;             // [unit][alternative]
  std::map<std::size_t, PassTimes> rest_;            // by alternative of the cache
};

}  // namespace farthing::tune
