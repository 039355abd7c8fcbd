#include "compress/compress.h"

#include <gmock/gmock.h>

#include "io/artefact.h"
#include "io/mapped_file.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

LayerRule rule(std::string match, std::string_view scheme) {
  return make_rule(std::move(match), scheme, "--layers");
}

// Several layouts at once: packed with and without zero points, plain, floats; both ends too.
Recipe mixed() {
  Recipe recipe;
  recipe.layers = {rule("re:.*", "w4g32"),
                   rule("re:.*q_proj$", "w3g32-asym"),
                   rule("re:.*o_proj$", "w8a8"),
                   rule("re:.*1.mlp.up_proj$", "fp16"),
                   rule("re:.*gate_proj$", "w5c-asym"),
                   rule("lm_head", "w8g32"),
                   rule("model.embed_tokens", "w6g16-asym")};
  return recipe;
}

struct Compressing {
  int threads = 2;
  CompressOptions options = [] {
    CompressOptions o;
    o.tool_version = "test";
    o.shard_bytes = 4096;
    return o;
  }();

  CompressReport operator()(const std::string& model, const std::string& out,
                            Recipe recipe = mixed()) {
    SilentProgress silent;
    return (*this)(model, out, std::move(recipe), silent);
  }
  CompressReport operator()(const std::string& model, const std::string& out, Recipe recipe,
                            Progress& progress) {
    Runtime runtime(threads);
    const auto checkpoint = io::Checkpoint::open(model);
    return compress(runtime, *checkpoint, out, std::move(recipe), options, progress);
  }
};

TEST(Compress, TheNumberOfThreadsAndTheSizeOfSlabsDoNotShow) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  Compressing run;
  run(model, dir.path("two"));
  run.threads = 1;
  run(model, dir.path("one"));
  run.options.slab_bytes = 1;  // 32 rows at a time; 101 rows of the head leave a tail of 5
  run(model, dir.path("slabs"));
  EXPECT_EQ(files_of(dir.path("one")), files_of(dir.path("two")));
  EXPECT_EQ(files_of(dir.path("one")), files_of(dir.path("slabs")));
}

TEST(Compress, TheArtefactHoldsWhatTheFormatMakesOfTheWeights) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Compressing run;
  run.options.slab_bytes = 1;
  const CompressReport report = run(path, dir.path("out"));
  EXPECT_TRUE(report.portable);
  const OpenModel source(path), out(dir.path("out"));
  for (const UnitReport& unit : report.units) {
    const std::vector<float> weights = source.floats(unit.base);
    const auto shape = source.checkpoint->matrix(unit.base)->shape;
    const auto made = out.checkpoint->matrix(unit.base).value();
    EXPECT_EQ(scheme_name(made.scheme), unit.scheme) << unit.base;
    QuantizedTensor expected = allocate_tensor(shape, parse_scheme(unit.scheme).weights);
    expected.format->quantize(expected, 0, {weights.data(), shape.rows, shape.cols}, {});
    std::vector<float> wanted(weights.size());
    expected.format->dequantize(expected, 0, {wanted.data(), shape.rows, shape.cols});
    EXPECT_EQ(out.floats(unit.base), wanted) << unit.base;

    double wrong = 0, all = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      wrong += std::pow(static_cast<double>(weights[i]) - wanted[i], 2);
      all += std::pow(static_cast<double>(weights[i]), 2);
    }
    EXPECT_NEAR(unit.error, wrong / all, 1e-12) << unit.base;
    EXPECT_EQ(unit.bytes_after, made.bytes()) << unit.base;
  }
}

TEST(Compress, WhatIsNoMatrixAndTheTextsStayAsTheyAre) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Compressing()(path, dir.path("out"));
  const OpenModel source(path), out(dir.path("out"));
  for (const std::string name : {"model.norm", "model.layers.1.input_layernorm"})
    EXPECT_EQ(out.floats(name), source.floats(name));
  for (const std::string name : {"tokenizer.json", "generation_config.json", "chat_template.jinja"})
    EXPECT_EQ(io::read_text_file(dir.path("out/" + name)), io::read_text_file(path + "/" + name));
}

TEST(Compress, FarthingJsonSaysWhatWasDone) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Recipe recipe = mixed();
  recipe.layers.push_back(rule("re:.*down_proj$", "w4g128"));
  recipe.kv = "int8";
  recipe.seed = 5;
  const CompressReport report = Compressing()(path, dir.path("out"), recipe);
  const io::Artefact artefact =
      io::parse_artefact(io::read_text_file(dir.path("out/farthing.json")), "farthing.json");
  EXPECT_EQ(artefact.source_sha256, io::hash_checkpoint(*io::Checkpoint::open(path)));
  EXPECT_EQ(artefact.tool_version, "test");
  EXPECT_EQ(artefact.kv, "int8");
  EXPECT_EQ(artefact.seed, 5u);
  EXPECT_EQ(artefact.layers.size(), report.units.size());
  EXPECT_EQ(artefact.find("lm_head")->scheme, "w8g32");
  EXPECT_EQ(artefact.find("lm_head")->activations.mode, ActivationMode::kInt16);
  EXPECT_EQ(artefact.find("model.layers.0.mlp.down_proj")->asked, "w4g128");
  EXPECT_GT(artefact.find("lm_head")->error, 0);
  // The stored recipe makes the same artefact.
  Compressing()(path, dir.path("again"), parse_recipe(artefact.recipe, "farthing.json"));
  EXPECT_EQ(files_of(dir.path("again")), files_of(dir.path("out")));
}

// Asks to stop at the n-th report.
class Stopping final : public Progress {
 public:
  explicit Stopping(int reports) : left_(reports) {}
  void update(std::string_view, std::int64_t, std::int64_t) override { --left_; }
  void note(std::string_view) override {}
  bool cancelled() const override { return left_ < 0; }

 private:
  int left_;
};

TEST(Compress, StoppedAnywhereItGoesOnToTheSameBytes) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Compressing run;
  run(path, dir.path("whole"));
  const auto whole = files_of(dir.path("whole"));
  int resumed = 0;
  for (int stop = 0;; stop += 2) {
    const std::string out = dir.path("out" + std::to_string(stop));
    Stopping progress(stop);
    try {
      run(path, out, mixed(), progress);
      break;  // it had no more reports than that
    } catch (const Error& error) {
      EXPECT_EQ(error.fault, Fault::kInterrupted);
    }
    EXPECT_FALSE(io::file_exists(out));
    resumed += run(path, out).resumed_shards;
    ASSERT_EQ(files_of(out), whole) << "stopped at report " << stop;
    EXPECT_FALSE(io::file_exists(out + ".partial"));
  }
  EXPECT_GT(resumed, 10);
}

TEST(Compress, AnotherRecipeDoesNotGoOnWithAnUnfinishedArtefact) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Stopping progress(12);
  EXPECT_THROW(Compressing()(path, dir.path("out"), mixed(), progress), Error);
  Recipe other = mixed();
  other.layers.push_back(rule("lm_head", "w8c"));
  EXPECT_COMPLAINT(kUsage, "out.partial: holds an unfinished run with other settings; remove it",
                   Compressing()(path, dir.path("out"), other));
}

TEST(Compress, AWeightThatIsNoNumberIsNamedWithItsPlace) {
  const io::TempDir dir;
  const auto poisoned = [&](const std::string& tensor, std::size_t at, float value) {
    const std::string name = "bad-" + tensor + std::to_string(at);
    return TinyLlama{}.write(dir, name, [&](const std::string& n, std::vector<Bf16>& values) {
      if (n == tensor) values[at] = to_bf16(value);
    });
  };
  EXPECT_COMPLAINT(kBadInput, "model.layers.1.mlp.up_proj has the weight nan in row 2, column 7",
                   Compressing()(poisoned("model.layers.1.mlp.up_proj.weight", 2 * 64 + 7, NAN),
                                 dir.path("out")));
  Compressing slabs;
  slabs.options.slab_bytes = 1;
  EXPECT_COMPLAINT(kBadInput, "lm_head has the weight inf in row 100, column 3",
                   slabs(poisoned("lm_head.weight", 100 * 64 + 3, INFINITY), dir.path("out2")));
  EXPECT_COMPLAINT(kBadInput, "model.norm.weight has the weight nan in row 0, column 5",
                   Compressing()(poisoned("model.norm.weight", 5, NAN), dir.path("out3")));
  EXPECT_FALSE(io::file_exists(dir.path("out")));
}

TEST(Compress, PlacesThatCannotBeMeantAreRefused) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir, "models/tiny");
  EXPECT_COMPLAINT(kUsage, "lies inside the model", Compressing()(path, path + "/out"));
  EXPECT_COMPLAINT(kUsage, "lies inside the model", Compressing()(path, path + "/../tiny/"));
  EXPECT_COMPLAINT(kUsage, "holds the model", Compressing()(path, dir.path("models")));
  EXPECT_COMPLAINT(kUsage, "is there already", Compressing()(path, dir.write("file", "x")));
  EXPECT_COMPLAINT(kBadInput, "No such file", Compressing()(path, dir.path("no/such")));
  Compressing()(path, path + "-w4");  // beside it, its name a prefix
}

TEST(Compress, AnArtefactIsNotCompressedOnceMore) {
  const io::TempDir dir;
  Compressing()(TinyLlama{}.write(dir), dir.path("out"));
  EXPECT_COMPLAINT(kUnsupported, "is compressed already",
                   Compressing()(dir.path("out"), dir.path("twice")));
}

TEST(Compress, ATiedMatrixIsStoredOnce) {
  const io::TempDir dir;
  TinyLlama tiny;
  tiny.tied = true;
  const std::string path = tiny.write(dir);
  Compressing run;
  run.options.plan.portable = false;
  Recipe recipe;
  recipe.layers = {rule("re:.*", "w4g32"), rule("lm_head", "w8g32")};
  const CompressReport report = run(path, dir.path("out"), recipe);
  EXPECT_FALSE(report.portable);
  const OpenModel out(dir.path("out"));
  EXPECT_EQ(out.checkpoint->find("lm_head.weight_packed"), nullptr);
  EXPECT_NE(out.checkpoint->find("model.embed_tokens.weight_packed"), nullptr);
  EXPECT_EQ(out.checkpoint->activations("model.embed_tokens")->mode, ActivationMode::kInt16);
  std::uint64_t stored = 0;
  for (const io::TensorInfo& tensor : out.checkpoint->tensors()) stored += tensor.bytes.size();
  EXPECT_EQ(report.bytes_after, stored);
}

TEST(Compress, MemoryBeyondTheLimitIsRefusedBeforeAnyWork) {
  const io::TempDir dir;
  const std::string path = TinyLlama{}.write(dir);
  Compressing run;
  run.options.memory_limit = 1000;
  EXPECT_COMPLAINT(kResources, "raise --memory-limit", run(path, dir.path("out")));
  EXPECT_FALSE(io::file_exists(dir.path("out.partial")));
}

}  // namespace
}  // namespace farthing::compress
