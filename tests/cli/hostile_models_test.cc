// The catalogue of bad model files (docs/hostile-input.md) through the program itself: each ends
// in one sentence, with exit code 3 or 4, within a bounded memory.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "io/json.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"
#include "tests/io/gguf_file.h"

namespace farthing::cli {
namespace {

using io::raw;

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::string_view kTokenizer =
    R"({"added_tokens": [{"id": 0, "content": "<s>", "special": true}], "model": {"type": "BPE",
    "vocab": {"<s>": 0, "a": 1, "b": 2, "s": 3, "<": 4, ">": 5, "ab": 6}, "merges": ["a b"]}})";
constexpr std::string_view kTemplate = "{% for m in messages %}<s>{{ m.content }}{% endfor %}";
const std::string kLfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";

// A sound model in a directory of its own, of which a case spoils something.
struct Model {
  Model() {
    llama.layers = 1;
    llama.texts = {{"tokenizer.json", std::string(kTokenizer)},
                   {"chat_template.jinja", std::string(kTemplate)}};
    path = llama.write(dir);
  }
  void put(const std::string& file, std::string_view content) const {
    fs::remove(path + "/" + file);
    dir.write("model/" + file, content);
  }
  void configure(const char* key, const char* json) const {
    Json config = Json::parse(llama.config());
    config[key] = Json::parse(json);
    put("config.json", config.dump());
  }
  void weights(std::string_view header, std::string_view data = "") const {
    put("model.safetensors", io::safetensors(header, data));
  }
  void link(const std::string& target) const {
    fs::remove(path + "/model.safetensors");
    fs::create_symlink(target, path + "/model.safetensors");
  }
  TinyLlama llama;
  io::TempDir dir;
  std::string path;
};

// What spoils a model, and what the program then says.
struct Case {
  const char* name;
  void (*spoil)(const Model&);
  const char* says;
  int code = 3;
  std::vector<std::string> verb = {"logits", "--tokens", "1"};
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

void expect_sentence(const Outcome& outcome, int code, std::string_view says) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(says));
  EXPECT_TRUE(outcome.err.starts_with("farthing: ")) << outcome.err;
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  EXPECT_LT(outcome.err.size(), 1000u);
  for (const char c : std::string_view(outcome.err).substr(0, outcome.err.size() - 1))
    EXPECT_GE(static_cast<unsigned char>(c), 0x20u) << outcome.err;
}

std::string name_of(const testing::TestParamInfo<Case>& one) { return one.param.name; }

class HostileModel : public testing::TestWithParam<Case> {};

TEST_P(HostileModel, EndsInOneSentence) {
  const Case& one = GetParam();
  const Model model;
  one.spoil(model);
  std::vector<std::string> arguments = one.verb;
  arguments.insert(arguments.begin() + 1, model.path);
  if (arguments[0] == "logits") arguments.insert(arguments.end(), {"--out", model.dir.path("o")});
  const Outcome outcome = farthing(arguments, {.memory_limit = rlim_t{1} << 30});
  expect_sentence(outcome, one.code, one.says);
}

const std::vector<std::string> kTokenize = {"tokenize", "--text", "ab"};
const std::vector<std::string> kChat = {"generate", "--chat", "--prompt", "a", "--quiet"};

INSTANTIATE_TEST_SUITE_P(
    Safetensors, HostileModel,
    testing::Values(
        Case{"01_empty", [](const Model& m) { m.put("model.safetensors", ""); }, "is empty"},
        Case{"01_short", [](const Model& m) { m.put("model.safetensors", "1234567"); }, "7 bytes"},
        Case{"01_directory", [](const Model& m) { m.link("."); }, "it is a directory"},
        Case{"01_device", [](const Model& m) { m.link("/dev/random"); }, "it is a device"},
        Case{"01_pipe",
             [](const Model& m) {
               fs::remove(m.path + "/model.safetensors");
               ASSERT_EQ(mkfifo((m.path + "/model.safetensors").c_str(), 0600), 0);
             },
             "it is a pipe"},
        Case{"02_length_zero",
             [](const Model& m) {
               m.put("model.safetensors", io::raw<std::uint64_t>(0) + "{\"a\":1}");
             },
             "found no header at all"},
        Case{"02_length_huge",
             [](const Model& m) {
               m.put("model.safetensors", io::raw(~std::uint64_t{0}) + "{\"a\":1}");
             },
             "its header would have 18446744073709551615 bytes"},
        Case{"02_length_past_the_end",
             [](const Model& m) {
               m.put("model.safetensors", io::raw<std::uint64_t>(99'999'999) + "{\"a\":1}");
             },
             "needs 99999999 bytes, the file has 7 left"},
        Case{"03_nested", [](const Model& m) { m.weights("{\"a\":" + std::string(100'000, '[')); },
             "nested deeper"},
        Case{"03_not_utf8", [](const Model& m) { m.weights("{\"a\xff\":1}"); }, "not valid JSON"},
        Case{"04_twice", [](const Model& m) { m.weights(R"({"a":{},"a":{}})"); },
             "\"a\" occurs twice"},
        Case{"05_hole",
             [](const Model& m) {
               m.weights(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "12");
             },
             "no gaps"},
        Case{"05_past_the_end",
             [](const Model& m) {
               m.weights(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "12");
             },
             "is it complete"},
        Case{"05_polyglot", [](const Model& m) { m.weights("{}", "PK\x03\x04"); }, "bytes follow"},
        Case{"06_overflow",
             [](const Model& m) {
               m.weights(
                   R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
                   "12345678");
             },
             "overflows 64 bits"},
        Case{"07_dtype",
             [](const Model& m) {
               m.weights(R"({"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,1]}})", "1");
             },
             "unknown dtype \"Q9\"", 4},
        Case{"09_outside",
             [](const Model& m) {
               fs::remove(m.path + "/model.safetensors");
               m.put("model.safetensors.index.json",
                     R"({"weight_map":{"a":"../../x.safetensors"}})");
             },
             "of the same directory"},
        Case{"09_missing_shard",
             [](const Model& m) {
               fs::remove(m.path + "/model.safetensors");
               m.put("model.safetensors.index.json",
                     R"({"weight_map":{"a":"\u001b[31mx.safetensors"}})");
             },
             "the shard \\x1b[31mx.safetensors"},
        Case{"09_loop", [](const Model& m) { m.link("model.safetensors"); }, "no weights"},
        Case{"10_git_lfs", [](const Model& m) { m.put("model.safetensors", kLfs); },
             "git lfs pull"},
        Case{"10_web_page",
             [](const Model& m) { m.put("model.safetensors", "<!DOCTYPE html><p>404"); },
             "web page"},
        Case{"10_unfinished",
             [](const Model& m) {
               fs::rename(m.path + "/model.safetensors", m.path + "/model.safetensors.incomplete");
             },
             "was not finished"},
        Case{"11_pickle_alone",
             [](const Model& m) {
               fs::remove(m.path + "/model.safetensors");
               m.put("pytorch_model.bin", "\x80\x02}q");
             },
             "convert them to safetensors", 4},
        Case{"11_pickle_renamed",
             [](const Model& m) { m.put("model.safetensors", "PK\x03\x04 archive/data.pkl"); },
             "pickle", 4}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Configuration, HostileModel,
    testing::Values(
        Case{"12_hidden_size", [](const Model& m) { m.configure("hidden_size", "2147483648"); },
             "/config.json: hidden_size must be"},
        Case{"12_layers", [](const Model& m) { m.configure("num_hidden_layers", "1000000000"); },
             "/config.json: num_hidden_layers must be"},
        Case{"12_architecture",
             [](const Model& m) { m.configure("architectures", "[\"NoSuch\"]"); },
             "known: LlamaForCausalLM", 4},
        Case{"12_architecture_inspected",
             [](const Model& m) { m.configure("architectures", "[\"NoSuch\"]"); },
             "/config.json: architecture \"NoSuch\"",
             4,
             {"inspect"}},
        Case{"12_rope", [](const Model& m) { m.configure("rope_theta", "0"); }, "rope_theta"},
        Case{"12_device",
             [](const Model& m) {
               fs::remove(m.path + "/config.json");
               fs::create_symlink("/dev/zero", m.path + "/config.json");
             },
             "it is a device"},
        Case{"13_more_layers", [](const Model& m) { m.configure("num_hidden_layers", "2"); },
             "layer 1"},
        Case{"13_another_shape", [](const Model& m) { m.configure("vocab_size", "102"); },
             "must have the shape [102, 64]"},
        Case{"14_empty",
             [](const Model& m) { m.put("tokenizer.json", R"({"model":{"vocab":{}}})"); },
             "vocabulary is empty", 3, kTokenize},
        Case{"14_negative_id",
             [](const Model& m) {
               m.put("tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})");
             },
             "ids run from 0", 3, kTokenize},
        Case{"14_merge",
             [](const Model& m) {
               m.put("tokenizer.json",
                     R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}})");
             },
             "which the vocabulary lacks", 3, kTokenize},
        Case{"14_backtracking",
             [](const Model& m) {
               m.put("tokenizer.json",
                     R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]},"pre_tokenizer":
                     {"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Isolated"}})");
             },
             "too many steps",
             3,
             {"tokenize", "--text", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}},
        Case{"14_part",
             [](const Model& m) {
               m.put("tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},)"
                                       R"("pre_tokenizer":{"type":"Magic"}})");
             },
             "pre-tokenizer \"Magic\"", 4, kTokenize},
        Case{"14_sampling",
             [](const Model& m) {
               m.put("generation_config.json", R"({"do_sample":true,"top_p":7})");
             },
             "generation_config.json: top_p must be", 3, kChat},
        Case{"15_loops",
             [](const Model& m) {
               m.put("chat_template.jinja",
                     "{% for i in range(99999) %}{% for j in range(99999) %}"
                     "{% endfor %}{% endfor %}");
             },
             "does one of its loops end?", 3, kChat},
        Case{"15_recursion",
             [](const Model& m) {
               m.put("chat_template.jinja", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
             },
             "levels deep", 3, kChat},
        Case{"15_output",
             [](const Model& m) {
               m.put("chat_template.jinja",
                     "{% for i in range(99999) %}{{ 'a' * 999 }}{% endfor %}");
             },
             "output is longer", 3, kChat},
        Case{"15_escape",
             [](const Model& m) { m.put("chat_template.jinja", "{{ ''.__class__.__mro__ }}"); },
             "is unsafe", 3, kChat},
        Case{"15_absent", [](const Model& m) { fs::remove(m.path + "/chat_template.jinja"); },
             "has no chat template", 3, kChat}),
    name_of);

// Case 8: damaged weights are found where they are read or used, not in the answer.
TEST(HostileModel, WeightsThatAreNoNumbersAreRefused) {
  const io::TempDir dir;
  TinyLlama llama;
  llama.layers = 1;
  llama.texts = {{"tokenizer.json", std::string(kTokenizer)}};
  for (const std::uint16_t bits : {0x7FC0, 0x7F80, 0xFF80}) {  // NaN, infinity, -infinity
    const std::string model =
        llama.write(dir, std::to_string(bits), [&](const std::string& name, auto& values) {
          if (name == "model.layers.0.mlp.up_proj.weight") values[5] = Bf16{bits};
        });
    expect_sentence(farthing({"compress", model, dir.path("out" + std::to_string(bits)), "--scheme",
                              "w4g32", "--quiet"}),
                    3, "weights must be numbers");
  }
  const std::string model = llama.write(dir, "nan", [&](const std::string& name, auto& values) {
    if (name == "model.norm.weight") values[5] = Bf16{0x7FC0};
  });
  for (const char* temperature : {"0", "1"})
    expect_sentence(
        farthing({"generate", model, "--tokens", "1,2", "--quiet", "--temperature", temperature}),
        3, "logits are not numbers");
  const std::string text = dir.write("t.txt", std::string(200, 'a') + std::string(200, 'b'));
  expect_sentence(
      farthing({"eval", model, "--text", text, "--context", "8", "--windows", "2", "--quiet"}), 3,
      "logits of the model are not numbers");
}

TEST(HostileModel, AGroupOfZerosIsCompressedAndRuns) {
  const io::TempDir dir;
  TinyLlama llama;
  llama.layers = 1;
  llama.texts = {{"tokenizer.json", std::string(kTokenizer)}};
  const std::string model = llama.write(dir, "zeros", [&](const std::string& name, auto& values) {
    if (name == "model.layers.0.mlp.up_proj.weight") std::ranges::fill(values, Bf16{0});
  });
  for (const char* scheme : {"w4g32", "w4g32-asym", "w8c", "w2g16"}) {
    const std::string out = dir.path(scheme);
    ASSERT_EQ(farthing({"compress", model, out, "--scheme", scheme}).code, 0);
    EXPECT_EQ(farthing({"generate", out, "--tokens", "1,2", "--max-tokens", "2"}).code, 0);
  }
}

TEST(HostileModel, SpecialTokensInAMessageStayText) {  // case 16
  const Model model;
  const Outcome parsed = farthing({"tokenize", model.path, "--text", "a<s>b"});
  EXPECT_EQ(parsed.out, "{\"ids\":[1,0,2]}\n");
  const Outcome content = farthing({"tokenize", model.path, "--text", "a<s>b", "--as-content"});
  EXPECT_EQ(content.out, "{\"ids\":[1,4,3,5,2]}\n");
  const Outcome chat = farthing({"generate", model.path, "--chat", "--prompt", "a<s>b", "--quiet",
                                 "--max-tokens", "1", "--json", "-"});
  EXPECT_EQ(parse_json(chat.out, "json")["prompt_ids"], Json({0, 1, 4, 3, 5, 2})) << chat.err;
}

// Cases 17 to 26: the parser's tests are in tests/io/gguf_test.cc; here what the program does.
TEST(HostileModel, DamagedGgufFilesEndInOneSentenceWhateverTheVerb) {
  using namespace io::gguf_file;
  const io::TempDir dir;
  const auto kv = pair("general.architecture", "llama");
  const auto one = [](std::uint64_t offset, std::uint32_t type = kF32,
                      std::vector<std::uint64_t> dims = {8}) {
    return File{.pairs = {pair("general.architecture", "llama")},
                .tensors = {tensor("token_embd.weight", std::move(dims), type, offset)},
                .data = std::string(32, 'x')};
  };
  const std::string nested = text("k") + raw<std::uint32_t>(9) + raw<std::uint32_t>(9);
  const struct {
    std::string bytes;
    const char* says;
    int code = 3;
  } files[] = {
      {"GGUF", "version"},
      {kLfs, "git lfs pull"},
      {File{.magic = "FUGG"}.bytes(), "must start with"},
      {File{.version = 9}.bytes(), "GGUF version 9", 4},
      {File{.pairs = {pair<std::uint32_t>("general.alignment", 4, 13)}}.bytes(), "power of two"},
      {File{.pairs = {nested + std::string(100, '\1')}}.bytes(), "array of arrays", 4},
      {"GGUF" + raw<std::uint32_t>(3) + raw(std::uint64_t{1} << 63) + raw<std::uint64_t>(0),
       "cannot hold 9223372036854775808 tensors"},
      {one(std::uint64_t{1} << 40).bytes(), "must start at byte 0"},
      {one(0, kF32, {1024}).bytes(), "is it complete"},
      {one(0, kF32, {0, 8}).bytes(), "found 0"},
      {File{.pairs = {kv, kv}}.bytes(), "occurs twice"},
      {File{.version = 3u << 24}.bytes(), "big-endian", 4},
      {one(0, 99).bytes(), "unknown tensor type 99", 4},
      {File{.pairs = {kv, pair<std::uint16_t>("split.no", 2, 0),
                      pair<std::uint16_t>("split.count", 2, 2)}}
           .bytes(),
       "split.count 2"},
      {one(0).bytes(), "(its metadata, in Hugging Face's words)"}};
  for (const auto& [bytes, says, code] : files) {
    const std::string path = dir.write("m.gguf", bytes);
    for (const std::vector<std::string>& verb :
         {std::vector<std::string>{"inspect", path},
          {"logits", path, "--tokens", "1", "--out", dir.path("o")}})
      expect_sentence(farthing(verb, {.memory_limit = rlim_t{1} << 30}), code, says);
  }
}

TEST(Texts, ATokenizerAndATemplateNeedNoWeights) {
  const io::TempDir dir;
  dir.write("t/tokenizer.json", kTokenizer);
  EXPECT_EQ(farthing({"tokenize", dir.path("t"), "--text", "ab"}).out, "{\"ids\":[6]}\n");
  EXPECT_EQ(farthing({"tokenize", dir.path("t"), "--text", ""}).out, "{\"ids\":[]}\n");
  const Outcome twin = farthing({"tokenize", dir.path("t"), "--text", "ab", "--json", "-"});
  EXPECT_EQ(parse_json(twin.out, "json"), Json::parse(R"({"schema":1,"texts":[{"ids":[6]}]})"));
  dir.write("t/chat_template.jinja", kTemplate);
  const std::string messages = dir.write("m.json", R"([{"role":"user","content":"hi"}])");
  EXPECT_EQ(farthing({"render", dir.path("t"), "--messages", messages}).out, "<s>hi");
  expect_sentence(farthing({"render", dir.path("t"), "--messages", messages, "--date", "May"}), 2,
                  "is not a day like 2026-11-23");
}

}  // namespace
}  // namespace farthing::cli
