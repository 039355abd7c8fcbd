// farthing convert MODEL OUT: the same model as files of another kind.
#include <fmt/core.h>

#include <csignal>
#include <map>

#include "cli/common.h"
#include "cli/verbs.h"
#include "convert/bitmaps.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string model, out, to, type, importance, name;
  bool force = false;
};

// One line for each pair of schemes.
std::string table(const convert::ConvertReport& report, const std::string& out) {
  struct Row {
    int matrices = 0, exact = 0;
    double worst = 0;
  };
  std::map<std::string, Row> rows;
  for (const convert::TensorReport& tensor : report.tensors) {
    Row& row = rows[fmt::format("{} -> {}", tensor.from, tensor.to)];
    ++row.matrices;
    row.exact += tensor.exact ? 1 : 0;
    row.worst = std::max(row.worst, tensor.error);
  }
  constexpr std::string_view kLine = "{:<26} {:>8} {:>8} {:>22}\n";
  std::string text = fmt::format(kLine, "scheme", "matrices", "exact", "worst relative error");
  for (const auto& [name, row] : rows)
    text += fmt::format(kLine, name, row.matrices, row.exact,
                        row.worst > 0 ? fmt::format("{:.3e}", row.worst) : "0");
  return text + fmt::format("{}: {} (from {}), {}, {:.1f} s\n", out,
                            human_bytes(report.bytes_after), human_bytes(report.bytes_before),
                            report.exact() ? "every weight is the same number"
                                           : "not all weights are the same numbers",
                            report.seconds);
}

Json to_json(const convert::ConvertReport& report, const Options& o) {
  Json tensors = Json::array();
  for (const convert::TensorReport& tensor : report.tensors)
    tensors.push_back({{"name", tensor.base},
                       {"target", tensor.name},
                       {"from", tensor.from},
                       {"to", tensor.to},
                       {"exact", tensor.exact},
                       {"error", tensor.error}});
  return {{"schema", 1},
          {"model", o.model},
          {"out", o.out},
          {"target", report.target},
          {"exact", report.exact()},
          {"bytes_before", report.bytes_before},
          {"bytes_after", report.bytes_after},
          {"notes", report.notes},
          {"seconds", report.seconds},
          {"tensors", std::move(tensors)}};
}

void run(const Options& o) {
  const bool gguf = o.out.ends_with(".gguf");
  if (!gguf && o.to.empty())
    usage_error(
        "OUT must end in .gguf, or --to say what the directory shall be (gptq, awq, "
        "compressed-tensors, bitmaps, dense); got {}",
        printable(o.out, 400));
  if (gguf && !o.to.empty())
    usage_error("--to {} writes a directory, and OUT ends in .gguf", printable(o.to));
  if (!gguf && (!o.importance.empty() || !o.name.empty()))
    usage_error("{} is for GGUF files", o.name.empty() ? "--importance" : "--name");
  if ((o.to == "bitmaps" || o.to == "dense") && !o.type.empty())
    usage_error("--to {} keeps every number, and --type would round", o.to);
  if (!o.importance.empty() && o.type.empty())
    usage_error("--importance is for rounding, and without --type nothing is rounded");
  signal(SIGXFSZ, SIG_IGN);  // a file size limit then is an error of the write, with a sentence
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto checkpoint = io::Checkpoint::open(o.model);
  const convert::ConvertOptions options{
      .type = o.type, .importance = o.importance, .name = o.name, .replace = o.force};
  const auto make = [&] {
    if (gguf) return convert::to_gguf(*runtime, *checkpoint, o.out, options, *progress);
    if (o.to == "bitmaps")
      return convert::to_bitmaps(*runtime, *checkpoint, o.out, options, *progress);
    if (o.to == "dense") return convert::to_dense(*runtime, *checkpoint, o.out, options, *progress);
    return convert::to_foreign(*runtime, *checkpoint, o.out, o.to, options, *progress);
  };
  const convert::ConvertReport report = make();
  for (const std::string& note : report.notes) progress->note(note);
  print(o.common, table(report, o.out));
  write_json(o.common, to_json(report, o));
}

}  // namespace

void add_convert(VerbOptions& verb) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  verb.add_option("MODEL", o.model,
                  "Hugging Face directory, artefact, .gguf file, or org/name in the local cache")
      ->required();
  verb.add_option("OUT", o.out,
                  "The file to write, its name ending in .gguf, or the directory of --to")
      ->required();
  verb.add_option("--to", o.to,
                  "Write a directory for other tools: gptq (version 2), awq (gemm) or "
                  "compressed-tensors; grids are kept where the target can hold them. Or the same "
                  "files with the zeros of pruned matrices left out (bitmaps), and back (dense)");
  verb.add_option(
      "--type", o.type,
      "Round all matrices to this type: f32, f16, bf16, q8_0, q4_0, q4_k, ... (default: "
      "each keeps its numbers, in the smallest type that holds them). With --to: a scheme such as "
      "w4g128, for the linears of blocks whose grid the target cannot hold");
  verb.add_option("--importance", o.importance,
                  "An imatrix file of llama.cpp (GGUF): how much each input counts in rounding");
  verb.add_option("--name", o.name, "The model's name in the file (default: the directory's)");
  verb.add_flag("--force", o.force, "Replace OUT");
  add_common(verb, o.common);
  verb.callback([options] { run(*options); });
}

}  // namespace farthing::cli
