// farthing eval MODEL --text F [--reference MODEL]
#include <fmt/core.h>
#include <sys/resource.h>

#include <filesystem>

#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "evaluate/divergence.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  ModelOptions model;
  std::vector<std::string> texts;
  std::string convention = "all", bos = "auto", reference, reference_kv;
  std::int64_t context = 0, windows = 0;
};

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

// The activation modes that the model's linears run in, "int8" or "bf16+int8".
std::string modes_of(model::Model& model) {
  std::vector<std::string_view> names;
  const auto add = [&](const model::LinearGroup& group) {
    for (const auto& linear : group.parts()) {
      const auto name = activation_name(linear.activations().mode);
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  };
  const auto& block = model.blocks().block(0);
  add(block.qkv), add(block.o), add(block.mlp.gate_up), add(block.mlp.down);
  return join(names, "+");
}

Json text_json(const evaluate::EvalText& text, const evaluate::TextResult& r,
               const Runtime& runtime, const std::string& activations, kernels::KvType kv) {
  Json j{{"perplexity", r.perplexity},
         {"nll", r.nll},
         {"nll_stderr", r.nll_stderr},
         {"tokens", r.tokens},
         {"context", text.options.context},
         {"convention", evaluate::convention_name(text.options.convention)},
         {"windows", text.windows.size()},
         {"bos", text.has_bos},
         {"text_sha256", text.sha256},
         {"isa", isa_name(runtime.isas.best())},
         {"activations", activations},
         {"kv", kernels::kv_type_name(kv)}};
  if (r.against) {
    const auto& a = *r.against;
    j["kld"] = {{"mean", a.kld.mean},     {"stderr", a.kld.stderr_of_mean},
                {"median", a.kld.median}, {"p99", a.kld.p99},
                {"p999", a.kld.p999},     {"max", a.kld.max}};
    j["top1_agreement"] = a.top1_agreement;
    j["rms_delta_p"] = a.rms_delta_p;
    j["reference_perplexity"] = a.reference_perplexity;
    j["log_ratio_stderr"] = a.log_ratio_stderr;
  }
  j["seconds"] = r.seconds;
  return j;
}

void print_text(const Common& common, const evaluate::EvalText& text,
                const evaluate::TextResult& r) {
  print(common, fmt::format("{}: perplexity {:.4f} (nll {:.5f} +- {:.5f}, {} tokens in {} windows "
                            "of {}, convention {}, {:.1f} s)\n",
                            text.name, r.perplexity, r.nll, r.nll_stderr, r.tokens,
                            text.windows.size(), text.options.context,
                            evaluate::convention_name(text.options.convention), r.seconds));
  if (!r.against) return;
  const auto& a = *r.against;
  print(common,
        fmt::format("  against the reference (perplexity {:.4f}): KL {:.6f} +- {:.6f}, median "
                    "{:.6f}, 99 % {:.4f}, 99.9 % {:.4f}, "
                    "max {:.3f}; same top token {:.2f} %, RMS delta p {:.2f} %\n",
                    a.reference_perplexity, a.kld.mean, a.kld.stderr_of_mean, a.kld.median,
                    a.kld.p99, a.kld.p999, a.kld.max, 100 * a.top1_agreement, 100 * a.rms_delta_p));
}

void run(const Options& o) {
  evaluate::WindowOptions windows{
      .context = o.context, .windows = o.windows, .bos = evaluate::parse_bos(o.bos)};
  evaluate::apply_convention(o.convention, windows);
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  LoadedModel loaded = load_model(*runtime, o.model);
  const auto tokenizer = text::Tokenizer::load(*loaded.checkpoint);
  if (!tokenizer) bad_input("{}: has no tokenizer, so text cannot be evaluated", o.model.model);
  std::vector<evaluate::EvalText> texts;
  for (const std::string& path : o.texts) {
    texts.push_back(evaluate::cut_windows(std::filesystem::path(path).filename().string(),
                                          evaluate::read_eval_text(path), *tokenizer, windows));
    if (windows.context > loaded.model->config().max_positions)
      progress->note(fmt::format(
          "note: windows of {} tokens are longer than the {} that the model was made for",
          windows.context, loaded.model->config().max_positions));
  }
  std::int64_t weights_bytes = 0;
  for (const io::TensorInfo& tensor : loaded.checkpoint->tensors())
    weights_bytes += static_cast<std::int64_t>(tensor.bytes.size());
  Json result{{"schema", 1},
              {"texts", Json::object()},
              {"tasks", Json::object()},
              {"flips", Json::object()},
              {"weights_bytes", weights_bytes},
              {"resident_bytes", loaded.model->bytes()}};
  const std::string activations = modes_of(*loaded.model);

  LoadedModel reference;
  evaluate::Runner reference_runner;
  if (!o.reference.empty()) {
    // The reference runs as it is: only the model under test takes the options.
    reference = load_model(*runtime, {.model = o.reference,
                                      .activations = "",
                                      .kv = o.reference_kv,
                                      .dtype = "",
                                      .streamed = o.model.streamed});
    reference_runner = {reference.model.get(), reference.kv};
  }
  const evaluate::Runner runner{loaded.model.get(), loaded.kv};
  for (const evaluate::EvalText& text : texts) {
    const auto r = evaluate::evaluate_text(
        *runtime, runner, reference.model ? &reference_runner : nullptr, text, *progress);
    result["texts"][text.name] = text_json(text, r, *runtime, activations, loaded.kv);
    print_text(o.common, text, r);
  }
  result["peak_rss_bytes"] = peak_rss_bytes();
  print(o.common, fmt::format("weights {}, resident {}, peak memory {}\n",
                              human_bytes(static_cast<std::uint64_t>(weights_bytes)),
                              human_bytes(loaded.model->bytes()),
                              human_bytes(static_cast<std::uint64_t>(peak_rss_bytes()))));
  write_json(o.common, result);
}

}  // namespace

void add_eval(CLI::App& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.add_option("--text", o->texts,
                  "Text file or JSON lines ({\"text\": ...}); may be given several times")
      ->required();
  verb.add_option("--reference", o->reference,
                  "Model to compare with: adds KL divergence, top-1 agreement and RMS delta p");
  verb.add_option("--reference-kv", o->reference_kv, "Key-value cache of the reference");
  verb.add_option("--context", o->context, "Tokens a window (default 512; 2048 for gptq)")
      ->check(CLI::PositiveNumber);
  verb.add_option("--convention", o->convention,
                  "Positions scored: all, second-half; or gptq, llama.cpp")
      ->capture_default_str();
  verb.add_option("--windows", o->windows, "At most so many windows a text (default: all)")
      ->check(CLI::PositiveNumber);
  verb.add_option("--bos", o->bos, "Beginning-of-text token: auto, yes or no")
      ->capture_default_str();
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
