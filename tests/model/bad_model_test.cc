// Configurations and weights that contradict themselves or each other: each must end in one
// sentence that blames the file.
#include <gmock/gmock.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "model/model.h"
#include "tests/io/files.h"

namespace farthing::model {
namespace {

// A Llama of one layer with hidden size 8, all weights zero, which a test spoils.
class TinyLlama {
 public:
  TinyLlama() {
    config = Json::parse(R"({"architectures":["LlamaForCausalLM"],"hidden_size":8,
      "intermediate_size":12,"num_hidden_layers":1,"num_attention_heads":2,
      "num_key_value_heads":1,"vocab_size":5,"max_position_embeddings":32,"rms_norm_eps":1e-5,
      "rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false})");
    add("model.embed_tokens.weight", {5, 8});
    add("lm_head.weight", {5, 8});
    add("model.norm.weight", {8});
    const std::string layer = "model.layers.0.";
    add(layer + "input_layernorm.weight", {8});
    add(layer + "post_attention_layernorm.weight", {8});
    add(layer + "self_attn.q_proj.weight", {8, 8});
    add(layer + "self_attn.k_proj.weight", {4, 8});
    add(layer + "self_attn.v_proj.weight", {4, 8});
    add(layer + "self_attn.o_proj.weight", {8, 8});
    add(layer + "mlp.gate_proj.weight", {12, 8});
    add(layer + "mlp.up_proj.weight", {12, 8});
    add(layer + "mlp.down_proj.weight", {8, 12});
  }
  void add(const std::string& name, std::vector<std::int64_t> shape) {
    std::int64_t size = 4;
    for (const std::int64_t dim : shape) size *= dim;
    const ByteSpan bytes = io::as_bytes(zeros_).subspan(0, static_cast<std::size_t>(size));
    tensors.push_back({name, "F32", std::move(shape), bytes});
  }
  io::TensorInfo& tensor(const std::string& name) {
    for (io::TensorInfo& one : tensors)
      if (one.name == name) return one;
    throw std::out_of_range(name);
  }
  void remove(const std::string& name) {
    std::erase_if(tensors, [&](const io::TensorInfo& one) { return one.name == name; });
  }
  // Writes the files and loads them.
  void load() const {
    dir.write("config.json", config.dump());
    io::write_safetensors(dir.path("model.safetensors"), tensors);
    const auto checkpoint = io::Checkpoint::open(dir.path());
    Runtime runtime(1);
    Model::load(runtime, *checkpoint);
  }

  Json config;
  std::vector<io::TensorInfo> tensors;

 private:
  std::string zeros_ = std::string(1024, '\0');
  io::TempDir dir;
};

TEST(BadModel, IsNoneWhenNothingIsSpoiled) { EXPECT_NO_THROW(TinyLlama().load()); }

struct BadKey {
  const char* key;
  const char* value;  // JSON; "" removes the key
  const char* says;   // part of the message
  Fault fault = Fault::kBadInput;
};
class BadConfig : public testing::TestWithParam<BadKey> {};

TEST_P(BadConfig, IsRefused) {
  TinyLlama model;
  const BadKey& bad = GetParam();
  if (*bad.value == '\0')
    model.config.erase(bad.key);
  else
    model.config[bad.key] = Json::parse(bad.value);
  const io::Complaint complaint = io::complaint_of([&] { model.load(); });
  EXPECT_EQ(complaint.fault, bad.fault) << complaint.text;
  EXPECT_THAT(complaint.text, testing::HasSubstr(bad.says));
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, BadConfig,
    testing::Values(BadKey{"hidden_size", "0", "hidden_size must be"},
                    BadKey{"hidden_size", "-8", "hidden_size must be"},
                    BadKey{"hidden_size", "2147483648", "hidden_size must be"},
                    BadKey{"hidden_size", "\"8\"", "\"hidden_size\" must be an integer"},
                    BadKey{"hidden_size", "", "hidden_size must be"},
                    BadKey{"hidden_size", "12", "must have the shape"},
                    BadKey{"num_attention_heads", "0", "num_attention_heads must be"},
                    BadKey{"num_attention_heads", "3", "multiple of num_attention_heads"},
                    BadKey{"num_key_value_heads", "0", "num_key_value_heads must be"},
                    BadKey{"num_key_value_heads", "4", "num_key_value_heads must be"},
                    BadKey{"num_hidden_layers", "0", "num_hidden_layers must be"},
                    BadKey{"num_hidden_layers", "1000000000", "num_hidden_layers must be"},
                    BadKey{"num_hidden_layers", "2", "layer 1"},
                    BadKey{"intermediate_size", "-1", "intermediate_size must be"},
                    BadKey{"vocab_size", "6", "must have the shape"},
                    BadKey{"vocab_size", "0", "vocab_size must be"},
                    BadKey{"head_dim", "3", "even number of features"},
                    BadKey{"head_dim", "-4", "head_dim must be"},
                    BadKey{"max_position_embeddings", "0", "max_position_embeddings must be"},
                    BadKey{"max_position_embeddings", "100000000000000",
                           "max_position_embeddings must be"}));
INSTANTIATE_TEST_SUITE_P(
    Numbers, BadConfig,
    testing::Values(
        BadKey{"rope_theta", "0", "rope_theta must be"},
        BadKey{"rope_theta", "-1.5", "rope_theta must be"},
        BadKey{"rope_theta", "\"1e4\"", "must be a number"},
        BadKey{"rope_scaling", R"({"rope_type":"magic","factor":2})", "magic", Fault::kUnsupported},
        BadKey{"rope_scaling", R"({"rope_type":"linear","factor":0})", "factor must be"},
        BadKey{"rms_norm_eps", "0", "epsilon must be"},
        BadKey{"rms_norm_eps", "\"small\"", "must be a number"},
        BadKey{"hidden_act", "\"sin\"", "sin", Fault::kUnsupported},
        BadKey{"tie_word_embeddings", "\"yes\"", "must be true or false"}));
INSTANTIATE_TEST_SUITE_P(Names, BadConfig,
                         testing::Values(BadKey{"architectures", "[\"NoSuchForCausalLM\"]",
                                                "known: LlamaForCausalLM", Fault::kUnsupported},
                                         BadKey{"architectures", "[7]", "must be a list of names"},
                                         BadKey{"architectures", "", "is not supported",
                                                Fault::kUnsupported},
                                         BadKey{"architectures", "[\"\\u001b[31mx\\n\"]",
                                                "\\x1b[31mx\\x0a", Fault::kUnsupported}));

TEST(BadWeights, AreRefusedWithoutAnyTensorOfTheModel) {
  std::vector<std::string> names;
  for (const io::TensorInfo& tensor : TinyLlama().tensors) names.push_back(tensor.name);
  for (const std::string& name : names) {
    TinyLlama model;
    model.remove(name);
    EXPECT_EQ(io::complaint_of([&] { model.load(); }).fault, Fault::kBadInput) << name;
  }
}

TEST(BadWeights, AreRefusedInAnyOtherShape) {
  std::vector<std::string> names;
  for (const io::TensorInfo& tensor : TinyLlama().tensors) names.push_back(tensor.name);
  for (const std::string& name : names) {
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{8, 12, 1}, {2, 2}, {1, 7}, {0, 8}, {}}) {
      TinyLlama model;
      model.remove(name);
      model.add(name, shape);
      EXPECT_EQ(io::complaint_of([&] { model.load(); }).fault, Fault::kBadInput)
          << name << " " << testing::PrintToString(shape);
    }
  }
  TinyLlama turned;
  turned.tensor("model.layers.0.mlp.up_proj.weight").shape = {8, 12};
  EXPECT_COMPLAINT(kBadInput, "must have the shape [12, 8]", turned.load());
}

TEST(BadWeights, MayHaveTensorsThatNobodyNeeds) {
  TinyLlama model;
  model.add("model.layers.0.self_attn.rotary_emb.inv_freq", {2});
  EXPECT_NO_THROW(model.load());
}

TEST(BadWeights, MayHaveAHeadBesideTiedEmbeddings) {
  TinyLlama model;
  model.config["tie_word_embeddings"] = true;
  EXPECT_NO_THROW(model.load());
}

// A golden checkpoint with these keys otherwise and without the tensors whose names hold `without`.
void load_changed(const std::string& name, const Json& keys, std::string_view without = "\n") {
  const std::string from = FARTHING_SOURCE_DIR "/tests/golden/architectures/" + name;
  Json config = read_json_file(from + "/config.json");
  for (const auto& [key, value] : keys.items()) config[key] = value;
  const io::SafetensorsFile file(from + "/model.safetensors");
  std::vector<io::TensorInfo> tensors = file.content().tensors;
  std::erase_if(tensors, [&](const io::TensorInfo& tensor) {
    return tensor.name.find(without) != std::string::npos;
  });
  const io::TempDir dir;
  dir.write("config.json", config.dump());
  io::write_safetensors(dir.path("model.safetensors"), tensors);
  const auto checkpoint = io::Checkpoint::open(dir.path());
  Runtime runtime(1);
  Model::load(runtime, *checkpoint);
}

// With embeddings of no width nothing else would hold the vocabulary to the matrices' rows.
TEST(BadWidths, OfEmbeddingsAreRefused) {
  EXPECT_COMPLAINT(kBadInput, "word_embed_proj_dim must be from 1",
                   load_changed("opt", {{"word_embed_proj_dim", 0}, {"vocab_size", 50}}));
  EXPECT_COMPLAINT(kBadInput, "must have the shape",
                   load_changed("opt", {{"word_embed_proj_dim", 16}}));
  EXPECT_NO_THROW(load_changed("opt-post-norm-projected", Json::object()));
  EXPECT_COMPLAINT(kBadInput, "project between them",
                   load_changed("opt-post-norm-projected", Json::object(), "project_in"));
  EXPECT_COMPLAINT(kBadInput, "project between them",
                   load_changed("opt-post-norm-projected", Json::object(), "project_out"));
}

TEST(BadHeads, OfArchitecturesWithAKeyOfTheirOwnAreRefused) {
  EXPECT_COMPLAINT(kBadInput, "multiple of num_key_value_heads",
                   load_changed("falcon-40b", {{"num_kv_heads", 3}}));
  EXPECT_COMPLAINT(kBadInput, "num_key_value_heads must be from 1 to 4",
                   load_changed("falcon-40b", {{"num_kv_heads", 8}}));
}

// transformers does not look at the key, and the rows of a head lie side by side for all heads.
TEST(BadHeads, AKeyThatTheArchitectureDoesNotHaveChangesNothing) {
  EXPECT_NO_THROW(load_changed("gpt-neox-parallel", {{"num_key_value_heads", 1}}));
  EXPECT_NO_THROW(load_changed("bloom", {{"num_key_value_heads", 1}}));
}

}  // namespace
}  // namespace farthing::model
