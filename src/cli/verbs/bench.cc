// farthing bench MODEL | --shape NAME | --machine | --kernels | --compare A B: tokens/s, and share
// of what the machine can do.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "bench/compare.h"
#include "bench/kernel_bench.h"
#include "bench/machine.h"
#include "bench/model_bench.h"
#include "bench/random_checkpoint.h"
#include "bench/results.h"
#include "bench/sparse_bench.h"
#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/quant_scheme.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  ModelOptions model;
  std::string shape, scheme = "w4g64", head = "bf16";
  bench::BenchOptions bench;
  bool prompt_given = false, generate_given = false;
  std::vector<std::string> scenarios, compare, only;
  bool machine = false, kernels = false, sparse = false;
};

// "w4g64" or "2 x bf16 + 5 x w4g64" of the first block.
std::string scheme_of(const model::TensorMap& map) {
  std::vector<std::pair<std::string, int>> counts;
  for (const model::TensorUnit& unit : map.linears_of(0)) {
    const std::string name = scheme_name(map.load(unit).scheme);
    const auto it = std::ranges::find(counts, name, &std::pair<std::string, int>::first);
    if (it == counts.end())
      counts.emplace_back(name, 1);
    else
      ++it->second;
  }
  if (counts.size() == 1) return counts[0].first;
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} x {}", text.empty() ? "" : " + ", count, name);
  return text;
}

// Error: out of resources, when the weights alone cannot fit: before any is read.
void check_weights(double bytes, std::string_view what) {
  const auto memory = static_cast<double>(machine_limits().memory_bytes);
  if (bytes > memory)
    out_of_resources(
        "{} has {:.1f} GB of weights, and this process may use {:.1f} GB; choose a smaller model, "
        "a "
        "scheme of fewer bits, or --stream",
        printable(what), bytes / 1e9, memory / 1e9);
}

double stored_bytes(const io::Checkpoint& checkpoint) {
  double bytes = 0;
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    bytes += static_cast<double>(tensor.bytes.size());
  return bytes;
}

LoadedModel load_shape(Runtime& runtime, const Options& o) {
  QuantScheme scheme = parse_scheme(o.scheme);
  const model::LoadOptions options = load_options(o.model);
  scheme.activations =
      resolve_activations(scheme.weights, options.activations ? &*options.activations : nullptr);
  const QuantScheme head = parse_scheme(o.head);
  LoadedModel loaded;
  loaded.kv = o.model.kv.empty() ? kernels::KvType::kF16 : kernels::parse_kv_type(o.model.kv);
  loaded.checkpoint = bench::random_checkpoint(runtime, o.shape, scheme, head);
  if (!o.model.streamed)
    check_weights(bench::random_checkpoint_bytes(o.shape, scheme, head), o.shape);
  loaded.model = model::Model::load(runtime, *loaded.checkpoint, options, o.model.streamed);
  return loaded;
}

LoadedModel load(Runtime& runtime, const Options& o) {
  if (!o.shape.empty()) return load_shape(runtime, o);
  const auto checkpoint = io::Checkpoint::open(o.model.model);
  if (!o.model.streamed) check_weights(stored_bytes(*checkpoint), o.model.model);
  return load_model(runtime, o.model);
}

// The most memory that this process has held, and forgetting it, where the system can.
std::int64_t peak_memory() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  return 0;
}
void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

Json result_json(const Runtime& runtime, const bench::Roofs& roofs,
                 std::span<const bench::Row> rows) {
  Json json{
      {"schema", 1}, {"machine", bench::machine_json(runtime, roofs)}, {"rows", Json::array()}};
  for (const bench::Row& row : rows) json["rows"].push_back(bench::row_json(row));
  return json;
}

void run_machine(const Options& o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const bench::Survey survey = bench::survey_machine(*runtime, *progress);
  print(o.common, bench::machine_line(*runtime, survey.roofs) + bench::survey_text(survey));
  write_json(
      o.common,
      {{"schema", 1}, {"machine", bench::survey_json(*runtime, survey)}, {"rows", Json::array()}});
}

void run_kernels(const Options& o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const bench::Roofs roofs = bench::RoofProbe(*runtime).best();
  print(o.common, bench::machine_line(*runtime, roofs));
  const auto rows = bench::bench_kernels(*runtime, o.bench.repeats, o.only, *progress);
  print(o.common, bench::rows_text(rows));
  write_json(o.common, result_json(*runtime, roofs, rows));
}

void run_sparse(const Options& o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const bench::Roofs roofs = bench::RoofProbe(*runtime).best();
  print(o.common, bench::machine_line(*runtime, roofs));
  const auto rows = bench::bench_sparse(*runtime, o.bench.repeats, *progress);
  print(o.common, bench::sparse_text(rows));
  Json json = result_json(*runtime, roofs, {});
  json["sparse"] = bench::sparse_json(rows);
  write_json(o.common, json);
}

void run_compare(const Options& o) {
  const Json a = read_json_file(o.compare[0]), b = read_json_file(o.compare[1]);
  const bench::Comparison comparison =
      bench::compare_results(a, b, printable(o.compare[0]), printable(o.compare[1]));
  print(o.common, bench::comparison_text(comparison));
  write_json(o.common, bench::comparison_json(comparison));
}

std::vector<bench::Row> bench_loaded(const Options& o, bench::Driver& driver,
                                     bench::RoofProbe& roof, Progress& progress) {
  if (o.scenarios.empty()) return bench::bench_model(driver, roof, o.bench, progress);
  std::vector<bench::Row> rows;
  for (const std::string& name : o.scenarios)
    rows.push_back(
        bench::bench_scenario(driver, roof, bench::find_scenario(name), o.bench.repeats, progress));
  return rows;
}

void check_tests(const Options& o, const bench::Driver& driver, double weights) {
  const double left = static_cast<double>(machine_limits().memory_bytes) - weights -
                      static_cast<double>(bench::probe_bytes());
  if (o.scenarios.empty()) bench::check_options(o.bench, driver, left);
  for (const std::string& name : o.scenarios)
    bench::check_scenario(bench::find_scenario(name), driver, left);
}

// Sizes that nobody asked for are no reason to refuse a model of a short context.
void fit_defaults(Options& o, std::int64_t context) {
  if (!o.prompt_given) o.bench.prompts = {std::min(o.bench.prompts[0], context)};
  if (!o.generate_given) o.bench.generated = std::min(o.bench.generated, context);
}

void run_model(Options o) {
  if (o.model.model.empty() == o.shape.empty())
    usage_error("give either MODEL or --shape NAME (or --machine, --kernels or --compare)");
  for (const std::string& name : o.scenarios) bench::find_scenario(name);  // before loading
  bench::check_sizes(o.bench);
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto start = std::chrono::steady_clock::now();
  LoadedModel loaded = load(*runtime, o);
  const double load_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::int64_t load_peak = peak_memory();
  bench::Driver driver(*runtime, *loaded.model, loaded.kv);
  fit_defaults(o, driver.max_positions());
  check_tests(o, driver, static_cast<double>(loaded.model->bytes()));
  bench::RoofProbe roof(*runtime);
  forget_peak_memory();  // of finding the roof
  print(o.common, bench::machine_line(*runtime, roof.best()));
  auto rows = bench_loaded(o, driver, roof, *progress);
  const kernels::Linear& linear = loaded.model->blocks().block(0).o.parts()[0];
  const std::string scheme = scheme_of(loaded.model->tensors());
  for (bench::Row& row : rows) {
    row.scheme = scheme;
    row.activations = activation_name(linear.activations().mode);
    row.kv = kernels::kv_type_name(loaded.kv);
    row.kernel = linear.kernel();
    row.isa = isa_name(runtime->isas.best());
  }
  const std::int64_t peak =
      std::max(load_peak, peak_memory() - static_cast<std::int64_t>(roof.bytes()));
  print(o.common, bench::rows_text(rows));
  print(o.common,
        fmt::format("kernel {}; loaded in {:.2f} s; resident weights {}; at most {} in memory\n",
                    linear.kernel(), load_s, human_bytes(loaded.model->bytes()),
                    human_bytes(static_cast<std::uint64_t>(peak))));
  Json result = result_json(*runtime, roof.best(), rows);
  result["load_s"] = load_s;
  result["resident_bytes"] = loaded.model->bytes();
  result["peak_rss_bytes"] = peak;
  write_json(o.common, result);
}

void run(const Options& o) {
  const bool model = !o.model.model.empty() || !o.shape.empty();
  if (o.machine + o.kernels + o.sparse + !o.compare.empty() + model > 1)
    usage_error(
        "MODEL or --shape, --machine, --kernels, --sparse and --compare are benches of their own; "
        "give one");
  if (!o.only.empty() && !o.kernels)
    usage_error("--only chooses among the kernels of --kernels; give that too");
  if (!o.compare.empty()) return run_compare(o);
  if (o.machine) return run_machine(o);
  if (!o.kernels && !o.sparse) return run_model(o);
  bench::check_sizes(o.bench);
  if (o.sparse) return run_sparse(o);
  run_kernels(o);
}

}  // namespace

void add_bench(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.get_option("MODEL")->required(false);
  verb.add_flag("--machine", o->machine, "Only the machine: reads by threads, peaks by method");
  verb.add_flag("--kernels", o->kernels, "Every kernel by itself");
  verb.add_option("--only", o->only,
                  "Kernels that have all of these: linear, \"linear 512\", attention, w4g64, int8, "
                  "avx2, ...")
      ->delimiter(',');
  verb.add_flag("--sparse", o->sparse,
                "Weights with zeros squeezed out: from which density on they pay here");
  verb.add_option("--compare", o->compare, "Two files of --json: is the second really faster?")
      ->expected(2);
  verb.add_option("--scenario", o->scenarios,
                  "Requests as people send them, with times per token: chat, rag, summarise, code")
      ->delimiter(',');
  verb.add_option(
      "--shape", o->shape,
      "Random weights of a known shape: tinyllama-1.1b, llama-3.2-1b, llama-2-7b, smollm2-135m");
  verb.add_option("--scheme", o->scheme, "Scheme of the random weights")->show_default();
  verb.add_option("--head", o->head, "Scheme of the random embedding and head")->show_default();
  const Option prompt = verb.add_option("--prompt", o->bench.prompts,
                                        "Prompt lengths (default: 512, or the context)")
                            ->delimiter(',');
  const Option generate = verb.add_option("--generate", o->bench.generated,
                                          "Tokens to decode (default: 128, or the context)");
  verb.add_option("--batch", o->bench.batches, "Sequences decoded at once")
      ->delimiter(',')
      ->show_default();
  verb.add_option("--context", o->bench.contexts, "Tokens in the cache before decoding")
      ->delimiter(',')
      ->show_default();
  verb.add_option("--repeats", o->bench.repeats,
                  "Repeats of each test, or requests of each scenario")
      ->show_default();
  add_common(verb, o->common);
  verb.callback([o, prompt, generate] {
    o->prompt_given = prompt.given();
    o->generate_given = generate.given();
    run(*o);
  });
}

}  // namespace farthing::cli
