#include "cli/sweep.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/text.h"
#include "evaluate/divergence.h"
#include "io/artefact_writer.h"
#include "io/durable_file.h"
#include "text/tokenizer.h"

namespace farthing::cli {
namespace {

namespace fs = std::filesystem;

struct Row {
  const compress::SweepPoint* point = nullptr;
  compress::CompressReport report;
  evaluate::TextResult result;
  double kld() const { return result.against->kld.mean; }
  // No other row is both smaller and nearer to the model.
  bool is_beaten_by(const Row& other) const {
    const auto bytes = report.bytes_after, theirs = other.report.bytes_after;
    return other.kld() <= kld() && theirs <= bytes && (other.kld() < kld() || theirs < bytes);
  }
};

// A directory for the artefacts on their way, beside OUT so that the best is only renamed.
class Workplace {
 public:
  explicit Workplace(const std::string& out)
      : path_(
            out.empty()
                ? (fs::temp_directory_path() / fmt::format("farthing-sweep-{}", getpid())).string()
                : out + ".sweep") {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    fs::create_directories(path_, ignored);
    if (!fs::is_directory(path_))
      bad_input(
          "{}: cannot be made, and a sweep keeps its artefacts there; give an OUT on a disk "
          "with room",
          printable(path_, 400));
  }
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  std::string place(std::size_t number) const { return fmt::format("{}/{}", path_, number); }
  void drop(std::size_t number) const {
    std::error_code ignored;
    fs::remove_all(place(number), ignored);
  }

 private:
  std::string path_;
};

evaluate::EvalText eval_text(const io::Checkpoint& checkpoint, const SweepRequest& request) {
  const auto tokenizer = text::Tokenizer::load(checkpoint);
  if (!tokenizer)
    bad_input("{}: has no tokenizer, so text cannot be evaluated",
              printable(checkpoint.path(), 400));
  evaluate::WindowOptions windows{.context = request.context, .windows = request.windows};
  evaluate::apply_convention(request.convention, windows);
  return evaluate::cut_windows(fs::path(request.text).filename().string(),
                               evaluate::read_eval_text(request.text), *tokenizer, windows);
}

std::string table(const std::vector<Row>& rows, std::size_t best) {
  std::size_t width = 13;
  for (const Row& row : rows) width = std::max(width, row.point->name().size());
  const auto line = [&](const auto&... cells) {
    return fmt::format("{:<{}} {:>10} {:>11} {:>20} {:>8} {:>11} {:>8} {}\n",
                       std::get<0>(std::tie(cells...)), width, std::get<1>(std::tie(cells...)),
                       std::get<2>(std::tie(cells...)), std::get<3>(std::tie(cells...)),
                       std::get<4>(std::tie(cells...)), std::get<5>(std::tie(cells...)),
                       std::get<6>(std::tie(cells...)), std::get<7>(std::tie(cells...)));
  };
  std::string text =
      line("configuration", "size", "bits/weight", "KL", "top-1 %", "perplexity", "seconds", "");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const auto& against = *row.result.against;
    const bool beaten =
        std::ranges::any_of(rows, [&](const Row& o) { return row.is_beaten_by(o); });
    text += line(row.point->name(), human_bytes(row.report.bytes_after),
                 fmt::format("{:.3f}", row.report.bits_per_weight),
                 fmt::format("{:.6f} +- {:.6f}", against.kld.mean, against.kld.stderr_of_mean),
                 fmt::format("{:.2f}", 100 * against.top1_agreement),
                 fmt::format("{:.4f}", row.result.perplexity),
                 fmt::format("{:.1f}", row.report.seconds),
                 i == best ? "best"
                 : beaten  ? ""
                           : "smaller");
  }
  return text;
}

Json to_json(const Row& row) {
  const auto& against = *row.result.against;
  Json settings = Json::object();
  for (const auto& [axis, value] : row.point->settings) settings[axis] = value;
  return {{"settings", std::move(settings)},
          {"recipe", row.report.recipe},
          {"bytes", row.report.bytes_after},
          {"bits_per_weight", row.report.bits_per_weight},
          {"kld", {{"mean", against.kld.mean}, {"stderr", against.kld.stderr_of_mean}}},
          {"top1_agreement", against.top1_agreement},
          {"perplexity", row.result.perplexity},
          {"seconds", row.report.seconds}};
}

Json sweep_json(const SweepRequest& request, const evaluate::EvalText& text,
                const std::vector<Row>& rows, std::size_t best) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(to_json(row));
  return {{"schema", 1},
          {"model", request.model},
          {"out", request.out.empty() ? Json() : Json(request.out)},
          {"text",
           {{"name", text.name},
            {"sha256", text.sha256},
            {"context", text.options.context},
            {"convention", evaluate::convention_name(text.options.convention)},
            {"windows", text.windows.size()}}},
          {"reference_perplexity", rows.front().result.against->reference_perplexity},
          {"rows", std::move(list)},
          {"best", best}};
}

}  // namespace

void run_sweep(Runtime& runtime, const Common& common, const io::Checkpoint& checkpoint,
               const std::vector<compress::SweepPoint>& points, const SweepRequest& request,
               Progress& progress) {
  if (!request.out.empty()) {
    compress::check_places(checkpoint.path(), request.out);
    io::check_artefact_place(request.out, request.options.replace);
  }
  const evaluate::EvalText text = eval_text(checkpoint, request);
  const LoadedModel reference = load_model(
      runtime,
      {.model = request.model, .activations = "", .kv = "", .dtype = "", .streamed = false});
  const evaluate::Runner reference_runner{reference.model.get(), reference.kv};
  const Workplace work(request.out);
  std::vector<Row> rows;
  std::size_t best = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    progress.note(fmt::format("{} of {}: {}", i + 1, points.size(), points[i].name()));
    Row& row = rows.emplace_back();
    row.point = &points[i];
    row.report = compress::compress(runtime, checkpoint, work.place(i), points[i].recipe,
                                    request.options, progress);
    const LoadedModel made = load_model(
        runtime,
        {.model = work.place(i), .activations = "", .kv = "", .dtype = "", .streamed = false});
    row.result = evaluate::evaluate_text(runtime, {made.model.get(), made.kv}, &reference_runner,
                                         text, progress);
    if (i == 0) continue;
    const bool better = row.kld() < rows[best].kld();
    work.drop(better ? best : i);
    if (better) best = i;
  }
  print(common, table(rows, best));
  if (!request.out.empty()) {
    const bool replaces = fs::exists(request.out) && !fs::is_empty(request.out);
    (replaces ? io::swap_durably : io::rename_durably)(work.place(best), request.out);
    print(common, fmt::format("{}: the best, {}\n", request.out, points[best].name()));
  }
  write_json(common, sweep_json(request, text, rows, best));
}

}  // namespace farthing::cli
