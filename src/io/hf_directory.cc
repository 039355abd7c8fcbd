#include "io/hf_directory.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/text.h"
#include "formats/format.h"
#include "io/artefact.h"
#include "io/compressed_matrix.h"
#include "io/file_kind.h"
#include "io/hf_cache.h"
#include "io/plain_matrix.h"
#include "io/safetensors.h"

namespace farthing::io {
namespace {

namespace fs = std::filesystem;

// Where AutoGPTQ kept what config.json says today.
constexpr std::string_view kOldConfig = "quantize_config.json";

// A text file of the directory. Error: a Git-LFS pointer or a web page in its place.
std::string read_checked(const std::string& path, std::uint64_t limit) {
  std::string text = read_text_file(path, limit);
  refuse_foreign_file(std::as_bytes(std::span(text)), printable(path, 400));
  return text;
}

[[noreturn]] void refuse_without_weights(const std::string& directory) {
  const std::string shown = printable(directory, 400);
  bool pickle = false, gguf = false, adapter = false, unfinished = false;
  std::error_code ignored;
  for (fs::directory_iterator entry(directory, ignored), end; entry != end;
       entry.increment(ignored)) {
    const std::string extension = entry->path().extension();
    pickle |= extension == ".bin" || extension == ".pt" || extension == ".pth";
    gguf |= extension == ".gguf";
    adapter |= entry->path().filename() == "adapter_model.safetensors";
    unfinished |= extension == ".incomplete";
  }
  if (unfinished || has_unfinished_download(directory))
    bad_input("{}: has no weights yet, its download was not finished; run it again", shown);
  if (gguf) bad_input("{}: has no safetensors; give the .gguf file in it as the model", shown);
  if (adapter) unsupported("{}: holds an adapter alone; merge it into its base model first", shown);
  if (pickle)
    unsupported(
        "{}: has its weights only as PyTorch pickles, which can run any code when they are read; "
        "convert them to safetensors",
        shown);
  bad_input("{}: has no weights: neither model.safetensors nor model.safetensors.index.json",
            shown);
}

class HfDirectory final : public Checkpoint {
 public:
  HfDirectory(const std::string& directory, Contents contents) : directory_(directory) {
    const std::string config = path_of("config.json");
    if (file_exists(config))
      read_config(config);
    else if (contents == Contents::kAll)
      bad_input("{}: has no config.json; a model directory in Hugging Face layout has one",
                printable(directory, 400));
    if (contents == Contents::kTexts) return;
    open_weights();
    read_compression(config);
  }

  std::string path() const override { return directory_; }
  bool is_gguf() const override { return false; }
  const Json& config() const override { return config_; }
  const Json* metadata() const override { return nullptr; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }

  std::optional<std::string> text_file(std::string_view name) const override {
    const std::string path = path_of(name);
    if (!file_exists(path)) return std::nullopt;
    return read_checked(path, 512u << 20);
  }

  const TensorInfo* find(std::string_view name) const override {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
  }

  std::optional<QuantizedTensor> matrix(std::string_view base, int slice,
                                        int slices) const override {
    const std::string where = printable(directory_, 400);
    if (quantization_)
      if (auto joined = compressed_matrix(*this, *quantization_, base, where, slice, slices))
        return joined;
    const TensorInfo* tensor = find(std::string(base) + ".weight");
    if (tensor == nullptr) tensor = find(base);
    if (tensor == nullptr && find(std::string(base) + ".qweight") != nullptr)
      bad_input(
          "{}: {} is quantised as GPTQ or AWQ do it, but config.json has no quantization_config "
          "that says how; take config.json from the checkpoint's page",
          where, printable(base));
    if (tensor == nullptr) return std::nullopt;
    if (tensor->dtype == "U32" && find(std::string(base) + ".scales") != nullptr)
      unsupported("{}: {} is quantised for MLX, which cannot be read; take the original model",
                  where, printable(base));
    return plain_matrix(*tensor, slice, slices, where);
  }

  std::optional<ActivationScheme> activations(std::string_view base) const override {
    if (artefact_)
      if (const ArtefactLayer* layer = artefact_->find(base)) return layer->activations;
    if (!quantization_) return std::nullopt;
    const std::optional<LinearScheme> scheme = quantization_->find(base);
    if (!scheme) return std::nullopt;
    auto inputs = scheme->activations;
    if (inputs && !inputs->dynamic) inputs->scale = input_scale(base);
    return inputs;
  }

  void release(const QuantizedTensor& tensor) const override {
    for (const Bytes& part : tensor.parts)
      for (const auto& file : files_) file->file().release(part.view());
  }

 private:
  // compressed-tensors keeps the one scale of static activations beside the weights.
  float input_scale(std::string_view base) const {
    const TensorInfo* tensor = find(std::string(base) + ".input_scale");
    if (tensor == nullptr)
      bad_input("{}: {} has static activations by config.json, but no .input_scale",
                printable(directory_, 400), printable(base));
    TensorInfo one = *tensor;  // of shape [1] or []
    if (one.shape.empty()) one.shape = {1};
    const QuantizedTensor stored = plain_matrix(one, 0, 1, printable(directory_, 400));
    if (stored.shape.size() != 1)
      bad_input("{}: {}.input_scale must be one number; found {}", printable(directory_, 400),
                printable(base), stored.shape.size());
    float scale = 0;
    stored.format->dequantize(stored, 0, {&scale, 1, 1});
    return scale;
  }

  std::string path_of(std::string_view name) const { return directory_ + "/" + std::string(name); }

  void read_config(const std::string& path) {
    config_ = parse_json(read_checked(path, 64u << 20), printable(path, 400));
    if (!config_.is_object())
      bad_input("{}: must be a JSON object; found {}", printable(path, 400), json_shown(config_));
  }

  void open_weights() {
    if (file_exists(path_of("model.safetensors")))
      open_file("model.safetensors");
    else if (file_exists(path_of("model.safetensors.index.json")))
      open_shards("model.safetensors.index.json");
    else
      refuse_without_weights(directory_);
    for (std::size_t i = 0; i < tensors_.size(); ++i) add_name(i);
    for (const auto& [tensor, file] : index_.weights) check_place(tensor, file);
    index_ = {};
  }

  void open_file(const std::string& name) {
    files_.push_back(std::make_unique<SafetensorsFile>(path_of(name)));
    const auto& found = files_.back()->content().tensors;
    tensors_.insert(tensors_.end(), found.begin(), found.end());
    file_of_.resize(tensors_.size(), name);
  }

  void open_shards(const std::string& name) {
    index_ =
        parse_shard_index(read_checked(path_of(name), 512u << 20), printable(path_of(name), 400));
    for (const std::string& file : index_.files) {
      if (!file_exists(path_of(file)))
        bad_input("{}: the shard {} that model.safetensors.index.json names is missing{}",
                  printable(directory_, 400), printable(file),
                  has_unfinished_download(directory_) ? "; its download was not finished" : "");
      open_file(file);
    }
  }

  void read_compression(const std::string& config) {
    if (const Json* json = json_find(config_, "quantization_config")) {
      quantization_ = QuantizationConfig::parse(*json, printable(config, 400));
    } else if (const auto text = text_file(kOldConfig)) {
      Json old = parse_json(*text, printable(path_of(kOldConfig), 400));
      if (old.is_object() && !old.contains("quant_method")) old["quant_method"] = "gptq";
      quantization_ = QuantizationConfig::parse(old, printable(path_of(kOldConfig), 400));
    }
    if (const auto text = text_file(kArtefactFile))
      artefact_ = parse_artefact(*text, printable(path_of(kArtefactFile), 400));
  }

  void add_name(std::size_t i) {
    const auto [other, is_new] = by_name_.emplace(tensors_[i].name, i);
    if (!is_new)
      bad_input("{}: {} lies in two shards, {} and {}", printable(directory_, 400),
                printable(tensors_[i].name), printable(file_of_[other->second]),
                printable(file_of_[i]));
  }

  void check_place(const std::string& tensor, const std::string& file) const {
    const auto found = by_name_.find(tensor);
    if (found == by_name_.end() || file_of_[found->second] != file)
      bad_input("{}: the index says that {} lies in {}; {}", printable(directory_, 400),
                printable(tensor), printable(file),
                found == by_name_.end() ? "no shard has it" : "another shard has it");
  }

  std::string directory_;
  Json config_ = Json::object();
  ShardIndex index_;  // while opening
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::string> file_of_;  // of each tensor
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::optional<QuantizationConfig> quantization_;
  std::optional<Artefact> artefact_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_hf_directory(const std::string& directory, Contents contents) {
  return std::make_unique<HfDirectory>(directory, contents);
}

}  // namespace farthing::io
