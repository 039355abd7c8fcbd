// farthing bench MODEL | --shape NAME --scheme S: tokens/s, and share of what the machine can do.
#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>

#include "bench/machine.h"
#include "bench/model_bench.h"
#include "bench/random_checkpoint.h"
#include "bench/results.h"
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
  bool machine = false;
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

Json row_json(const bench::BenchRow& r, const std::string& scheme, const kernels::Linear& linear,
              kernels::KvType kv, const Runtime& runtime) {
  return {{"test", r.test},
          {"scheme", scheme},
          {"activations", activation_name(linear.activations().mode)},
          {"kv", kernels::kv_type_name(kv)},
          {"kernel", linear.kernel()},
          {"isa", isa_name(runtime.isas.best())},
          {"batch", r.batch},
          {"context", r.context},
          {"tokens_per_s",
           {{"median", r.tokens_per_s.median},
            {"min", r.tokens_per_s.min},
            {"max", r.tokens_per_s.max}}},
          {"gb_s", r.gb_s},
          {"gop_s", r.gop_s},
          {"bound", r.bound},
          {"share_of_roof", r.share_of_roof}};
}

LoadedModel load(Runtime& runtime, const Options& o) {
  if (o.model.model.empty() == o.shape.empty())
    usage_error("give either MODEL or --shape NAME (or --machine alone)");
  if (o.shape.empty()) return load_model(runtime, o.model);
  QuantScheme scheme = parse_scheme(o.scheme);
  const model::LoadOptions options = load_options(o.model);
  scheme.activations =
      resolve_activations(scheme.weights, options.activations ? &*options.activations : nullptr);
  LoadedModel loaded;
  loaded.checkpoint = bench::random_checkpoint(runtime, o.shape, scheme, parse_scheme(o.head));
  loaded.kv = o.model.kv.empty() ? kernels::KvType::kF16 : kernels::parse_kv_type(o.model.kv);
  loaded.model = model::Model::load(runtime, *loaded.checkpoint, options);
  return loaded;
}

void bench_machine(const Options& o, Runtime& runtime, Progress& progress) {
  const bench::Survey survey = bench::survey_machine(runtime, progress);
  print(o.common, bench::machine_line(runtime, survey.roofs) + bench::survey_text(survey));
  write_json(
      o.common,
      {{"schema", 1}, {"machine", bench::survey_json(runtime, survey)}, {"rows", Json::array()}});
}

void run(const Options& o) {
  for (const auto& list : {o.bench.prompts, o.bench.batches})
    for (std::int64_t n : list)
      if (n < 1) usage_error("prompt and batch sizes must be at least 1; got {}", n);
  if (o.bench.generated < 1 || o.bench.repeats < 1)
    usage_error("--generate and --repeats must be at least 1");
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  if (o.machine && o.model.model.empty() && o.shape.empty())
    return bench_machine(o, *runtime, *progress);
  const auto start = std::chrono::steady_clock::now();
  LoadedModel loaded = load(*runtime, o);
  const double load_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bench::Roofs roofs = bench::measure_roofs(*runtime);
  print(o.common, bench::machine_line(*runtime, roofs));
  Json result{
      {"schema", 1}, {"machine", bench::machine_json(*runtime, roofs)}, {"rows", Json::array()}};
  result["load_s"] = load_s;
  const std::string scheme = scheme_of(loaded.model->tensors());
  const kernels::Linear& linear = loaded.model->blocks().block(0).o.parts()[0];
  const auto rows =
      bench::bench_model(*runtime, *loaded.model, loaded.kv, roofs, o.bench, *progress);
  print(o.common,
        fmt::format("{:<12} {:>5} {:<14} {:<6} {:>10} {:>20} {:>8} {:>8}  {}\n", "test", "batch",
                    "scheme", "act", "tokens/s", "min .. max", "GB/s", "GOP/s", "of roof"));
  for (const bench::BenchRow& r : rows) {
    print(o.common,
          fmt::format(
              "{:<12} {:>5} {:<14} {:<6} {:>10.1f} {:>20} {:>8.1f} {:>8.0f}  {:.0f} % of {}\n",
              r.test, r.batch, scheme, activation_name(linear.activations().mode),
              r.tokens_per_s.median,
              fmt::format("{:.1f} .. {:.1f}", r.tokens_per_s.min, r.tokens_per_s.max), r.gb_s,
              r.gop_s, 100 * r.share_of_roof, r.bound));
    result["rows"].push_back(row_json(r, scheme, linear, loaded.kv, *runtime));
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  result["resident_bytes"] = loaded.model->bytes();
  result["peak_rss_bytes"] = std::int64_t{usage.ru_maxrss} * 1024;
  print(o.common, fmt::format("kernel {}; loaded in {:.2f} s; resident weights {}\n",
                              linear.kernel(), load_s, human_bytes(loaded.model->bytes())));
  write_json(o.common, result);
}

}  // namespace

void add_bench(CLI::App& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.get_option("MODEL")->required(false);
  verb.add_flag("--machine", o->machine, "Only the machine's roofs");
  verb.add_option(
      "--shape", o->shape,
      "Random weights of a known shape: tinyllama-1.1b, llama-3.2-1b, llama-2-7b, smollm2-135m");
  verb.add_option("--scheme", o->scheme, "Scheme of the random weights")->capture_default_str();
  verb.add_option("--head", o->head, "Scheme of the random embedding and head")
      ->capture_default_str();
  verb.add_option("--prompt", o->bench.prompts, "Prompt lengths")
      ->delimiter(',')
      ->capture_default_str();
  verb.add_option("--generate", o->bench.generated, "Tokens to decode")->capture_default_str();
  verb.add_option("--batch", o->bench.batches, "Sequences decoded at once")
      ->delimiter(',')
      ->capture_default_str();
  verb.add_option("--context", o->bench.contexts, "Tokens in the cache before decoding")
      ->delimiter(',')
      ->capture_default_str();
  verb.add_option("--repeats", o->bench.repeats, "Repeats of each test")->capture_default_str();
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
