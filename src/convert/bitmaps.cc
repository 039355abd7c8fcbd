#include "convert/bitmaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_set>

#include "convert/shards.h"
#include "core/error.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/artefact.h"
#include "io/artefact_writer.h"
#include "io/bitmask_layout.h"
#include "io/bitmask_matrix.h"

namespace farthing::convert {
namespace {

constexpr std::string_view kDenseMethod = "dense_quant_method";  // in sparsity_config: what it was

// What becomes one or more tensors of the new files.
struct Item {
  const io::TensorInfo* copied = nullptr;
  std::optional<io::BitmaskMatrix> thinned;
  std::string filled;  // a matrix kept by a bitmap, to be made dense
  std::vector<io::PlannedTensor> tensors;
};

Item copy_of(const io::TensorInfo& tensor) {
  return {.copied = &tensor,
          .thinned = {},
          .filled = {},
          .tensors = {{tensor.name, tensor.dtype, tensor.shape}}};
}

std::optional<io::QuantizationConfig> config_of(const io::Checkpoint& checkpoint) {
  const std::string shown = printable(checkpoint.path(), 400);
  if (checkpoint.is_gguf())
    unsupported("{}: is a GGUF file; bitmaps are for Hugging Face directories", shown);
  const Json* json = json_find(checkpoint.config(), "quantization_config");
  if (json == nullptr) return std::nullopt;
  auto config = io::QuantizationConfig::parse(*json, shown);
  if (config.method() > io::QuantMethod::kFarthing)
    unsupported(
        "{}: bitmaps are for floats and for the integers of compressed-tensors and Farthing; its "
        "quant_method is {}",
        shown, printable(json_text(*json, "quant_method", "unknown", shown)));
  return config;
}

std::string scheme_of(const io::Checkpoint& checkpoint, const std::string& base) {
  return scheme_name(checkpoint.matrix(base).value().scheme);
}

// What a scheme's matrices gain, a sentence each.
class Gains {
 public:
  void add(const std::string& scheme, const io::BitmaskMatrix& matrix) {
    Sum& sum = sums_[scheme];
    sum.bits = matrix.element_bits;
    const auto kept = static_cast<double>(matrix.all_kept());
    const auto weights = static_cast<double>(matrix.shape.size());
    sum.thinnest = std::min(sum.thinnest, kept / weights);
    if (!matrix.gains()) return;
    ++sum.matrices;
    sum.kept += kept;
    sum.weights += weights;
    sum.before += static_cast<double>(matrix.dense_bytes());
    sum.after += static_cast<double>(matrix.stored_bytes());
  }
  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    for (const auto& [scheme, sum] : sums_) notes.push_back(sentence(scheme, sum));
    return notes;
  }

 private:
  struct Sum {
    std::int64_t bits = 0;
    int matrices = 0;
    double kept = 0, weights = 0, before = 0, after = 0, thinnest = 1;
  };
  static std::string sentence(const std::string& scheme, const Sum& sum) {
    const double needed = 100 * (1 - io::bitmask_break_even(sum.bits));
    if (sum.matrices == 0)
      return fmt::format(
          "{}: no matrix gains a byte from a bitmap: the thinnest has {:.1f} % of zeros, {} bits "
          "need more than {:.1f} %",
          scheme, 100 * (1 - sum.thinnest), sum.bits, needed);
    return fmt::format(
        "{}: {} matrices with {:.1f} % of zeros take {:.2f} instead of {:.2f} bits a weight in the "
        "file, scales aside, {} less; {} bits gain from {:.1f} % of zeros on",
        scheme, sum.matrices, 100 * (1 - sum.kept / sum.weights), 8 * sum.after / sum.weights,
        8 * sum.before / sum.weights,
        human_bytes(static_cast<std::uint64_t>(sum.before - sum.after)), sum.bits, needed);
  }
  std::map<std::string, Sum> sums_;
};

std::vector<Item> thin_items(Runtime& runtime, const io::Checkpoint& checkpoint,
                             const std::optional<io::QuantizationConfig>& config,
                             ConvertReport& report) {
  std::vector<Item> items;
  Gains gains;
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    auto matrix = io::count_bitmask(runtime, checkpoint, tensor, config ? &*config : nullptr);
    Item item = copy_of(tensor);
    if (matrix) {
      const std::string scheme = scheme_of(checkpoint, matrix->base);
      gains.add(scheme, *matrix);
      if (matrix->gains()) {
        report.tensors.push_back(
            {.base = matrix->base, .name = matrix->base, .from = scheme, .to = scheme + " bitmap"});
        item.copied = nullptr;
        item.tensors = io::bitmask_tensors(*matrix);
        item.thinned = std::move(matrix);
      }
    }
    items.push_back(std::move(item));
  }
  report.notes = gains.notes();
  return items;
}

std::vector<Item> fill_items(const io::Checkpoint& checkpoint, ConvertReport& report) {
  constexpr std::string_view kParts[] = {
      ".compressed",  ".bitmask",          ".shape",
      ".row_offsets", io::kCodeMaskSuffix, io::kCodeValuesSuffix};
  std::vector<Item> items;
  for (const io::TensorInfo& tensor : checkpoint.tensors()) {
    const auto part = std::ranges::find_if(
        kParts, [&](std::string_view suffix) { return tensor.name.ends_with(suffix); });
    const std::string base =
        part == std::end(kParts) ? "" : tensor.name.substr(0, tensor.name.size() - part->size());
    if (part == std::end(kParts) || !io::stored_bitmask(checkpoint, base)) {
      items.push_back(copy_of(tensor));
      continue;
    }
    const bool codes = *part == io::kCodeMaskSuffix;
    if (!codes && *part != ".bitmask") continue;  // once a matrix
    const QuantizedTensor dense = checkpoint.matrix(base).value();
    const Part first = dense.format->parts(dense.shape, dense.scheme).front();
    report.tensors.push_back({.base = base,
                              .name = base,
                              .from = scheme_name(dense.scheme) + " bitmap",
                              .to = scheme_name(dense.scheme)});
    items.push_back(
        {.copied = nullptr,
         .thinned = {},
         .filled = base,
         .tensors = {{base + std::string(first.suffix), std::string(first.dtype), first.shape}}});
  }
  return items;
}

void write_item(Runtime& runtime, const io::Checkpoint& checkpoint, const Item& item,
                std::size_t first, io::PlannedSafetensors& file) {
  if (item.thinned) return io::write_bitmask(runtime, *item.thinned, file, first);
  if (item.copied != nullptr) return file.write(first, 0, item.copied->bytes);
  file.write(first, 0, checkpoint.matrix(item.filled).value().parts[0].view());
}

// Floats alone stay compressed-tensors' (its sparse-bitmask); codes by bitmap only Farthing reads.
Json sparse_config(const Json& dense, const ConvertReport& report, const std::vector<Item>& items) {
  Json config = dense, targets = Json::array();
  double weights = 0, kept = 0;
  bool codes = false;
  for (const Item& item : items) {
    if (!item.thinned) continue;
    codes |= item.thinned->code_bits > 0 || item.thinned->dense->dtype == "I8";
    weights += static_cast<double>(item.thinned->shape.size());
    kept += static_cast<double>(item.thinned->all_kept());
    targets.push_back(item.thinned->base);
  }
  if (report.tensors.empty()) return config;
  const bool was_dense = !config.contains("quantization_config");
  Json& described = config["quantization_config"];
  if (was_dense)
    described = {{"quant_method", "compressed-tensors"},
                 {"format", "dense"},
                 {"quantization_status", "compressed"},
                 {"config_groups", Json::object()}};
  const Json was = was_dense ? Json() : described.at("quant_method");
  described["sparsity_config"] = {{"format", "sparse-bitmask"},
                                  {"targets", std::move(targets)},
                                  {"ignore", Json::array()},
                                  {"global_sparsity", 1 - kept / weights},
                                  {"sparsity_structure", "unstructured"},
                                  {kDenseMethod, was}};
  if (codes) described["quant_method"] = "farthing";
  return config;
}

Json dense_config(const Json& sparse) {
  Json config = sparse;
  const auto described = config.find("quantization_config");
  if (described == config.end()) return config;
  const Json sparsity = described->value("sparsity_config", Json::object());
  described->erase("sparsity_config");
  const auto was = sparsity.find(kDenseMethod);
  const Json* groups = json_find(*described, "config_groups");
  if (was != sparsity.end() && was->is_string())
    (*described)["quant_method"] = *was;
  else if (groups == nullptr || groups->empty())
    config.erase("quantization_config");
  return config;
}

void write_all(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
               std::vector<Item>& items, const Json& config, const ConvertOptions& options,
               Progress& progress, ConvertReport& report) {
  std::ranges::sort(items, {}, [](const Item& item) { return item.tensors[0].name; });
  const auto shards = cut_shards(items);
  const std::string key =
      sha256_hex(fmt::format("{}\n{}", io::hash_checkpoint(checkpoint), report.target));
  io::ArtefactWriter writer(out, key, static_cast<int>(shards.size()), options.replace);
  for (int i = 0; i < writer.shards(); ++i) {
    const auto& shard = shards[static_cast<std::size_t>(i)];
    std::vector<io::PlannedTensor> tensors;
    for (const Item* item : shard)
      tensors.insert(tensors.end(), item->tensors.begin(), item->tensors.end());
    for (const io::PlannedTensor& tensor : tensors) report.bytes_after += tensor.bytes();
    if (writer.has(i)) continue;
    const auto file = writer.begin_shard(i, tensors);
    std::size_t at = 0;
    for (const Item* item : shard) {
      write_item(runtime, checkpoint, *item, at, *file);
      at += item->tensors.size();
      if (progress.cancelled())
        throw Error(Fault::kInterrupted, "interrupted; the same command goes on where it stopped");
    }
    writer.finish_shard(i, *file);
    progress.update("shards", i + 1, writer.shards());
  }
  writer.write_file("config.json", config.dump(2) + "\n");
  if (const auto artefact = checkpoint.text_file(io::kArtefactFile))
    writer.write_file(io::kArtefactFile, *artefact);
  writer.copy_texts(checkpoint);
  writer.finish();
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    report.bytes_before += tensor.bytes.size();
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

ConvertReport to_bitmaps(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                         const ConvertOptions& options, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  const auto config = config_of(checkpoint);
  ConvertReport report;
  report.target = "bitmaps";
  std::vector<Item> items = thin_items(runtime, checkpoint, config, report);
  write_all(runtime, checkpoint, out, items, sparse_config(checkpoint.config(), report, items),
            options, progress, report);
  report.seconds = seconds_since(start);
  return report;
}

ConvertReport to_dense(Runtime& runtime, const io::Checkpoint& checkpoint, const std::string& out,
                       const ConvertOptions& options, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  config_of(checkpoint);
  ConvertReport report;
  report.target = "dense";
  std::vector<Item> items = fill_items(checkpoint, report);
  if (report.tensors.empty())
    usage_error("{}: keeps no matrix by a bitmap; it is dense already",
                printable(checkpoint.path(), 400));
  write_all(runtime, checkpoint, out, items, dense_config(checkpoint.config()), options, progress,
            report);
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace farthing::convert
