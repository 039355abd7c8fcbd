#include "compress/structure.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/derived_checkpoint.h"

namespace farthing::compress {
namespace {

using model::Slot;

// Model types whose class of transformers reads head_dim, so that heads * head_dim need not be the
// hidden size.
constexpr std::string_view kKnowHeadDim[] = {"llama",   "mistral", "mixtral", "qwen2",
                                             "qwen3",   "gemma",   "gemma2",  "gemma3_text",
                                             "granite", "cohere2"};

std::string_view size_key(const Json& config, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (config.contains(key)) return key;
  return *keys.begin();
}

// Which rows and columns of a stored tensor stay; empty: all.
struct Cut {
  std::vector<std::int32_t> rows, cols;
};

class Builder {
 public:
  Builder(const model::TensorMap& map, const Structure& structure)
      : map_(map), structure_(structure), config_(map.checkpoint().config()) {}

  std::unique_ptr<io::Checkpoint> build() {
    check();
    for (int layer = 0; layer < map_.config().layers; ++layer) {
      if (!structure_.channels.empty()) cut_channels(layer);
      if (!structure_.groups.empty()) cut_groups(layer);
      if (!structure_.experts.empty() && map_.config().sparse(layer)) cut_experts(layer);
    }
    edit_config();
    auto made = std::make_unique<io::DerivedCheckpoint>(map_.checkpoint(), config_);
    for (const io::TensorInfo& tensor : map_.checkpoint().tensors()) copy(tensor, *made);
    for (auto& [name, values] : biases_) put_bias(name, values, *made);
    check_made(*made);
    return made;
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    unsupported("{}: {}", printable(map_.checkpoint().path(), 400), why);
  }

  void check() const {
    const model::ModelConfig& c = map_.config();
    if (map_.checkpoint().is_gguf()) refuse("structured pruning reads Hugging Face directories");
    if (!structure_.channels.empty() && c.experts > 0)
      refuse(
          "its MLPs are mixtures of experts, which have no one set of channels; take out layers, "
          "heads, experts or single weights");
    if (!structure_.experts.empty()) check_experts();
    if (structure_.groups.empty()) return;
    if (c.hidden % (std::ssize(structure_.groups[0]) * (c.heads / c.kv_heads)) != 0)
      refuse(
          fmt::format("would keep {} heads, which do not divide the hidden size {}, as "
                      "transformers asks of them; take out another number of groups",
                      std::ssize(structure_.groups[0]) * (c.heads / c.kv_heads), c.hidden));
    if (map_.find(Slot::kQkv, 0))
      refuse(
          "keeps q, k and v in one matrix, from which heads cannot be taken out; take out "
          "channels or layers");
    if (c.block.head_norm == model::HeadNorm::kWholeProjection)
      refuse("normalises all heads together, so taking some out would change the others");
    if (c.block.position == model::PositionKind::kAlibi)
      refuse("tells positions by the number of a head (ALiBi), so none can be taken out");
    const std::string type = json_text(config_, "model_type", "", "config.json");
    if (std::find(std::begin(kKnowHeadDim), std::end(kKnowHeadDim), type) == std::end(kKnowHeadDim))
      refuse(
          fmt::format("the configuration of {} has no word for heads that are not hidden_size / "
                      "num_attention_heads wide; take out channels or layers",
                      printable(type)));
  }

  void check_experts() const {
    const model::ModelConfig& c = map_.config();
    if (c.experts == 0) refuse("has no experts to take out; take out channels, heads or layers");
    for (int layer = 0; layer < c.layers; ++layer)
      if (c.sparse(layer) && std::ssize(experts_of(layer)) < c.experts_per_token)
        refuse(fmt::format("would keep {} experts, and each token goes through {}; take out fewer",
                           experts_of(layer).size(), c.experts_per_token));
  }

  const std::vector<std::int32_t>& experts_of(int layer) const {
    return structure_.experts[static_cast<std::size_t>(layer)];
  }

  // Rows of the outputs (and of the bias) of a linear, or columns, as they are stored.
  void cut(Slot slot, int layer, const std::vector<std::int32_t>& kept, bool outputs) {
    const auto unit = map_.find(slot, layer);
    if (!unit) return;
    const bool turned = unit->row->transposed;
    Cut& place = cuts_[unit->base];
    (outputs != turned ? place.rows : place.cols) = kept;
    if (outputs) cuts_[unit->base + ".bias"].rows = kept;
  }

  void cut_channels(int layer) {
    const auto& kept = structure_.channels[static_cast<std::size_t>(layer)];
    const std::int64_t width = map_.config().intermediate;
    std::vector<std::int32_t> both = kept;
    for (const std::int32_t j : kept) both.push_back(static_cast<std::int32_t>(width + j));
    cut(Slot::kGate, layer, kept, true);
    cut(Slot::kUp, layer, kept, true);
    cut(Slot::kGateUp, layer, both, true);
    cut(Slot::kDown, layer, kept, false);
    if (!structure_.down_bias.empty())
      add_bias(Slot::kDown, layer, structure_.down_bias[static_cast<std::size_t>(layer)],
               {Slot::kGate, Slot::kUp}, static_cast<std::int64_t>(kept.size()));
  }

  // Features of `heads` consecutive heads for each group that stays.
  std::vector<std::int32_t> features(const std::vector<std::int32_t>& groups,
                                     std::int64_t heads) const {
    const std::int64_t width = heads * map_.config().head_dim;
    std::vector<std::int32_t> kept;
    for (const std::int32_t g : groups)
      for (std::int64_t i = 0; i < width; ++i)
        kept.push_back(static_cast<std::int32_t>(g * width + i));
    return kept;
  }

  void cut_groups(int layer) {
    const model::ModelConfig& c = map_.config();
    const auto& groups = structure_.groups[static_cast<std::size_t>(layer)];
    const auto queries = features(groups, c.heads / c.kv_heads), keys = features(groups, 1);
    cut(Slot::kQ, layer, queries, true);
    cut(Slot::kK, layer, keys, true);
    cut(Slot::kV, layer, keys, true);
    cut(Slot::kO, layer, queries, false);
    if (!structure_.o_bias.empty()) {
      add_bias(Slot::kO, layer, structure_.o_bias[static_cast<std::size_t>(layer)], {Slot::kQ},
               std::ssize(queries));
      add_zeros({Slot::kK, Slot::kV}, layer, std::ssize(keys));
    }
  }

  // The router's rows, slices of a tensor that holds all experts, or the names of single ones.
  void cut_experts(int layer) {
    const auto& kept = experts_of(layer);
    cut(Slot::kRouter, layer, kept, true);
    for (const Slot slot :
         {Slot::kExpertGateUp, Slot::kExpertGate, Slot::kExpertUp, Slot::kExpertDown})
      for (int e = 0; e < map_.config().experts; ++e) {
        const auto unit = map_.find(slot, layer, e);
        if (!unit) continue;
        if (unit->slices > 1) {
          cuts_[unit->base].rows = kept;  // the outermost dimension
          cuts_[unit->base + ".bias"].rows = kept;
          continue;
        }
        const auto place = std::lower_bound(kept.begin(), kept.end(), e);
        std::string& name = renamed_[unit->base];
        if (place == kept.end() || *place != e) continue;  // "": it goes
        name = map_.find(slot, layer, static_cast<int>(place - kept.begin()))->base;
      }
  }

  // To the bias that is there, or as a new one, which brings biases of zero for its neighbours.
  void add_bias(Slot slot, int layer, const std::vector<float>& values,
                std::initializer_list<Slot> neighbours, std::int64_t width) {
    const auto unit = map_.find(slot, layer);
    std::vector<float> sum = values;
    const std::vector<float> was = map_.load_bias(*unit);
    for (std::size_t i = 0; i < was.size(); ++i) sum[i] += was[i];
    biases_[unit->base + ".bias"] = std::move(sum);
    add_zeros(neighbours, layer, width);
  }
  void add_zeros(std::initializer_list<Slot> slots, int layer, std::int64_t width) {
    for (const Slot slot : slots) {
      const auto unit = map_.find(slot, layer);
      if (unit && map_.load_bias(*unit).empty())
        biases_[unit->base + ".bias"] = std::vector<float>(static_cast<std::size_t>(width));
    }
  }

  void edit_config() {
    const model::ModelConfig& c = map_.config();
    const auto length = [](const auto& lists) {
      return static_cast<std::int64_t>(lists[0].size());
    };
    if (!structure_.channels.empty())
      config_[std::string(size_key(config_, {"intermediate_size", "ffn_dim", "n_inner",
                                             "ffn_hidden_size"}))] = length(structure_.channels);
    if (!structure_.groups.empty()) {
      config_["num_attention_heads"] = length(structure_.groups) * (c.heads / c.kv_heads);
      config_["num_key_value_heads"] = length(structure_.groups);
      config_["head_dim"] = c.head_dim;
    }
    if (!structure_.down_bias.empty() && config_.contains("mlp_bias")) config_["mlp_bias"] = true;
    if (!structure_.o_bias.empty() && config_.contains("attention_bias"))
      config_["attention_bias"] = true;
    if (!structure_.experts.empty()) edit_expert_count();
    if (structure_.layers.empty()) return;
    config_[std::string(size_key(config_, {"num_hidden_layers", "n_layer", "num_layers"}))] =
        structure_.layers.size();
    if (const Json* types = json_find(config_, "layer_types");
        types != nullptr && types->is_array()) {
      Json kept = Json::array();
      for (const std::int32_t layer : structure_.layers)
        kept.push_back(types->at(static_cast<std::size_t>(layer)));
      config_["layer_types"] = std::move(kept);
    }
  }

  void edit_expert_count() {
    std::size_t count = 0;
    for (int layer = 0; layer < map_.config().layers; ++layer)
      if (map_.config().sparse(layer)) count = experts_of(layer).size();
    const bool mixtral = json_text(config_, "model_type", "", "config.json") == "mixtral";
    const char* usual = mixtral ? "num_local_experts" : "num_experts";
    config_[usual] = count;
    for (const char* key : {"num_experts", "num_local_experts"})
      if (config_.contains(key)) config_[key] = count;
  }

  // The name with the expert's new number; "" when the expert goes.
  std::string expert_name(const std::string& name) const {
    for (const std::string_view suffix : {".weight", ".bias"})
      if (name.ends_with(suffix)) {
        const auto found = renamed_.find(name.substr(0, name.size() - suffix.size()));
        if (found == renamed_.end()) return name;
        return found->second.empty() ? "" : found->second + std::string(suffix);
      }
    return name;
  }

  // The name with the layer's new number; "" when the layer goes.
  std::string new_name(const std::string& name) {
    if (structure_.layers.empty()) return name;
    if (prefix_.empty()) {
      const std::string base = map_.linears_of(0).front().base;
      prefix_ = base.substr(0, base.find(".0.") + 1);
    }
    if (!name.starts_with(prefix_)) return name;
    int layer = 0;
    const char* begin = name.data() + prefix_.size();
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), layer);
    if (error != std::errc{} || end == name.data() + name.size() || *end != '.') return name;
    const auto found = std::lower_bound(structure_.layers.begin(), structure_.layers.end(), layer);
    if (found == structure_.layers.end() || *found != layer) return "";
    return fmt::format("{}{}{}", prefix_, found - structure_.layers.begin(),
                       std::string_view(end, name.data() + name.size()));
  }

  void copy(const io::TensorInfo& tensor, io::DerivedCheckpoint& made) {
    const std::string name = renamed_.empty() ? new_name(tensor.name) : expert_name(tensor.name);
    if (name.empty() || biases_.contains(tensor.name)) return;
    std::string base = tensor.name;
    if (base.ends_with(".weight")) base.resize(base.size() - 7);
    const auto found = cuts_.find(base);
    if (found == cuts_.end()) return made.take(tensor, name);
    put_cut(tensor, name, found->second, made);
  }

  void put_cut(const io::TensorInfo& tensor, const std::string& name, const Cut& cut,
               io::DerivedCheckpoint& made) const {
    const std::int64_t rows = tensor.shape[0];
    std::int64_t cols = 1;  // all but the outermost dimension
    for (std::size_t d = 1; d < tensor.shape.size(); ++d) cols *= tensor.shape[d];
    const std::size_t width = tensor.bytes.size() / static_cast<std::size_t>(rows * cols);
    const auto count = [](const std::vector<std::int32_t>& kept, std::int64_t all) {
      return kept.empty() ? all : std::ssize(kept);
    };
    const std::int64_t out_rows = count(cut.rows, rows), out_cols = count(cut.cols, cols);
    AlignedArray<std::byte> bytes(static_cast<std::size_t>(out_rows * out_cols) * width);
    std::byte* to = bytes.data();
    for (std::int64_t r = 0; r < out_rows; ++r) {
      const std::int64_t row = cut.rows.empty() ? r : cut.rows[static_cast<std::size_t>(r)];
      const std::byte* from = tensor.bytes.data() + static_cast<std::size_t>(row * cols) * width;
      if (cut.cols.empty()) {
        std::memcpy(to, from, static_cast<std::size_t>(cols) * width);
        to += static_cast<std::size_t>(cols) * width;
        continue;
      }
      for (const std::int32_t col : cut.cols) {
        std::memcpy(to, from + static_cast<std::size_t>(col) * width, width);
        to += width;
      }
    }
    io::TensorInfo info{name, tensor.dtype, tensor.shape, {}};
    info.shape[0] = out_rows;
    if (!cut.cols.empty()) info.shape[1] = out_cols;  // of a matrix
    made.put(std::move(info), std::move(bytes));
  }

  // In the type of its weight.
  void put_bias(const std::string& name, const std::vector<float>& values,
                io::DerivedCheckpoint& made) {
    const std::string base = name.substr(0, name.size() - 5);
    const std::string renamed = new_name(name);
    if (renamed.empty()) return;
    const io::TensorInfo* weight = map_.checkpoint().find(base + ".weight");
    const QuantizedTensor bias =
        make_vector(values, map_.checkpoint().matrix(base).value().scheme);
    AlignedArray<std::byte> bytes(bias.bytes());
    std::memcpy(bytes.data(), bias.parts[0].view().data(), bytes.size());
    made.put({renamed, weight->dtype, {std::ssize(values)}, {}}, std::move(bytes));
  }

  // What readers of the new configuration will make of it.
  void check_made(const io::Checkpoint& made) const {
    const model::ModelConfig& was = map_.config();
    const model::ModelConfig is = model::config_of(model::architecture_of(made), made);
    model::ModelConfig want = was;
    if (!structure_.channels.empty())
      want.intermediate = static_cast<std::int64_t>(structure_.channels[0].size());
    if (!structure_.groups.empty()) {
      want.kv_heads = static_cast<std::int64_t>(structure_.groups[0].size());
      want.heads = want.kv_heads * (was.heads / was.kv_heads);
    }
    if (!structure_.layers.empty()) {
      want.layers = std::ssize(structure_.layers);
      want.windows.clear();
      want.sparse_layers.clear();
      for (const std::int32_t layer : structure_.layers) {
        want.windows.push_back(was.windows[static_cast<std::size_t>(layer)]);
        if (was.experts > 0) want.sparse_layers.push_back(was.sparse(layer));
      }
    }
    for (int layer = 0; layer < was.layers && !structure_.experts.empty(); ++layer)
      if (was.sparse(layer)) want.experts = std::ssize(experts_of(layer));
    if (is.experts != want.experts || is.intermediate != want.intermediate ||
        is.heads != want.heads || is.kv_heads != want.kv_heads || is.head_dim != want.head_dim ||
        is.layers != want.layers)
      refuse("its configuration has no word for the new sizes");
    bool same = is.windows == want.windows && !was.scale_by_layer;
    for (std::int64_t l = 0; l < want.layers && want.experts > 0; ++l)
      same = same && is.sparse(l) == want.sparse_layers[static_cast<std::size_t>(l)];
    if (!structure_.layers.empty() && !same)
      refuse(
          "what a layer does follows its number in this architecture, so that taking layers out "
          "would change the others; take out channels or heads");
  }

  const model::TensorMap& map_;
  const Structure& structure_;
  Json config_;
  std::map<std::string, Cut> cuts_;                   // by base name, biases with ".bias"
  std::map<std::string, std::vector<float>> biases_;  // by the old name
  std::map<std::string, std::string> renamed_;        // bases of single experts; "": it goes
  std::string prefix_;                                // "model.layers."
};

}  // namespace

std::string why_no_bias(const model::TensorMap& map, bool of_mlp) {
  const auto unit = map.find(of_mlp ? Slot::kDown : Slot::kO, 0);
  if (!unit || !map.load_bias(*unit).empty()) return "";
  const Json& config = map.checkpoint().config();
  // Of Llama alone the word adds a bias to all of the linears and nothing else reads it.
  const bool llama = json_text(config, "model_type", "", "config.json") == "llama";
  const char* word = of_mlp ? "mlp_bias" : "attention_bias";
  if (llama && config.contains(word) && !map.find(Slot::kGateUp, 0)) return "";
  return fmt::format("{} has no bias in this architecture", unit->base);
}

std::unique_ptr<io::Checkpoint> apply_structure(const model::TensorMap& map,
                                                const Structure& structure) {
  return Builder(map, structure).build();
}

}  // namespace farthing::compress
