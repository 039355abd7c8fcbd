// The search: measure, allocate, compress, measure the whole, correct, until the floor holds.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/overlay_checkpoint.h"
#include "tune/allocate.h"
#include "tune/contract.h"
#include "tune/study.h"
#include "tune/workload.h"

namespace farthing::tune {

struct TuneOptions {
  Floors floors;
  double max_bytes = kNoLimit;   // of all weights on disk
  double max_memory = kNoLimit;  // of weights and cache while a request runs
  double max_ms = kNoLimit;      // a token
  // What is made least. Without a floor the loss is.
  Measure objective = Measure::kTime;
  Workload workload;
  int rounds = 5;                // of compressing and measuring, at most
  bool measured_entries = true;  // the chosen entries are measured, not read off
};
// Error: usage, when neither floor nor limit is given, or one makes no sense.
void check_options(const TuneOptions& options);

// What is expected of a mix, or was measured of it.
struct Outcome {
  double kld = 0, ms = 0, bytes = 0, memory = 0;
};

struct Candidate {
  Mix mix;
  Outcome expected;
  evaluate::TextResult quality;  // measured on the text of the floor
  std::vector<TaskChange> tasks;
  std::vector<FloorCheck> checks;
  Outcome measured;
  // How many times as long as at the start the fastest mix took beside the measurement; `expected`
  // is for what it and the slowest took there.
  double pace = 1;
  bool holds = false;
  std::string recipe;
};

// A conversion on the way from full precision to the mix.
struct WalkStep {
  Swap swap;
  Outcome expected;               // behind it
  std::optional<Shift> measured;  // at some of the steps, on the probe's tokens
};

// Both of what they sum to when nothing else changes, and measured together.
struct Interaction {
  double sum = 0;
  Shift together;
  double ratio() const { return sum > 0 ? together.kld / sum : 1; }
};

class Search {
 public:
  // The study is borrowed; measures what is not known of sensitivities and costs.
  Search(Study& study, CostModel& costs, TuneOptions options);

  // The mix that is expected to do what was asked for, before anything is compressed. Error:
  // unsupported, when floors and limits contradict each other: says what can be reached.
  Mix plan();
  // Also measures the whole anew.
  std::vector<WalkStep> walk(const Mix& mix, int measured_steps);
  // Mixes from the least loss to the least cost that no other one on the way beats.
  std::vector<std::pair<Mix, Outcome>> frontier(int points);
  Outcome expect(const Mix& mix) const;  // with the correction by what was measured
  const Interaction& interaction() const { return interaction_; }

  // Compresses and measures mixes until one holds and the next would gain little; leaves the best
  // at `candidate_prefix` + something and says where. Error: unsupported, when none holds.
  struct Found {
    Candidate best;
    std::string place;
    std::vector<Candidate> rounds;
  };
  Found find(const std::string& candidate_prefix, const std::string& tool_version);

  const UnitTimes& times() const { return times_; }
  const TuneOptions& options() const { return options_; }
  double other_bytes() const { return other_bytes_; }

 private:
  Mix uniform_extreme(bool slowest) const;
  void assemble(const Mix& mix, io::OverlayCheckpoint& to) const;
  void measure_wholes();
  void fit_times(std::size_t cache, const PassTimes& quick, const PassTimes& slow);
  std::vector<TaskChange> measure_tasks(const evaluate::Runner& runner);
  Problem problem(double loss_limit) const;
  Mix mix_of(const Problem& problem, const std::vector<std::size_t>& picks) const;
  std::optional<Mix> try_allocate(double loss_limit);
  Mix allocate_within(double loss_limit);
  double first_limit() const;
  double sum_of(const Mix& mix) const;  // of the single units' KL divergences
  Interaction measure_whole(const Mix& mix);
  [[noreturn]] void refuse(double loss_limit) const;
  bool tighten(const Candidate& candidate);
  [[noreturn]] void refuse_all(const Found& found) const;
  Candidate try_mix(const Mix& mix, const std::string& place, const std::string& tool_version);
  std::unique_ptr<io::Checkpoint> make(const Mix& mix, const std::string& place,
                                       const std::string& tool_version, std::string& recipe_words);

  kernels::KvType cache_of(const Mix& mix) const;

  // A whole model that stays in memory: timed beside a mix, it shows what the machine is like then.
  struct Yardstick {
    Yardstick(const io::Checkpoint& below, Mix of) : overlay(below), mix(std::move(of)) {}
    io::OverlayCheckpoint overlay;
    Mix mix;
    std::unique_ptr<model::Model> model;
    std::vector<PassTimes> times;  // of the fastest by type of cache, at the start
  };

  Study& study_;
  TuneOptions options_;
  UnitTimes times_;
  std::unique_ptr<Yardstick> quick_, slow_;  // the fastest mix and the slowest
  std::vector<evaluate::TaskResult> reference_tasks_;  // once they were asked for
  Interaction interaction_;
  double other_bytes_ = 0;           // of tensors that are in no unit
  Values tightened_ = {1, 1, 1, 1};  // what is aimed at, as a share of each limit
  double correction_ = 1;            // measured KL for each of the sum's, on the text of the floor
};

}  // namespace farthing::tune
