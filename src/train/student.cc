#include "train/student.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "io/durable_file.h"
#include "io/mapped_file.h"
#include "io/safetensors_writer.h"

namespace farthing::train {
namespace {

namespace fs = std::filesystem;
using model::Slot;

constexpr Slot kBlockSlots[] = {Slot::kAttentionNorm,
                                Slot::kQkv,
                                Slot::kQ,
                                Slot::kK,
                                Slot::kV,
                                Slot::kQNorm,
                                Slot::kKNorm,
                                Slot::kO,
                                Slot::kPostAttentionNorm,
                                Slot::kMlpNorm,
                                Slot::kGateUp,
                                Slot::kGate,
                                Slot::kUp,
                                Slot::kDown,
                                Slot::kPostMlpNorm};
constexpr Slot kEndSlots[] = {Slot::kEmbedding, Slot::kPositionEmbedding, Slot::kEmbeddingNorm,
                              Slot::kProjectIn, Slot::kProjectOut,        Slot::kFinalNorm,
                              Slot::kHead};

// "model.layers.0.mlp.up_proj" of layer 0 becomes that of another.
std::string name_in_layer(const model::TensorUnit& unit, int layer) {
  const std::string_view pattern = unit.row->hf_name;
  const std::size_t behind = pattern.size() - pattern.find("{L}") - 3;  // characters
  const std::size_t at = unit.base.size() - behind - 1;                 // of the "0"
  return unit.base.substr(0, at) + std::to_string(layer) + unit.base.substr(at + 1);
}

bool joins_residual(Slot slot) { return slot == Slot::kO || slot == Slot::kDown; }

class RandomStudent {
 public:
  RandomStudent(const model::TensorMap& teacher, const model::ModelConfig& config, double spread,
                std::string dtype, std::int64_t seed)
      : teacher_(teacher),
        config_(config),
        spread_(spread),
        dtype_(std::move(dtype)),
        random_(static_cast<std::uint64_t>(seed)) {
    for (const Slot slot : kEndSlots)
      if (slot != Slot::kHead || !config.tied) add(slot, -1);
    for (int layer = 0; layer < config.layers; ++layer)
      for (const Slot slot : kBlockSlots) add(slot, layer);
  }
  std::span<const io::TensorInfo> tensors() {
    for (std::size_t i = 0; i < infos_.size(); ++i) infos_[i].bytes = bytes_[i];
    return infos_;
  }

 private:
  void add(Slot slot, int layer) {
    const auto unit = teacher_.find(slot, layer < 0 ? -1 : 0);
    if (!unit) return;
    const std::string base = layer < 0 ? unit->base : name_in_layer(*unit, layer);
    Shape shape = model::slot_shape(slot, config_, layer);
    const bool linear = model::is_linear(slot) || slot == Slot::kEmbedding;
    if (shape.cols == 0) {  // of heads, or of a whole projection
      const bool whole = config_.block.head_norm == model::HeadNorm::kWholeProjection;
      shape = {1, !whole                 ? config_.head_dim
                  : slot == Slot::kQNorm ? config_.q_width()
                                         : config_.kv_width()};
    }
    const bool matrix = linear || slot == Slot::kPositionEmbedding;
    const double narrow = std::sqrt(2.0 * static_cast<double>(config_.layers));
    const double spread = matrix ? joins_residual(slot) ? spread_ / narrow : spread_ : 0;
    const double level = matrix || config_.block.norm_plus_one ? 0 : 1;
    put(base + ".weight", shape, matrix, unit->row->transposed, spread, level);
    if (teacher_.checkpoint().find(unit->base + ".bias") != nullptr)
      put(base + ".bias", {1, matrix ? shape.rows : shape.cols}, false, false, 0, 0);
  }

  void put(const std::string& name, Shape shape, bool matrix, bool turned, double spread,
           double level) {
    Parameter parameter;
    parameter.dtype = dtype_;
    Matrix<float> values(shape.rows, shape.cols);
    for (std::int64_t i = 0; i < shape.size(); ++i)
      values.view().data[i] = static_cast<float>(level + (spread > 0 ? spread * bell() : 0));
    bytes_.push_back(file_bytes(parameter, values.view()));
    if (turned) std::swap(shape.rows, shape.cols);
    infos_.push_back(
        {name, dtype_, matrix ? std::vector{shape.rows, shape.cols} : std::vector{shape.cols}, {}});
  }

  double bell() {  // Box and Muller, 1958
    const double radius = std::sqrt(-2 * std::log(1 - random_.uniform()));
    return radius * std::cos(2 * 3.14159265358979323846 * random_.uniform());
  }

  const model::TensorMap& teacher_;
  const model::ModelConfig& config_;
  double spread_;
  std::string dtype_;
  Random random_;
  std::vector<io::TensorInfo> infos_;
  std::vector<std::vector<std::byte>> bytes_;
};

}  // namespace

bool is_config_only(const std::string& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path.ends_with(".json");
  if (!fs::is_regular_file(path + "/config.json", ignored)) return false;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".safetensors") || name.ends_with(".bin")) return false;
  }
  return true;
}

void write_random_student(const model::TensorMap& teacher, const std::string& config,
                          std::int64_t seed, const std::string& directory) {
  std::error_code ignored;
  const std::string file = fs::is_directory(config, ignored) ? config + "/config.json" : config;
  const Json json = read_json_file(file);
  const model::Architecture& architecture = model::find_architecture(json);
  if (architecture.name != teacher.config().architecture)
    unsupported(
        "{}: a student that is made from a configuration has its teacher's architecture, {}; got "
        "{}",
        printable(file, 400), teacher.config().architecture, architecture.name);
  const model::ModelConfig student = model::read_config(architecture, json, false);
  if (student.experts > 0)
    unsupported("{}: training knows dense models only, and this one has {} experts",
                printable(file, 400), student.experts);
  const std::string name = model::text_of(json, {"dtype", "torch_dtype"}, "float32");
  const std::string dtype = name == "bfloat16" ? "BF16" : name == "float16" ? "F16" : "F32";
  const double spread = model::number_of(json, {"initializer_range"}, 0.02);
  RandomStudent made(teacher, student, spread, dtype, seed);
  io::make_directory(directory);
  io::write_safetensors(directory + "/model.safetensors", made.tensors());
  io::write_durably(directory + "/config.json", json.dump(1) + "\n");
}

void write_student(const model::TensorMap& map, const ParameterSet& parameters,
                   const GridScales* scales, io::ArtefactWriter& writer) {
  std::vector<GridScales::Rounded> rounded;
  if (scales != nullptr) rounded = scales->rounded();
  std::map<std::string, ByteSpan> parts;  // of rounded matrices, by their names in the file
  for (const GridScales::Rounded& one : rounded)
    for (const io::TensorInfo& part : io::tensors_of(one.base, one.tensor))
      parts[part.name] = part.bytes;
  const auto embedding = map.find(Slot::kEmbedding);
  const std::string head = map.expected_name(Slot::kHead) + ".weight";
  std::vector<io::TensorInfo> infos;
  std::vector<std::vector<std::byte>> bytes;
  bytes.reserve(map.checkpoint().tensors().size());
  for (const io::TensorInfo& stored : map.checkpoint().tensors()) {
    if (map.config().tied && stored.name == head && embedding->base + ".weight" != head) continue;
    infos.push_back(stored);
    if (const auto part = parts.find(stored.name); part != parts.end())
      infos.back().bytes = part->second;
    const Parameter* parameter = parameters.find(stored.name);
    if (parameter == nullptr || (scales != nullptr && parameter->is_matrix)) continue;
    bytes.push_back(file_bytes(*parameter, parameter->value.view()));
    infos.back().bytes = bytes.back();
  }
  writer.write_shard(0, infos);
}

}  // namespace farthing::train
