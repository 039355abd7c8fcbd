// Tokens per second of a model, beside the roof that was measured between the repeats.
#pragma once

#include <string>
#include <vector>

#include "bench/driver.h"
#include "bench/row.h"
#include "core/progress.h"

namespace farthing::bench {

struct BenchOptions {
  std::vector<std::int64_t> prompts = {512};
  std::int64_t generated = 128;
  std::vector<std::int64_t> batches = {1};
  std::vector<std::int64_t> contexts = {0};  // tokens already in the cache before decoding
  int repeats = 7;
};

// Error: usage, for sizes that are not positive.
void check_sizes(const BenchOptions& options);
// Error: usage, for tests beyond the model's context; out of resources, when keys and values of one
// would not fit `free_bytes`.
void check_options(const BenchOptions& options, const Driver& driver, double free_bytes);

// One row a test; names of scheme, kernel and so on are left to the caller.
std::vector<Row> bench_model(Driver& driver, RoofProbe& roof, const BenchOptions& options,
                             Progress& progress);

// A use of a model as people have it: requests of about so many tokens, answered one at a time.
struct Scenario {
  std::string_view name, about;
  std::int64_t prompt, answer;
  std::int64_t kept = 0;  // tokens that the cache holds from before, as of a conversation
};
std::span<const Scenario> scenarios();
const Scenario& find_scenario(std::string_view name);  // Error: usage, naming the known ones
void check_scenario(const Scenario& scenario, const Driver& driver, double free_bytes);

// `requests` of lengths around the scenario's: time to first token and per token. tokens_per_s is
// that of the answers.
Row bench_scenario(Driver& driver, RoofProbe& roof, const Scenario& scenario, int requests,
                   Progress& progress);

}  // namespace farthing::bench
