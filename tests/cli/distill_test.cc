// Distillation and recovery as a user runs them.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "io/json.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"
#include "tests/cli/process.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";

// The demo model's configuration, narrower and shallower.
std::string small_config(const io::TempDir& dir, std::map<std::string, Json> changes = {}) {
  Json config = read_json_file(kDemo + "/config.json");
  config["hidden_size"] = 32;
  config["intermediate_size"] = 48;
  config["num_hidden_layers"] = 2;
  config["num_attention_heads"] = 2;
  config["num_key_value_heads"] = 1;
  config["head_dim"] = 16;
  for (const auto& [key, value] : changes) config[key] = value;
  return dir.write("student.json", config.dump());
}

Outcome distill(const std::string& student, const std::string& out,
                std::vector<std::string> more = {}, ProcessOptions options = {}) {
  std::vector<std::string> arguments = {"distill", kDemo, student, out, "--quiet"};
  const std::vector<std::pair<std::string, std::string>> usual = {
      {"--steps", "12"}, {"--batch", "2"}, {"--length", "32"}};
  for (const auto& [option, value] : usual)
    if (std::ranges::count(more, option) == 0) arguments.insert(arguments.end(), {option, value});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return farthing(arguments, options);
}

std::map<std::string, std::vector<std::byte>> tensors_of(const std::string& directory) {
  const io::SafetensorsFile file(directory + "/model.safetensors");
  std::map<std::string, std::vector<std::byte>> tensors;
  for (const io::TensorInfo& tensor : file.content().tensors)
    tensors[tensor.name].assign(tensor.bytes.begin(), tensor.bytes.end());
  return tensors;
}

TEST(Distill, GivesTheSameBytesOnAnyNumberOfThreadsAndAfterAKill) {
  const io::TempDir dir;
  const std::string config = small_config(dir);
  const std::vector<std::string> saves = {"--save-every", "1", "--hidden", "0"};
  const auto with = [&](std::string threads) {
    auto all = saves;
    all.insert(all.end(), {"--threads", threads});
    return all;
  };
  const Outcome one = distill(config, dir.path("one"), with("1"));
  ASSERT_EQ(one.code, 0) << one.err;
  const auto whole = files_of(dir.path("one"));
  EXPECT_TRUE(whole.contains("tokenizer.json"));
  ASSERT_EQ(distill(config, dir.path("two"), with("2")).code, 0);
  EXPECT_EQ(files_of(dir.path("two")), whole);

  for (const int moment : {150, 300, 600, 1000}) {
    const std::string out = dir.path("killed" + std::to_string(moment));
    const Outcome first =
        distill(config, out, saves, {.kill_after = std::chrono::milliseconds(moment)});
    bool to_its_end = first.code == 0;
    if (!std::filesystem::exists(out)) {  // the kill may come after the last rename
      const Outcome again = distill(config, out, saves);
      ASSERT_EQ(again.code, 0) << again.err;
      EXPECT_THAT(again.out, Not(HasSubstr("entropy 0.0000")));
      if (again.err.find("goes on after step") != std::string::npos) {
        EXPECT_THAT(again.out, HasSubstr(" behind step "));
      }
      to_its_end = true;
    }
    EXPECT_EQ(files_of(out), whole) << "killed after " << moment << " ms";
    // A kill behind the rename leaves the journal, which nobody needs any more.
    EXPECT_FALSE(to_its_end && std::filesystem::exists(out + ".partial"));
  }
}

TEST(Distill, OfWhatTheStudentSaysGoesOnToTheSameBytesAfterAKill) {
  const io::TempDir dir;
  const std::string config = small_config(dir);
  const std::vector<std::string> words = {"--on-policy",  "0.5", "--loss",    "reverse",
                                          "--save-every", "1",   "--threads", "1"};
  const Outcome one = distill(config, dir.path("one"), words);
  ASSERT_EQ(one.code, 0) << one.err;
  const auto whole = files_of(dir.path("one"));
  EXPECT_THAT(whole.at("farthing.training.json"), HasSubstr("\"on_policy\": 0.5"));
  auto two = words;
  two.back() = "2";
  ASSERT_EQ(distill(config, dir.path("two"), two).code, 0);
  EXPECT_EQ(files_of(dir.path("two")), whole);
  for (const int moment : {200, 500, 900}) {
    const std::string out = dir.path("killed" + std::to_string(moment));
    const Outcome first =
        distill(config, out, words, {.kill_after = std::chrono::milliseconds(moment)});
    if (!std::filesystem::exists(out)) {  // the kill may come after the last rename
      ASSERT_EQ(distill(config, out, words).code, 0);
    }
    EXPECT_EQ(files_of(out), whole) << "killed after " << moment << " ms";
  }
}

TEST(Distill, BringsAStudentCloserToItsTeacherByEveryLoss) {
  const io::TempDir dir;
  const std::string config = small_config(dir);
  for (const std::string loss : {"forward", "reverse", "jsd", "skew-forward", "skew-reverse"}) {
    const Outcome ran = distill(
        config, dir.path(loss),
        {"--loss", loss, "--steps", "30", "--lr", "3e-3", "--json", dir.path(loss + ".json")});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const Json result = read_json_file(dir.path(loss + ".json"));
    EXPECT_LT(result.at("last").at("divergence").get<double>(),
              result.at("first").at("divergence").get<double>())
        << loss;
  }
}

TEST(Distill, LearnsFromACacheOfTheTeachersBestTokens) {
  const io::TempDir dir;
  const std::string config = small_config(dir), cache = dir.path("teacher.cache");
  // With every token kept it is the teacher itself, but for the order of sums.
  const std::vector<std::string> all = {"--cache", cache, "--best", "4096"};
  ASSERT_EQ(distill(config, dir.path("online"), {"--json", dir.path("a")}).code, 0);
  auto cached = all;
  cached.insert(cached.end(), {"--json", dir.path("b")});
  ASSERT_EQ(distill(config, dir.path("cached"), cached).code, 0);
  const auto loss = [&](const char* name) {
    return read_json_file(dir.path(name)).at("last").at("divergence").get<double>();
  };
  EXPECT_NEAR(loss("a"), loss("b"), 1e-4);
  const Outcome other = distill(config, dir.path("other"), {"--cache", cache, "--best", "8"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("remove it or name another --cache"));
}

TEST(Recovery, TrainsWhatItIsAskedToAndLeavesTheRest) {
  const io::TempDir dir;
  ASSERT_EQ(distill(kDemo, dir.path("norms"), {"--train", "norms", "--labels", "1"}).code, 0);
  ASSERT_EQ(distill(kDemo, dir.path("adapters"),
                    {"--train", "adapters", "--rank", "2", "--labels", "1", "--lr", "0.05"})
                .code,
            0);
  const auto before = tensors_of(kDemo), norms = tensors_of(dir.path("norms")),
             adapters = tensors_of(dir.path("adapters"));
  for (const auto& [name, bytes] : before) {
    const bool is_norm = name.find("norm") != std::string::npos;
    const bool in_block = name.find("layers.") != std::string::npos;
    EXPECT_EQ(norms.at(name) == bytes, !is_norm) << name;
    EXPECT_EQ(adapters.at(name) == bytes, is_norm || !in_block) << name;
  }
}

TEST(Recovery, IsMeasuredBeforeAndAfterOnATextHeldOut) {
  const io::TempDir dir;
  const std::string pruned = dir.path("pruned"), healed = dir.path("healed");
  const std::string text =
      std::string(FARTHING_SOURCE_DIR) + "/models/demo/voyage-of-the-beagle.txt";
  ASSERT_EQ(farthing({"compress", kDemo, pruned, "--scheme", "bf16", "--method", "drop-layers",
                      "--sparsity", "0.25", "--samples", "2", "--length", "32", "--quiet"})
                .code,
            0);
  const Outcome ran =
      distill(pruned, healed, {"--eval-text", text, "--windows", "4", "--lr", "3e-4"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("voyage-of-the-beagle.txt: perplexity "));
  const Json result = read_json_file(healed + "/farthing.distill.json");
  // What eval says about the two by itself.
  for (const auto& [when, model] : {std::pair{"before", pruned}, {"after", healed}}) {
    const Outcome eval = farthing({"eval", model, "--reference", kDemo, "--text", text, "--context",
                                   "32", "--windows", "4", "--json", "-", "--quiet"});
    ASSERT_EQ(eval.code, 0) << eval.err;
    const Json& mine = result.at(when).at("voyage-of-the-beagle.txt");
    const Json theirs = Json::parse(eval.out).at("texts").at("voyage-of-the-beagle.txt");
    for (const char* key : {"perplexity", "reference_perplexity", "kld", "top1_agreement"})
      EXPECT_EQ(mine.at(key), theirs.at(key)) << when << " " << key;
  }
  ASSERT_EQ(farthing({"report", healed}).code, 0);
  EXPECT_THAT(io::read_text_file(healed + "/report.html", 1 << 24),
              HasSubstr("<section id=\"training\">"));
}

TEST(Recovery, OfScalesKeepsTheCodesOfARoundedStudent) {
  const io::TempDir dir;
  const std::string rounded = dir.path("rounded"), healed = dir.path("healed");
  for (const char* scheme : {"w4g64", "w4g64-asym"}) {
    std::filesystem::remove_all(rounded);
    std::filesystem::remove_all(healed);
    ASSERT_EQ(farthing({"compress", kDemo, rounded, "--scheme", scheme, "--quiet"}).code, 0);
    // A rate that moves a norm near 1 by more than half a step of BF16, 0.002, but by far less than
    // a norm of another layer differs.
    const Outcome ran = distill(rounded, healed, {"--train", "scales", "--lr", "1e-3"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    int moved = 0;
    const auto after = tensors_of(healed);
    for (const auto& entry : std::filesystem::directory_iterator(rounded)) {
      if (entry.path().extension() != ".safetensors") continue;
      const io::SafetensorsFile file(entry.path().string());
      for (const io::TensorInfo& tensor : file.content().tensors) {
        const bool same = std::ranges::equal(tensor.bytes, after.at(tensor.name));
        const bool scale = tensor.name.ends_with("weight_scale");
        const bool may_change = scale || tensor.name.find("norm") != std::string::npos;
        EXPECT_TRUE(same || may_change) << tensor.name;
        moved += scale && !same ? 1 : 0;
      }
    }
    const OpenModel was(rounded), is(healed);
    const std::string norm = "model.layers.3.input_layernorm";
    const auto before = was.floats(norm), now = is.floats(norm);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(now[i], before[i], 0.02);
    EXPECT_NE(now, before) << scheme;
    EXPECT_EQ(moved, 56) << scheme;  // seven matrices of eight blocks
    EXPECT_EQ(farthing({"logits", healed, "--tokens", "1,2,3", "--out", dir.path("l.npy")}).code,
              0);
  }
}

TEST(Distill, RefusesWhatCannotBeInOneSentence) {
  const io::TempDir dir;
  const std::string out = dir.path("out");
  const auto refused = [&](const Outcome& ran, int code, const std::string& words) {
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(words));
    EXPECT_FALSE(std::filesystem::exists(out)) << words;
    std::filesystem::remove_all(out + ".partial");
  };
  const std::string config = small_config(dir);
  refused(distill(small_config(dir, {{"vocab_size", 4095}}), out), 3, "vocabulary of 4096 tokens");
  small_config(dir);
  refused(distill(config, out, {"--hidden", "1"}), 3, "32 features and its teacher 256");
  refused(distill(config, out, {"--length", "512"}), 2, "--length must be at most the 256");
  refused(distill(config, out, {"--labels", "1.5"}), 2, "--labels must be from 0 to 1");
  refused(distill(config, out, {"--loss", "kl"}), 2, "forward, reverse, jsd");
  refused(distill(config, out, {"--on-policy", "1.5"}), 2, "--on-policy must be a share");
  refused(distill(config, out, {"--on-policy", "1", "--labels", "0.5"}), 2, "leave out --labels");
  refused(distill(config, out, {"--on-policy", "1", "--cache", dir.path("c")}), 2,
          "leave out --cache");
  refused(distill(config, out, {"--on-policy", "1", "--prompt", "32"}), 2,
          "--prompt must be below the 32 tokens of a sample; got 32");
  refused(distill(config, out, {"--train", "heads"}), 2, "all, norms, adapters, scales");
  refused(distill(config, out, {"--memory-limit", "1MB"}), 5, "needs");
  refused(distill(config, out, {"--text", dir.write("tiny.txt", "two words")}), 3, "tiny.txt");
  Json other = read_json_file(config);
  other["architectures"] = {"OPTForCausalLM"};
  other["model_type"] = "opt";
  refused(distill(dir.write("opt.json", other.dump()), out), 4, "architecture, llama; got opt");
  ASSERT_EQ(farthing({"compress", kDemo, dir.path("w4"), "--scheme", "w4g64", "--quiet"}).code, 0);
  refused(distill(dir.path("w4"), out), 4, "give the checkpoint that this was made from");
  ASSERT_EQ(distill(config, out).code, 0);
  const Outcome again = distill(config, out);
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("is there already"));
}

// As many tokens, but not the same ones.
TEST(Distill, RefusesAStudentWhoseTokensMeanOtherThings) {
  const io::TempDir dir;
  std::filesystem::create_directory(dir.path("student"));
  for (const auto& [name, text] : files_of(kDemo)) {
    std::string changed = text;
    if (name.ends_with(".json"))
      for (std::size_t at; (at = changed.find("<|eos|>")) != std::string::npos;)
        changed.replace(at, 7, "<|fin|>");
    dir.write("student/" + name, changed);
  }
  const Outcome ran = distill(dir.path("student"), dir.path("out"));
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("the student must have its teacher's vocabulary; token "),
                             HasSubstr("is \"<|fin|>\" there and \"<|eos|>\"")));
}

TEST(Distill, StopsAtALossThatIsNoNumberAndKeepsTheLastCheckpoint) {
  const io::TempDir dir;
  const std::string out = dir.path("out"), config = small_config(dir);
  const Outcome ran = distill(config, out,
                              {"--lr", "1e30", "--optimizer", "sign", "--clip", "0", "--steps",
                               "200", "--save-every", "1"});
  ASSERT_EQ(ran.code, 3) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("training stopped at step"), HasSubstr("lower --lr"),
                             HasSubstr("keeps the checkpoint of step")));
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_TRUE(std::filesystem::exists(out + ".partial/training.safetensors"));
}

TEST(Distill, LosesNothingWhenTheDiskIsFull) {
  const io::TempDir dir;
  const std::string out = dir.path("out"), config = small_config(dir);
  const Outcome full =
      distill(config, out, {"--save-every", "2"}, {.kill_after = {}, .file_size_limit = 1 << 20});
  EXPECT_EQ(full.code, 5) << full.err;
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_EQ(distill(config, out, {"--save-every", "2"}).code, 0);
}

}  // namespace
}  // namespace farthing::cli
