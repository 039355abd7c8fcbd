// Layouts that are not Llama's: transposed matrices, experts apart and in one tensor, fused q, k,
// v.
#include <gmock/gmock.h>

#include <cmath>

#include "compress/compress.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::compress {
namespace {

struct Case {
  const char* name;
  bool portable;
};

class Architectures : public testing::TestWithParam<Case> {
 protected:
  static std::string source() {
    return std::string(FARTHING_SOURCE_DIR "/tests/golden/architectures/") + GetParam().name;
  }
  static CompressReport compress_to(const std::string& out, std::string_view scheme,
                                    bool portable) {
    Runtime runtime(1);
    SilentProgress progress;
    CompressOptions options;
    options.plan.portable = portable;
    options.slab_bytes = 1;
    Recipe recipe;
    recipe.layers = {make_rule("re:.*", scheme, "--scheme")};
    const auto checkpoint = io::Checkpoint::open(source());
    return compress(runtime, *checkpoint, out, recipe, options, progress);
  }
};

TEST_P(Architectures, EveryMatrixIsFoundAgainWithItsNumbers) {
  for (const std::string_view scheme : {"w8g16", "w4g16-asym", "w8a8", "fp16"}) {
    const io::TempDir dir;
    const CompressReport report = compress_to(dir.path("out"), scheme, false);
    EXPECT_EQ(report.portable, GetParam().portable || scheme == "fp16");
    const OpenModel before(source()), after(dir.path("out"));
    const auto units = before.map.linears(), found = after.map.linears();
    ASSERT_EQ(units.size(), found.size());
    int changed = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      EXPECT_EQ(units[i].base, found[i].base);
      const auto read = [&](const OpenModel& model, const model::TensorUnit& unit) {
        const QuantizedTensor matrix = model.map.load(unit);
        std::vector<float> numbers(static_cast<std::size_t>(matrix.shape.size()));
        matrix.format->dequantize(matrix, 0,
                                  {numbers.data(), matrix.shape.rows, matrix.shape.cols});
        return numbers;
      };
      const std::vector<float> was = read(before, units[i]), is = read(after, found[i]);
      ASSERT_EQ(was.size(), is.size());
      double wrong = 0, all = 0;
      for (std::size_t k = 0; k < was.size(); ++k) {
        wrong += std::pow(static_cast<double>(was[k]) - is[k], 2);
        all += std::pow(static_cast<double>(was[k]), 2);
      }
      changed += wrong > 0 ? 1 : 0;
      EXPECT_LE(wrong, all * (scheme == "w4g16-asym" ? 0.02 : 1e-4)) << units[i].base;
    }
    // FP16 holds most of these numbers exactly.
    EXPECT_TRUE(changed > 0 || scheme == "fp16") << scheme;
  }
}

TEST_P(Architectures, WhatOthersCannotReadIsRefusedByDefault) {
  const io::TempDir dir;
  if (GetParam().portable) {
    EXPECT_TRUE(compress_to(dir.path("out"), "w8g16", true).portable);
  } else {
    EXPECT_COMPLAINT(kUnsupported, "--no-portable", compress_to(dir.path("out"), "w8g16", true));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Architectures,
    testing::Values(Case{"gpt2", false}, Case{"gpt2-unscaled-new", false}, Case{"mixtral", true},
                    Case{"mixtral-fused-experts-new", false}, Case{"qwen3-moe", true},
                    Case{"phi3-window", true}, Case{"falcon-40b", true}, Case{"bloom", true},
                    Case{"gpt-neox-parallel", true}, Case{"opt-bare-names", true},
                    Case{"opt-post-norm-projected", true}, Case{"gemma2", true},
                    Case{"llama-odd-sizes", true}),
    [](const auto& p) {
      std::string name = p.param.name;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

}  // namespace
}  // namespace farthing::compress
