#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "core/text.h"
#include "io/artefact.h"
#include "io/gguf.h"
#include "io/mapped_file.h"
#include "io/plain_matrix.h"

namespace farthing::io {
namespace {

constexpr std::size_t kMaxParts = 1000;

// All parts of "model-00002-of-00003.gguf"; the path itself when it has no such name.
std::vector<std::string> part_paths(const std::string& path) {
  constexpr std::string_view kShape = "-00000-of-00000.gguf";
  if (path.size() <= kShape.size()) return {path};
  const std::size_t start = path.size() - kShape.size();
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const char c = path[start + i];
    if (kShape[i] == '0' ? c < '0' || c > '9' : c != kShape[i]) return {path};
  }
  const std::size_t count = std::stoul(path.substr(start + 10, 5));
  if (count < 1 || count > kMaxParts)
    bad_input("{}: a model may have 1 to {} parts", printable(path, 400), kMaxParts);
  std::vector<std::string> parts;
  for (std::size_t i = 1; i <= count; ++i)
    parts.push_back(fmt::format("{}-{:05}-of-{:05}.gguf", path.substr(0, start), i, count));
  return parts;
}

class GgufCheckpoint final : public Checkpoint {
 public:
  explicit GgufCheckpoint(const std::string& path) : path_(path) {
    const std::vector<std::string> parts = part_paths(path);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!file_exists(parts[i]))
        bad_input("{}: its part {} is missing", shown(), printable(parts[i], 400));
      add_file(parts[i], i, parts.size());
    }
    const std::int64_t total = json_int(metadata_, "split.tensors.count", -1, shown());
    if (total >= 0 && static_cast<std::size_t>(total) != tensors_.size())
      bad_input("{}: its parts must have {} tensors together; found {}", shown(), total,
                tensors_.size());
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (!by_name_.emplace(tensors_[i].name, i).second)
        bad_input("{}: {} lies in two parts of the model", shown(), printable(tensors_[i].name));
    config_ = gguf_config(metadata_, tensors_, shown());
    if (const auto text = text_file(kArtefactFile))
      artefact_ = parse_artefact(*text, fmt::format("{}: {}", shown(), kArtefactKey));
  }

  std::string path() const override { return path_; }
  bool is_gguf() const override { return true; }
  const Json& config() const override { return config_; }
  const Json* metadata() const override { return &metadata_; }
  std::optional<std::string> text_file(std::string_view name) const override {
    const Json* text = name == kArtefactFile ? json_find(metadata_, kArtefactKey) : nullptr;
    if (text == nullptr || !text->is_string()) return std::nullopt;
    return text->get<std::string>();
  }
  std::span<const TensorInfo> tensors() const override { return tensors_; }

  const TensorInfo* find(std::string_view name) const override {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
  }

  std::optional<QuantizedTensor> matrix(std::string_view base, int slice,
                                        int slices) const override {
    const TensorInfo* tensor = find(std::string(base) + ".weight");
    if (tensor == nullptr) tensor = find(base);
    if (tensor == nullptr) return std::nullopt;
    return plain_matrix(*tensor, slice, slices, shown());
  }

  std::optional<ActivationScheme> activations(std::string_view base) const override {
    const ArtefactLayer* layer = artefact_ ? artefact_->find(base) : nullptr;
    return layer != nullptr ? std::optional(layer->activations) : std::nullopt;
  }

  void release(const QuantizedTensor& tensor) const override {
    for (const Bytes& part : tensor.parts)
      for (const MappedFile& file : files_) file.release(part.view());
  }

 private:
  std::string shown() const { return printable(path_, 400); }

  // The metadata is the first part's; each part brings its tensors.
  void add_file(const std::string& path, std::size_t part, std::size_t parts) {
    const std::string where = printable(path, 400);
    files_.emplace_back(path);
    Gguf content = parse_gguf(files_.back().bytes(), where);
    const std::int64_t count = json_int(content.metadata, "split.count", parts == 1 ? 1 : 0, where);
    const std::int64_t number = json_int(content.metadata, "split.no", parts == 1 ? 0 : -1, where);
    if (static_cast<std::size_t>(count) != parts || static_cast<std::size_t>(number) != part)
      bad_input(
          "{}: must be part {} of {} by its name; its metadata says split.no {}, split.count {} "
          "(parts are called NAME-00001-of-0000N.gguf and lie together)",
          where, part + 1, parts, number, count);
    if (part == 0) metadata_ = std::move(content.metadata);
    std::move(content.tensors.begin(), content.tensors.end(), std::back_inserter(tensors_));
  }

  std::string path_;
  std::vector<MappedFile> files_;
  Json metadata_, config_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::optional<Artefact> artefact_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_gguf(const std::string& path) {
  return std::make_unique<GgufCheckpoint>(path);
}

}  // namespace farthing::io
