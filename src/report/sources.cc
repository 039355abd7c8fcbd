#include <filesystem>

#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/mapped_file.h"
#include "report/facts.h"
#include "report/lookup.h"

namespace farthing::report {
namespace {

constexpr std::uint64_t kFileBytes = std::uint64_t{256} << 20;

// A kind of result: told by its keys, kept in a member, and the name that it has beside a model.
struct Kind {
  std::string_view name, file, keys;
  Json Report::* member;
};
constexpr Kind kKinds[] = {
    {"artefact", "farthing.json", "source_sha256 recipe layers tool_version", &Report::artefact},
    {"tune", "farthing.tune.json", "walk pareto layers", &Report::tune},
    {"sensitivity", "farthing.sensitivity.json", "units", &Report::sensitivity},
    {"eval", "farthing.eval.json", "texts", &Report::eval},
    {"bench", "farthing.bench.json", "machine rows", &Report::bench},
    {"calibrate", "farthing.calibrate.json", "verdict findings", &Report::calibrate},
    {"verify", "farthing.verify.json", "checks holds measured", &Report::verify},
    {"training", "farthing.training.json", "teacher_sha256 student_sha256 steps",
     &Report::training},
    {"distill", "farthing.distill.json", "trained first last before after", &Report::distill},
};

const Kind* kind_of_result(const Json& json) {
  for (const Kind& kind : kKinds) {
    bool all = json.is_object();
    for (const std::string& key : split(kind.keys, ' ')) all = all && json.contains(key);
    if (all) return &kind;
  }
  return nullptr;
}

void add_file(Report& report, const std::string& path, const Kind* expected) {
  const std::string content = io::read_text_file(path, kFileBytes);
  Json json = parse_json(content, printable(path, 400));
  const Kind* kind = kind_of_result(json);
  if (kind == nullptr || (expected != nullptr && kind != expected))
    bad_input("{}: is not a result that `farthing {}` wrote with --json", printable(path, 400),
              expected != nullptr ? expected->name
                                  : "eval, bench, calibrate, distill, sensitivity, tune or verify");
  std::erase_if(report.files, [&](const SourceFile& f) { return f.kind == kind->name; });
  report.files.push_back({std::filesystem::path(path).filename().string(), std::string(kind->name),
                          sha256_hex(content)});
  report.*(kind->member) = std::move(json);
}

}  // namespace

Report read_report(const std::string& directory, const std::vector<std::string>& more) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(directory))
    bad_input("{}: is not a directory; report needs the folder of a model",
              printable(directory, 400));
  Report report;
  report.name = fs::weakly_canonical(directory).filename().string();
  for (const Kind& kind : kKinds) {
    const std::string path = directory + "/" + std::string(kind.file);
    if (io::file_exists(path)) add_file(report, path, &kind);
  }
  for (const std::string& path : more) add_file(report, path, nullptr);
  if (const Json& after = map(report.distill, {"after"}); report.eval.is_null() && !after.empty())
    report.eval = {{"texts", after}};  // distill measures as eval does
  try {
    report.facts = read_facts(directory, report.artefact);
    add_sensitivities(*report.facts, report.tune, report.sensitivity);
  } catch (const Error& error) {
    if (report.files.empty()) throw;
    report.notes.push_back(std::string("The weights could not be read: ") + error.what());
  }
  return report;
}

}  // namespace farthing::report
