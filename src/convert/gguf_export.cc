#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <map>

#include "convert/convert.h"
#include "convert/gguf_artefact.h"
#include "convert/gguf_types.h"
#include "convert/gguf_weights.h"
#include "core/error.h"
#include "core/text.h"
#include "io/durable_file.h"
#include "io/gguf.h"
#include "io/gguf_writer.h"
#include "model/config_words.h"
#include "text/gguf_vocabulary_write.h"

namespace farthing::convert {
namespace {

namespace fs = std::filesystem;

// The tensors as readers of the file will find them, for gguf_config().
std::vector<io::TensorInfo> as_infos(const std::vector<GgufItem>& items) {
  std::vector<io::TensorInfo> infos;
  for (const GgufItem& item : items)
    infos.push_back({.name = item.name,
                     .dtype = item.is_matrix() ? "" : "F32",
                     .shape = item.stored,
                     .bytes = std::as_bytes(std::span(item.numbers))});
  return infos;
}

std::vector<float> factors_of(const std::vector<GgufItem>& items) {
  for (const GgufItem& item : items)
    if (item.name == "rope_freqs.weight") return item.numbers;
  return {};
}

// Settings that llama.cpp does without, where texts are short enough.
constexpr std::array<std::string_view, 3> kOnlyLong = {"windows", "sliding_window", "local_rope"};

// What the file says must be what the model is: read back, it gives the same configuration.
void check_words(const Json& ours, const Json& theirs, const std::string& where,
                 std::vector<std::string>& notes) {
  bool windows = false;
  std::vector<std::string> lost;
  for (std::string& key : model::differing_keys(ours, theirs)) {
    if (std::ranges::find(kOnlyLong, key) != kOnlyLong.end())
      windows = true;
    else if (key != "architectures")
      lost.push_back(std::move(key));
  }
  // Where layers without a window have no positions, a lost window moves positions too.
  if (windows && ours.at("block").value("rope_only_with_window", false)) lost.push_back("windows");
  if (!lost.empty()) {
    const std::vector<std::string_view> views(lost.begin(), lost.end());
    unsupported(
        "{}: llama.cpp's {} does otherwise than this model in {}, which a GGUF file cannot tell it",
        where, theirs.at("architectures").at(0).get<std::string>(), join(views, ", "));
  }
  if (windows)
    notes.push_back(
        "GGUF has no sliding window for this architecture: with texts longer than the window the "
        "file computes full attention");
}

struct Described {
  Json metadata;
  const model::Architecture* target;
  std::vector<GgufItem> items;
};

Described describe(const model::Architecture& architecture, const model::TensorMap& map,
                   std::vector<std::string>& notes) {
  const std::string where = printable(map.checkpoint().path(), 400);
  const auto unit = map.find(model::Slot::kRopeFactors);
  const std::vector<float> brought = unit ? map.load_vector(unit->base) : std::vector<float>();
  const Json words = model::config_words(architecture, map.config(), brought);
  Described made{.metadata = io::gguf_metadata(words, where), .target = nullptr, .items = {}};
  made.target = &model::find_architecture(io::gguf_config(made.metadata, {}, where));
  made.items = list_tensors(map, *made.target);
  const Json back = io::gguf_config(made.metadata, as_infos(made.items), where);
  const model::ModelConfig config = model::read_config(*made.target, back, true);
  check_words(words, model::config_words(*made.target, config, factors_of(made.items)), where,
              notes);
  if (map.config().rope.scaling == model::RopeScaling::kDynamic)
    notes.push_back("GGUF has no dynamic scaling of RoPE: the file computes without any");
  return made;
}

std::string name_of(const io::Checkpoint& checkpoint, const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (const Json* metadata = checkpoint.metadata())
    return json_text(*metadata, "general.name", "model", "GGUF metadata");
  fs::path path = fs::path(checkpoint.path()).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

// llama.cpp's name of a mixture of types: that of the one which most weights have.
std::int64_t file_type(const std::vector<GgufItem>& items, const std::vector<GgufTarget>& targets) {
  constexpr std::pair<std::string_view, int> kNumbers[] = {
      {"F32", 0},   {"F16", 1},   {"Q4_0", 2},  {"Q4_1", 3},    {"Q8_0", 7},
      {"Q5_0", 8},  {"Q5_1", 9},  {"Q2_K", 10}, {"Q3_K", 12},   {"Q4_K", 15},
      {"Q5_K", 17}, {"Q6_K", 18}, {"BF16", 32}, {"IQ4_NL", 25}, {"IQ4_XS", 30}};
  std::map<std::string, std::int64_t> weights;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].is_matrix())
      weights[gguf_type_name(targets[i].scheme)] +=
          items[i].shape.size() * std::ssize(items[i].slices);
  const auto most = std::ranges::max_element(
      weights, [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const auto& [name, number] : kNumbers)
    if (most != weights.end() && name == most->first) return number;
  return 0;
}

Json complete_metadata(const Described& made, const std::vector<GgufTarget>& targets,
                       const model::TensorMap& map, const ConvertOptions& options,
                       std::vector<std::string>& notes) {
  const io::Checkpoint& checkpoint = map.checkpoint();
  Json metadata = made.metadata;
  metadata["general.name"] = name_of(checkpoint, options.name);
  metadata["general.file_type"] = file_type(made.items, targets);
  metadata["general.quantization_version"] = 2;
  add_artefact(checkpoint, made.items, metadata);
  text::add_gguf_vocabulary(checkpoint, map.config().vocab, metadata, notes);
  return metadata;
}

std::vector<io::PlannedGgufTensor> plan_file(const std::vector<GgufItem>& items,
                                             const std::vector<GgufTarget>& targets) {
  std::vector<io::PlannedGgufTensor> planned;
  for (std::size_t i = 0; i < items.size(); ++i)
    planned.push_back({.name = items[i].name,
                       .type = items[i].is_matrix() ? gguf_type_name(targets[i].scheme) : "F32",
                       .shape = items[i].stored});
  return planned;
}

void note_targets(const std::vector<GgufItem>& items, const std::vector<GgufTarget>& targets,
                  std::vector<std::string>& notes) {
  std::map<std::string, std::pair<std::string, int>> by_text;  // the first name, and how many more
  std::vector<std::string> order;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (targets[i].note.empty()) continue;
    const std::string text = fmt::format("{}: {}", scheme_name(targets[i].scheme), targets[i].note);
    const auto [entry, is_new] = by_text.emplace(text, std::pair{items[i].name, -1});
    if (is_new) order.push_back(text);
    ++entry->second.second;
  }
  for (const std::string& text : order) {
    const auto& [name, more] = by_text.at(text);
    notes.push_back(fmt::format("{}{} becomes {}", name,
                                more > 0 ? fmt::format(" and {} more", more) : "", text));
  }
}

}  // namespace

void refuse_multipliers(const io::Checkpoint& checkpoint) {
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    if (tensor.name.ends_with(".input_multiplier"))
      unsupported(
          "{}: its linears multiply their inputs ({}; smooth with multiply: true made it), which "
          "no other format can say",
          printable(checkpoint.path(), 400), printable(tensor.name));
}

void check_output(const std::string& out, bool replace) {
  std::error_code ignored;
  if (!fs::exists(out, ignored)) return;
  const std::string shown = printable(out, 400);
  if (!fs::is_regular_file(out, ignored))
    usage_error("{}: is there already and no file; write to another name", shown);
  if (!replace)
    usage_error("{}: is there already; remove it, write to another name, or --force to replace it",
                shown);
}

bool ConvertReport::exact() const {
  return std::ranges::all_of(tensors, [](const TensorReport& t) { return t.exact; });
}

ConvertReport to_gguf(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                      const ConvertOptions& options, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  check_output(out, options.replace);
  refuse_multipliers(checkpoint);
  const std::optional<WeightScheme> type = parse_gguf_scheme(options.type);
  const model::Architecture& architecture = model::find_architecture(checkpoint.config());
  const model::ModelConfig config = model::config_of(architecture, checkpoint);
  const model::TensorMap map(architecture, config, checkpoint);
  map.require_whole("GGUF");
  ConvertReport report;
  report.target = "gguf";
  const Described made = describe(architecture, map, report.notes);
  std::vector<GgufTarget> targets(made.items.size());
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (made.items[i].is_matrix()) targets[i] = choose_target(made.items[i], map, type);
  note_targets(made.items, targets, report.notes);
  const Json metadata = complete_metadata(made, targets, map, options, report.notes);
  const auto lock = std::make_unique<io::FileLock>(out + ".lock");
  io::PlannedGguf file(out, metadata, plan_file(made.items, targets));
  WeightWriter writer(runtime, map, made.items, targets, options);
  report.tensors = writer.write(file, progress);
  file.commit();
  std::error_code ignored;
  fs::remove(out + ".lock", ignored);
  writer.add_notes(report.notes);
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    report.bytes_before += tensor.bytes.size();
  report.bytes_after = file.file_bytes();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace farthing::convert
