#include "bench/model_bench.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace farthing::bench {
namespace {

void check_fits(const Driver& driver, std::int64_t batch, std::int64_t held, std::int64_t added,
                double free_bytes) {
  const std::int64_t limit = driver.max_positions();
  if (held > limit || added > limit - held)
    usage_error(
        "a bench of {} tokens after {} needs more than the model's context of {}; ask for "
        "fewer",
        added, held, limit);
  const double need = driver.memory(batch, held + added);
  if (need > free_bytes)
    out_of_resources(
        "{} sequences of {} tokens need {:.1f} GB beside the weights, and {:.1f} GB are left; ask "
        "for fewer or shorter ones, or a smaller --kv",
        batch, held + added, need / 1e9, std::max(free_bytes, 0.0) / 1e9);
}

Row bench_prompt(Driver& driver, RoofProbe& roof, std::int64_t prompt, int repeats,
                 const Progress& progress) {
  Row row{.test = fmt::format("pp{}", prompt)};
  alternate(
      roof, repeats, progress,
      [&] {
        Driver::Sequences sequences = driver.open(1);
        const double seconds = driver.feed(sequences, prompt);
        return Timed{seconds, static_cast<double>(prompt), driver.work(1, prompt, 0)};
      },
      row);
  return row;
}

Row bench_decode(Driver& driver, RoofProbe& roof, const BenchOptions& o, std::int64_t batch,
                 std::int64_t context, const Progress& progress) {
  Row row{
      .test = fmt::format("tg{}{}", o.generated, context > 0 ? fmt::format("@{}", context) : ""),
      .batch = batch,
      .context = context};
  Driver::Sequences sequences = driver.open(batch, context);
  const auto steps = static_cast<double>(o.generated);
  // On average half of the new tokens are in the cache already.
  const Work work = driver.work(batch, 1, context + o.generated / 2).times(steps);
  alternate(
      roof, o.repeats, progress,
      [&] {
        driver.rewind(sequences, context);
        double seconds = 0;
        for (std::int64_t t = 0; t < o.generated; ++t) seconds += driver.feed(sequences, 1);
        return Timed{seconds, steps * static_cast<double>(batch), work};
      },
      row);
  return row;
}

constexpr Scenario kScenarios[] = {
    {"chat", "a turn of a conversation: a short question after a few others", 64, 128, 512},
    {"rag", "a question with some pages of found text, answered in a few sentences", 2048, 128, 0},
    {"summarise", "a long text into a paragraph", 3072, 256, 0},
    {"code", "a file to continue by a function", 1024, 384, 0},
};

// About as many as asked for, but never the same: three quarters to five quarters.
std::int64_t about(std::int64_t tokens, Random& random) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(tokens) * (0.75 + random.uniform() / 2)));
}

}  // namespace

void check_sizes(const BenchOptions& o) {
  for (std::int64_t n : o.prompts)
    if (n < 1) usage_error("--prompt must be at least 1; got {}", n);
  for (std::int64_t n : o.batches)
    if (n < 1) usage_error("--batch must be at least 1; got {}", n);
  for (std::int64_t n : o.contexts)
    if (n < 0) usage_error("--context must not be negative; got {}", n);
  if (o.generated < 1) usage_error("--generate must be at least 1; got {}", o.generated);
  if (o.repeats < 1) usage_error("--repeats must be at least 1; got {}", o.repeats);
}

void check_options(const BenchOptions& o, const Driver& driver, double free_bytes) {
  for (std::int64_t prompt : o.prompts) check_fits(driver, 1, 0, prompt, free_bytes);
  for (std::int64_t context : o.contexts)
    for (std::int64_t batch : o.batches)
      check_fits(driver, batch, context, o.generated, free_bytes);
}

std::vector<Row> bench_model(Driver& driver, RoofProbe& roof, const BenchOptions& o,
                             Progress& progress) {
  const auto total = std::ssize(o.prompts) + std::ssize(o.batches) * std::ssize(o.contexts);
  std::vector<Row> rows;
  const auto add = [&](Row row) {
    rows.push_back(std::move(row));
    progress.update("tests", std::ssize(rows), total);
  };
  for (std::int64_t prompt : o.prompts)
    add(bench_prompt(driver, roof, prompt, o.repeats, progress));
  for (std::int64_t context : o.contexts)
    for (std::int64_t batch : o.batches)
      add(bench_decode(driver, roof, o, batch, context, progress));
  return rows;
}

std::span<const Scenario> scenarios() { return kScenarios; }

const Scenario& find_scenario(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Scenario& scenario : kScenarios) {
    if (scenario.name == name) return scenario;
    known.push_back(scenario.name);
  }
  usage_error("unknown scenario \"{}\"; known: {}", printable(name), join(known, ", "));
}

void check_scenario(const Scenario& s, const Driver& driver, double free_bytes) {
  check_fits(driver, 1, s.kept, 5 * (s.prompt + s.answer) / 4, free_bytes);
}

Row bench_scenario(Driver& driver, RoofProbe& roof, const Scenario& s, int requests,
                   Progress& progress) {
  Row row{.test = std::string(s.name), .context = s.kept + s.prompt};
  std::vector<double> first_ms, next_ms;
  Random random(1);
  int done = -1;  // the first request warms up
  alternate(
      roof, requests, progress,
      [&] {
        const std::int64_t prompt = about(s.prompt, random), answer = about(s.answer, random);
        Driver::Sequences sequences = driver.open(1, s.kept);
        const double first = driver.feed(sequences, prompt);
        Timed timed{.seconds = 0, .tokens = static_cast<double>(answer), .work = {}};
        std::vector<double> steps;
        for (std::int64_t t = 0; t < answer; ++t) steps.push_back(driver.feed(sequences, 1));
        for (double step : steps) timed.seconds += step;
        timed.work =
            driver.work(1, 1, s.kept + prompt + answer / 2).times(static_cast<double>(answer));
        if (done++ < 0) return timed;
        first_ms.push_back(1e3 * first);
        for (double step : steps) next_ms.push_back(1e3 * step);
        progress.update("requests", done, requests);
        return timed;
      },
      row);
  row.first_token = {percentile(first_ms, 0.5), percentile(first_ms, 0.95)};
  row.next_token = {percentile(next_ms, 0.5), percentile(next_ms, 0.95)};
  return row;
}

}  // namespace farthing::bench
