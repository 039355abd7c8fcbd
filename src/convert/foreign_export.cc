// A checkpoint as other tools keep it: GPTQ, AWQ or compressed-tensors, in a Hugging Face
// directory. Matrices of blocks keep their grid where the target has it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "calibrate/collect.h"
#include "convert/convert.h"
#include "convert/foreign_layout.h"
#include "convert/shards.h"
#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "formats/regrid.h"
#include "io/artefact.h"
#include "io/artefact_writer.h"
#include "io/planned_safetensors.h"
#include "model/architecture.h"
#include "model/tensor_map.h"

namespace farthing::convert {
namespace {

constexpr std::int64_t kGrain = 32;  // rows whose zero points share words

// What becomes of one matrix.
struct Target {
  model::TensorUnit unit;
  Shape shape;
  std::string from, note;
  std::optional<WeightScheme> scheme;  // of integers; none: floats
  WeightScheme floats;                 // then
  bool copied = false;                 // floats already: the file's bytes
  bool regrid = false;                 // on its own grid, else rounded
};

bool is_float(const QuantizedTensor& matrix) { return matrix.format->grid == nullptr; }

WeightScheme integers(int bits, std::int64_t group, std::int64_t cols, bool symmetric) {
  WeightScheme scheme{.element = Element::kInt, .bits = bits};
  if (group > 0 && group < cols) scheme.strategy = Strategy::kGroup, scheme.group_size = group;
  scheme.symmetric = symmetric;
  scheme.zero_point = symmetric ? ZeroPoint::kNone : ZeroPoint::kInteger;
  return scheme;
}

// The narrowest integers of the kind that hold the matrix's grid, exactly or with rounded scales.
std::optional<WeightScheme> grid_of(const ForeignKind& kind, const QuantizedTensor& matrix,
                                    std::string& note) {
  const Grid grid = matrix.format->grid(matrix);
  std::optional<WeightScheme> near;
  for (const int bits : kind.bits)
    for (const bool symmetric : {true, false}) {
      const WeightScheme scheme = integers(bits, grid.group_size, matrix.shape.cols, symmetric);
      if (bits < grid.bits || why_not(kind, matrix.shape, scheme)) continue;
      const GridFit fit = grid_fit(matrix, scheme);
      if (fit == GridFit::kExact) return scheme;
      if (fit == GridFit::kRounded && !near) near = scheme;
    }
  if (near) note = "its scales are rounded to FP16";
  return near;
}

Target choose(const ForeignKind& kind, const model::TensorMap& map, const model::TensorUnit& unit,
              const std::optional<WeightScheme>& type, const WeightScheme& floats) {
  const io::Checkpoint& checkpoint = map.checkpoint();
  const QuantizedTensor stored = checkpoint.matrix(unit.base, unit.slice, unit.slices).value();
  Target target{.unit = unit,
                .shape = stored.shape,
                .from = scheme_name(stored.scheme),
                .note = {},
                .scheme = std::nullopt,
                .floats = floats};
  const bool in_reach = calibrate::stage_of(unit.slot) != model::Slot::kNone && unit.slices == 1 &&
                        !unit.row->transposed;
  target.copied = is_float(stored);
  if (in_reach && !target.copied) {
    target.scheme = grid_of(kind, stored, target.note);
    target.regrid = target.scheme.has_value();
  }
  if (in_reach && !target.scheme && type) {
    const WeightScheme fitted = fit_to_row(*type, stored.shape.cols);
    if (const auto reason = why_not(kind, stored.shape, fitted))
      target.note = *reason;
    else
      target.scheme = fitted;
  }
  if (target.scheme) target.copied = false;
  if (!target.scheme && !target.copied && target.note.empty())
    target.note = !in_reach ? "only linears of blocks are compressed there"
                            : fmt::format("{} cannot hold its grid", kind.name);
  return target;
}

// Where all modules share one scheme, those of another stay in float.
void agree_on_one(const ForeignKind& kind, std::vector<Target>& targets) {
  if (!kind.one_scheme) return;
  const auto group = [](const Target& t) {
    return t.scheme->strategy == Strategy::kGroup ? t.scheme->group_size : std::int64_t{-1};
  };
  std::vector<std::pair<std::int64_t, std::int64_t>> weights;  // group, weights
  for (const Target& target : targets) {
    if (!target.scheme) continue;
    auto found = std::ranges::find(weights, group(target), &decltype(weights)::value_type::first);
    if (found == weights.end()) found = weights.insert(found, {group(target), 0});
    found->second += target.shape.size();
  }
  if (weights.empty()) return;
  const std::int64_t usual =
      std::ranges::max_element(weights, {}, &decltype(weights)::value_type::second)->first;
  for (Target& target : targets)
    if (target.scheme && group(target) != usual) {
      target.note = fmt::format("{} has one group size for all, {}", kind.name, usual);
      target.scheme.reset();
      target.regrid = false;
    }
}

struct Item {
  const Target* target = nullptr;  // else
  const io::TensorInfo* copied = nullptr;
  std::vector<io::PlannedTensor> tensors;
};

std::vector<Item> list_items(const ForeignKind& kind, const io::Checkpoint& checkpoint,
                             const std::vector<Target>& targets) {
  std::unordered_set<std::string> dropped;
  std::vector<Item> items;
  for (const Target& target : targets) {
    if (target.copied) continue;
    dropped.insert(target.unit.base);
    Item& item = items.emplace_back(Item{.target = &target, .copied = nullptr, .tensors = {}});
    if (target.scheme)
      item.tensors = foreign_tensors(kind, target.unit.base, target.shape, *target.scheme);
    else
      item.tensors = {{target.unit.base + ".weight",
                       target.floats.element == Element::kF16 ? "F16" : "BF16",
                       {target.shape.rows, target.shape.cols}}};
  }
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    const std::size_t dot = tensor.name.rfind('.');
    if (!tensor.name.ends_with(".bias") && dot != std::string::npos &&
        dropped.contains(tensor.name.substr(0, dot)))
      continue;
    items.push_back({.target = nullptr,
                     .copied = &tensor,
                     .tensors = {{tensor.name, tensor.dtype, tensor.shape}}});
  }
  std::ranges::sort(items, {}, [](const Item& item) { return item.tensors[0].name; });
  return items;
}

QuantizedTensor make(Runtime& runtime, const Target& target, const QuantizedTensor& source,
                     RoundMethod method, TensorReport& report) {
  const WeightScheme scheme = target.scheme.value_or(target.floats);
  QuantizedTensor made = allocate_tensor(source.shape, scheme);
  struct Sums {
    double error = 0, magnitude = 0;
    bool equal = true;
  };
  std::vector<Sums> sums(static_cast<std::size_t>(source.shape.rows));
  runtime.parallel(source.shape.rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    Regridder regridder(source, scheme);
    Matrix<float> was(1, source.shape.cols), is(1, source.shape.cols);
    for (std::int64_t r = begin; r < end; ++r) {
      source.format->dequantize(source, r, was.view());
      if (target.regrid) {
        regridder.read(r);
        made.format->write_grid(made, r, regridder.row());
      } else {
        made.format->quantize(made, r, was.view(), {.method = method, .importance = {}});
      }
      made.format->dequantize(made, r, is.view());
      Sums& row = sums[static_cast<std::size_t>(r)];
      for (std::int64_t j = 0; j < source.shape.cols; ++j) {
        const double w = was.view().data[j], wrong = w - static_cast<double>(is.view().data[j]);
        row.error += wrong * wrong;
        row.magnitude += w * w;
        row.equal = row.equal && wrong == 0;
      }
    }
  });
  double error = 0, magnitude = 0;
  for (const Sums& row : sums) {
    error += row.error;
    magnitude += row.magnitude;
    report.exact = report.exact && row.equal;
  }
  report.error = magnitude > 0 ? error / magnitude : 0;
  return made;
}

void write_item(Runtime& runtime, const ForeignKind& kind, const io::Checkpoint& checkpoint,
                const ConvertOptions& options, const Item& item, std::size_t first,
                io::PlannedSafetensors& file, ConvertReport& report) {
  if (item.copied != nullptr) return file.write(first, 0, item.copied->bytes);
  const Target& target = *item.target;
  const QuantizedTensor source = checkpoint.matrix(target.unit.base).value();
  TensorReport row{.base = target.unit.base,
                   .name = target.unit.base,
                   .from = target.from,
                   .to = scheme_name(target.scheme.value_or(target.floats))};
  QuantizedTensor made;
  try {
    made = make(runtime, target, source, options.method, row);
  } catch (const Error& error) {
    throw Error(error.fault, fmt::format("{}: {}", target.unit.base, error.what()));
  }
  if (target.scheme) {
    const auto bytes = foreign_bytes(kind, made);
    for (std::size_t i = 0; i < bytes.size(); ++i) file.write(first + i, 0, bytes[i]);
  } else {
    file.write(first, 0, made.parts[0].view());
  }
  report.tensors.push_back(std::move(row));
  checkpoint.release(source);
}

std::optional<WeightScheme> parse_type(const ForeignKind& kind, const std::string& type) {
  if (type.empty()) return std::nullopt;
  const WeightScheme scheme = parse_scheme(type).weights;
  const bool fits = scheme.element == Element::kInt && scheme.block.empty() && !scheme.plain &&
                    scheme.zero_point != ZeroPoint::kFloat &&
                    std::ranges::find(kind.bits, scheme.bits) != kind.bits.end();
  if (!fits)
    usage_error("--type {}: {} holds integers of {} bits, as in w4g128", printable(type), kind.name,
                fmt::join(kind.bits, ", "));
  return scheme;
}

void note_targets(const std::vector<Target>& targets, std::vector<std::string>& notes) {
  std::vector<std::pair<std::string, int>> lines;  // text, more
  std::vector<std::string> names;
  for (const Target& target : targets) {
    if (target.note.empty()) continue;
    const std::string text = fmt::format(
        "becomes {}: {}", scheme_name(target.scheme.value_or(target.floats)), target.note);
    const auto found = std::ranges::find(lines, text, &std::pair<std::string, int>::first);
    if (found != lines.end())
      ++found->second;
    else
      lines.emplace_back(text, 0), names.push_back(target.unit.base);
  }
  for (std::size_t i = 0; i < lines.size(); ++i)
    notes.push_back(fmt::format(
        "{}{} {}", names[i],
        lines[i].second > 0 ? fmt::format(" and {} more", lines[i].second) : "", lines[i].first));
}

std::vector<ForeignModule> modules_of(const std::vector<Target>& targets,
                                      const model::TensorMap& map) {
  std::vector<ForeignModule> modules;
  for (const Target& target : targets)
    if (model::is_linear(target.unit.slot))
      modules.push_back({map.module_name(target.unit), target.scheme});
  if (map.config().tied) modules.push_back({map.expected_name(model::Slot::kHead), std::nullopt});
  return modules;
}

void refuse_source(const io::Checkpoint& checkpoint, const ForeignKind& kind) {
  const std::string shown = printable(checkpoint.path(), 400);
  if (checkpoint.is_gguf())
    unsupported("{}: --to {} reads Hugging Face directories, not GGUF files", shown, kind.name);
  const Json* config = json_find(checkpoint.config(), "quantization_config");
  if (config != nullptr && json_text(*config, "quant_method", "", "config.json") == kind.name)
    usage_error("{}: is {} already", shown, kind.name);
}

}  // namespace

ConvertReport to_foreign(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                         std::string_view to, const ConvertOptions& options, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const ForeignKind& kind = find_foreign(to);
  refuse_source(checkpoint, kind);
  refuse_multipliers(checkpoint);
  const auto type = parse_type(kind, options.type);
  const model::Architecture& architecture = model::architecture_of(checkpoint);
  const model::ModelConfig config = model::config_of(architecture, checkpoint);
  const model::TensorMap map(architecture, config, checkpoint);
  map.require_whole(fmt::format("the format of {}", kind.name));
  const bool half = json_text(checkpoint.config(), "torch_dtype", "", "config.json") == "float16";
  std::vector<Target> targets;
  for (const model::TensorUnit& unit : map.linears())
    if (unit.slice == 0)
      targets.push_back(
          choose(kind, map, unit, type, parse_scheme(half ? "fp16" : "bf16").weights));
  agree_on_one(kind, targets);
  if (std::ranges::none_of(targets, [](const Target& t) { return t.scheme.has_value(); }))
    usage_error("{}: has no matrix whose grid {} can hold; --type w4g128 rounds them",
                printable(checkpoint.path(), 400), kind.name);
  const std::vector<Item> items = list_items(kind, checkpoint, targets);
  const auto shards = cut_shards(items);

  ConvertReport report;
  report.target = std::string(kind.name);
  note_targets(targets, report.notes);
  const std::string key = sha256_hex(
      fmt::format("{}\n{}\n{}", io::hash_checkpoint(checkpoint), kind.name, options.type));
  io::ArtefactWriter writer(out, key, static_cast<int>(shards.size()), options.replace);
  for (int i = 0; i < writer.shards(); ++i) {
    std::vector<io::PlannedTensor> tensors;
    for (const Item* item : shards[static_cast<std::size_t>(i)])
      tensors.insert(tensors.end(), item->tensors.begin(), item->tensors.end());
    const auto file = writer.begin_shard(i, tensors);
    std::size_t at = 0;
    for (const Item* item : shards[static_cast<std::size_t>(i)]) {
      write_item(runtime, kind, checkpoint, options, *item, at, *file, report);
      at += item->tensors.size();
      if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    }
    writer.finish_shard(i, *file);
    for (const io::PlannedTensor& tensor : tensors) report.bytes_after += tensor.bytes();
    progress.update("shards", i + 1, writer.shards());
  }
  Json described = checkpoint.config();
  described["quantization_config"] = foreign_config(kind, modules_of(targets, map), false);
  writer.write_file("config.json", described.dump(2) + "\n");
  writer.copy_texts(checkpoint);
  writer.finish();
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    report.bytes_before += tensor.bytes.size();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace farthing::convert
