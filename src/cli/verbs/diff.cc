// farthing diff A B: two artefacts layer by layer.
#include "tune/diff.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/common.h"
#include "cli/verbs.h"
#include "core/text.h"
#include "io/artefact.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string a, b;
};

std::string words(const tune::DiffSide& side) {
  return side.scheme + (side.activations.empty() ? "" : " x " + side.activations);
}

std::string table(const tune::Diff& diff, const Options& o) {
  std::size_t width = 6;
  for (const tune::DiffLayer& layer : diff.layers)
    if (!layer.same_scheme() || layer.distance > 0) width = std::max(width, layer.name.size());
  std::string text;
  std::size_t same = 0;
  for (const tune::DiffLayer& layer : diff.layers) {
    if (layer.same_scheme() && layer.distance == 0) {
      ++same;
      continue;
    }
    text += fmt::format("{:<{}}  {:<16} {:<16} {:>10} {:>10}  {:.3e}\n",
                        printable(layer.name, width), width, words(layer.a), words(layer.b),
                        human_bytes(layer.a.bytes), human_bytes(layer.b.bytes), layer.distance);
  }
  if (!text.empty())
    text = fmt::format("{:<{}}  {:<16} {:<16} {:>10} {:>10}  {}\n", "matrix", width, "A", "B",
                       "bytes A", "bytes B", "|A-B|^2/|A|^2") +
           text;
  text += fmt::format("{} of {} matrices are the same; {} norms and biases differ\n", same,
                      diff.layers.size(), diff.changed_vectors.size());
  return text + fmt::format("{}: {}\n{}: {}\n", printable(o.a, 400), human_bytes(diff.bytes_a),
                            printable(o.b, 400), human_bytes(diff.bytes_b));
}

Json side_json(const tune::DiffSide& side) {
  Json json = {{"scheme", side.scheme},
               {"activations", side.activations.empty() ? Json() : Json(side.activations)},
               {"bytes", side.bytes}};
  if (side.error) json["error"] = *side.error;
  return json;
}

// What an artefact says of itself; nothing of other models.
Json artefact_json(const io::Checkpoint& checkpoint, std::uint64_t bytes) {
  Json json = {{"bytes", bytes}};
  const auto text = checkpoint.text_file(io::kArtefactFile);
  if (!text) return json;
  const io::Artefact artefact = io::parse_artefact(*text, io::kArtefactFile);
  json["source_sha256"] = artefact.source_sha256;
  json["recipe"] = artefact.recipe;
  json["kv"] = artefact.kv;
  json["contract"] = artefact.contract ? *artefact.contract : Json();
  return json;
}

void run(const Options& o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  const auto a = io::Checkpoint::open(o.a), b = io::Checkpoint::open(o.b);
  const tune::Diff diff = tune::compare_models(*runtime, *a, *b, *progress);
  print(o.common, table(diff, o));
  Json layers = Json::array();
  for (const tune::DiffLayer& layer : diff.layers)
    layers.push_back({{"name", layer.name},
                      {"a", side_json(layer.a)},
                      {"b", side_json(layer.b)},
                      {"distance", layer.distance}});
  write_json(o.common, {{"schema", 1},
                        {"a", o.a},
                        {"b", o.b},
                        {"artefact_a", artefact_json(*a, diff.bytes_a)},
                        {"artefact_b", artefact_json(*b, diff.bytes_b)},
                        {"changed_vectors", diff.changed_vectors},
                        {"layers", std::move(layers)}});
}

}  // namespace

void add_diff(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("A", o->a, "An artefact, or any model")->required();
  verb.add_option("B", o->b, "Another one of the same architecture")->required();
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
