// A Llama checkpoint of random numbers, small enough to compress hundreds of times.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "formats/format.h"
#include "io/hf_directory.h"
#include "io/safetensors_writer.h"
#include "model/architecture.h"
#include "model/tensor_map.h"
#include "tensor/float16.h"
#include "tests/io/files.h"

namespace farthing {

struct TinyLlama {
  int layers = 3, hidden = 64, intermediate = 96, vocab = 101, heads = 4, kv_heads = 2;
  bool tied = false;
  std::map<std::string, std::string> texts = {{"tokenizer.json", "{\"model\": {}}"},
                                              {"generation_config.json", "{}"},
                                              {"chat_template.jinja", "{{ messages }}"}};

  std::string config() const {
    return fmt::format(
        R"({{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": {},
"intermediate_size": {}, "num_hidden_layers": {}, "num_attention_heads": {},
"num_key_value_heads": {}, "vocab_size": {}, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
"hidden_act": "silu", "rope_theta": 10000.0, "tie_word_embeddings": {}, "torch_dtype": "bfloat16"}})",
        hidden, intermediate, layers, heads, kv_heads, vocab, tied);
  }

  struct Numbers {
    std::vector<std::int64_t> shape;
    std::vector<Bf16> values;
  };
  std::map<std::string, Numbers> tensors() const {
    std::map<std::string, Numbers> all;
    Random random(7);
    // A bell of this spread, or, for norms (0), numbers around 1.
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, double spread) {
      std::int64_t count = 1;
      for (const std::int64_t n : shape) count *= n;
      Numbers& numbers = all[name];
      numbers.shape = std::move(shape);
      for (std::int64_t i = 0; i < count; ++i) {
        const double bell = random.uniform() + random.uniform() + random.uniform() - 1.5;
        const double value = spread > 0 ? bell * spread : 1 + bell * 0.1;
        numbers.values.push_back(to_bf16(static_cast<float>(value)));
      }
    };
    const int kv = hidden / heads * kv_heads;
    add("model.embed_tokens.weight", {vocab, hidden}, 0.5);
    if (!tied) add("lm_head.weight", {vocab, hidden}, 0.5);
    add("model.norm.weight", {hidden}, 0);
    for (int l = 0; l < layers; ++l) {
      const std::string p = "model.layers." + std::to_string(l) + ".";
      add(p + "input_layernorm.weight", {hidden}, 0);
      add(p + "post_attention_layernorm.weight", {hidden}, 0);
      add(p + "self_attn.q_proj.weight", {hidden, hidden}, 0.2);
      add(p + "self_attn.k_proj.weight", {kv, hidden}, 0.2);
      add(p + "self_attn.v_proj.weight", {kv, hidden}, 0.2);
      add(p + "self_attn.o_proj.weight", {hidden, hidden}, 0.2);
      add(p + "mlp.gate_proj.weight", {intermediate, hidden}, 0.2);
      add(p + "mlp.up_proj.weight", {intermediate, hidden}, 0.2);
      add(p + "mlp.down_proj.weight", {hidden, intermediate}, 0.2);
    }
    return all;
  }

  // Writes the checkpoint; `edit` may change a tensor's numbers by its name.
  template <class Edit>
  std::string write(const io::TempDir& dir, std::string_view name, Edit edit) const {
    const std::string folder(name);
    dir.write(folder + "/config.json", config());
    for (const auto& [file, text] : texts) dir.write(folder + "/" + file, text);
    auto all = tensors();
    std::vector<io::TensorInfo> infos;
    for (auto& [tensor, numbers] : all) {
      edit(tensor, numbers.values);
      infos.push_back(
          {tensor, "BF16", numbers.shape, std::as_bytes(std::span<const Bf16>(numbers.values))});
    }
    io::write_safetensors(dir.path(folder + "/model.safetensors"), infos);
    return dir.path(folder);
  }
  std::string write(const io::TempDir& dir, std::string_view name = "model") const {
    return write(dir, name, [](const std::string&, std::vector<Bf16>&) {});
  }
};

// A checkpoint with its map.
struct OpenModel {
  explicit OpenModel(const std::string& path)
      : checkpoint(io::Checkpoint::open(path)),
        config(model::read_config(model::find_architecture(checkpoint->config()),
                                  checkpoint->config(), false)),
        map(model::find_architecture(checkpoint->config()), config, *checkpoint) {}
  std::unique_ptr<io::Checkpoint> checkpoint;
  model::ModelConfig config;
  model::TensorMap map;

  std::vector<float> floats(std::string_view base, int slice = 0, int slices = 1) const {
    const auto matrix = checkpoint->matrix(base, slice, slices).value();
    std::vector<float> numbers(static_cast<std::size_t>(matrix.shape.size()));
    matrix.format->dequantize(matrix, 0, {numbers.data(), matrix.shape.rows, matrix.shape.cols});
    return numbers;
  }
};

// All files of a directory and what is in them.
inline std::map<std::string, std::string> files_of(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[std::filesystem::relative(entry.path(), directory)] = {
        std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

}  // namespace farthing
