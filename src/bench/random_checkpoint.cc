#include "bench/random_checkpoint.h"

#include <map>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::bench {
namespace {

struct KnownShape {
  std::string_view name;
  int hidden, layers, heads, kv_heads, intermediate, vocab, max_positions;
  bool tied;
};
constexpr KnownShape kShapes[] = {
    {"tinyllama-1.1b", 2048, 22, 32, 4, 5632, 32000, 16384, false},
    {"llama-3.2-1b", 2048, 16, 32, 8, 8192, 128256, 16384, true},
    {"llama-2-7b", 4096, 32, 32, 32, 11008, 32000, 16384, false},
    {"smollm2-135m", 576, 30, 9, 3, 1536, 49152, 8192, true},
};

class RandomCheckpoint final : public io::Checkpoint {
 public:
  RandomCheckpoint(Runtime& runtime, const KnownShape& s, const QuantScheme& scheme,
                   const QuantScheme& head)
      : runtime_(runtime), name_(s.name), scheme_(scheme) {
    config_ = {{"architectures", {"LlamaForCausalLM"}},
               {"model_type", "llama"},
               {"hidden_size", s.hidden},
               {"num_hidden_layers", s.layers},
               {"num_attention_heads", s.heads},
               {"num_key_value_heads", s.kv_heads},
               {"intermediate_size", s.intermediate},
               {"vocab_size", s.vocab},
               {"max_position_embeddings", s.max_positions},
               {"rms_norm_eps", 1e-5},
               {"hidden_act", "silu"},
               {"tie_word_embeddings", s.tied}};
    const int kv = s.hidden / s.heads * s.kv_heads;
    add("model.embed_tokens", {s.vocab, s.hidden}, head);
    if (!s.tied) add("lm_head", {s.vocab, s.hidden}, head);
    add("model.norm", {1, s.hidden}, parse_scheme("fp32"));
    for (int l = 0; l < s.layers; ++l) {
      const std::string layer = fmt::format("model.layers.{}.", l);
      for (std::string_view norm : {"input_layernorm", "post_attention_layernorm"})
        add(layer + std::string(norm), {1, s.hidden}, parse_scheme("fp32"));
      add(layer + "self_attn.q_proj", {s.hidden, s.hidden}, scheme);
      add(layer + "self_attn.k_proj", {kv, s.hidden}, scheme);
      add(layer + "self_attn.v_proj", {kv, s.hidden}, scheme);
      add(layer + "self_attn.o_proj", {s.hidden, s.hidden}, scheme);
      add(layer + "mlp.gate_proj", {s.intermediate, s.hidden}, scheme);
      add(layer + "mlp.up_proj", {s.intermediate, s.hidden}, scheme);
      add(layer + "mlp.down_proj", {s.hidden, s.intermediate}, scheme);
    }
    for (const auto& [base, unit] : units_)
      infos_.push_back({.name = base + ".weight",
                        .dtype = "",
                        .shape = {unit.shape.rows, unit.shape.cols},
                        .bytes = {}});
    for (const io::TensorInfo& info : infos_) by_name_[info.name] = &info;
  }

  std::string path() const override { return name_; }
  bool is_gguf() const override { return false; }
  const Json& config() const override { return config_; }
  std::optional<std::string> text_file(std::string_view) const override { return std::nullopt; }
  const Json* metadata() const override { return nullptr; }
  std::span<const io::TensorInfo> tensors() const override { return infos_; }
  const io::TensorInfo* find(std::string_view name) const override {
    const auto it = by_name_.find(std::string(name));
    return it == by_name_.end() ? nullptr : it->second;
  }

  std::optional<QuantizedTensor> matrix(std::string_view base, int, int) const override {
    const auto it = units_.find(std::string(base));
    if (it == units_.end()) return std::nullopt;
    QuantizedTensor tensor = allocate_tensor(it->second.shape, it->second.scheme.weights);
    // The same few random rows again and again: what they hold does not change the speed.
    constexpr std::int64_t kRows = 64;
    const std::int64_t cols = tensor.shape.cols;
    Matrix<float> random(std::min(kRows, tensor.shape.rows), cols);
    Random generator(static_cast<std::uint64_t>(cols));
    const auto rows = random.view();
    for (std::int64_t r = 0; r < rows.rows; ++r)
      for (float& x : rows.row(r)) x = static_cast<float>(generator.uniform() - 0.5) * 0.05f;
    runtime_.parallel(tensor.shape.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; r += kRows)
        tensor.format->quantize(tensor, r, rows.rows_from(0, std::min(kRows, end - r)),
                                {.method = RoundMethod::kMinMax, .importance = {}});
    });
    return tensor;
  }
  std::optional<ActivationScheme> activations(std::string_view base) const override {
    const auto it = units_.find(std::string(base));
    if (it == units_.end()) return std::nullopt;
    return it->second.scheme.activations;
  }
  void release(const QuantizedTensor&) const override {}

 private:
  struct Unit {
    Shape shape;
    QuantScheme scheme;
  };
  void add(const std::string& base, Shape shape, QuantScheme scheme) {
    scheme.weights = fit_to_row(scheme.weights, shape.cols);
    units_[base] = {shape, scheme};
  }
  Runtime& runtime_;
  std::string name_;
  QuantScheme scheme_;
  Json config_;
  std::map<std::string, Unit> units_;
  std::vector<io::TensorInfo> infos_;
  std::map<std::string, const io::TensorInfo*> by_name_;
};

const KnownShape& find_shape(std::string_view shape) {
  std::vector<std::string_view> known;
  for (const KnownShape& s : kShapes) {
    if (s.name == shape) return s;
    known.push_back(s.name);
  }
  usage_error("unknown shape \"{}\"; known: {}", printable(shape), join(known, ", "));
}

}  // namespace

std::unique_ptr<io::Checkpoint> random_checkpoint(Runtime& runtime, std::string_view shape,
                                                  const QuantScheme& scheme,
                                                  const QuantScheme& head) {
  return std::make_unique<RandomCheckpoint>(runtime, find_shape(shape), scheme, head);
}

double random_checkpoint_bytes(std::string_view shape, const QuantScheme& scheme,
                               const QuantScheme& head) {
  const KnownShape& s = find_shape(shape);
  const auto bytes = [](const QuantScheme& q, double rows, std::int64_t cols) {
    const double bits = bits_per_weight(fit_to_row(q.weights, cols), cols);
    return bits / 8 * rows * static_cast<double>(cols);
  };
  const double kv = static_cast<double>(s.hidden) / s.heads * s.kv_heads;
  const double layer = bytes(scheme, 2.0 * s.hidden + 2 * kv + 2.0 * s.intermediate, s.hidden) +
                       bytes(scheme, s.hidden, s.intermediate);
  return s.layers * layer + (s.tied ? 1 : 2) * bytes(head, s.vocab, s.hidden);
}

}  // namespace farthing::bench
