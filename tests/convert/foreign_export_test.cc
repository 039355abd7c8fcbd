// Writing GPTQ, AWQ and compressed-tensors. What the original layouts hold, packed by
// tools/goldens/make_quantized.py, must come back byte for byte on a way through another layout.
#include <gmock/gmock.h>

#include "convert/convert.h"
#include "core/error.h"
#include "tests/compress/tiny_llama.h"

namespace farthing::convert {
namespace {

using testing::HasSubstr;

const std::string kGoldens = FARTHING_SOURCE_DIR "/tests/golden/quantized/";

ConvertReport convert(const std::string& from, const std::string& out, std::string_view to,
                      const std::string& type = "") {
  Runtime runtime(2);
  SilentProgress progress;
  const auto checkpoint = io::Checkpoint::open(from);
  return to_foreign(runtime, *checkpoint, out, to, {.type = type}, progress);
}

std::map<std::string, std::string> tensors_of(const io::Checkpoint& checkpoint,
                                              const std::vector<std::string>& suffixes) {
  std::map<std::string, std::string> found;
  for (const io::TensorInfo& tensor : checkpoint.tensors())
    for (const std::string& suffix : suffixes)
      if (tensor.name.ends_with(suffix))
        found[tensor.name] =
            tensor.dtype +
            std::string(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return found;
}

struct Case {
  const char* golden;
  const char* kind;
  bool zeros;  // the golden's zero points are version 2's, too
};

class ForeignExport : public testing::TestWithParam<Case> {};

TEST_P(ForeignExport, GivesBackTheOriginalBytes) {
  const io::TempDir dir;
  const std::string golden = kGoldens + GetParam().golden;
  const ConvertReport there = convert(golden, dir.path("ct"), "compressed-tensors");
  EXPECT_TRUE(there.exact());
  EXPECT_GE(there.tensors.size(), 7u);
  const ConvertReport back = convert(dir.path("ct"), dir.path("back"), GetParam().kind);
  EXPECT_TRUE(back.exact());
  std::vector<std::string> parts = {".qweight", ".scales"};
  if (GetParam().zeros) parts.emplace_back(".qzeros");
  const auto was = tensors_of(*io::Checkpoint::open(golden), parts);
  EXPECT_EQ(was.size(), 7 * parts.size());
  EXPECT_EQ(tensors_of(*io::Checkpoint::open(dir.path("back")), parts), was);
}

INSTANTIATE_TEST_SUITE_P(All, ForeignExport,
                         testing::Values(Case{"gptq-2-bit", "gptq", false},
                                         Case{"gptq-3-bit", "gptq", false},
                                         Case{"gptq-8-bit", "gptq", false},
                                         Case{"gptq-v2-asym", "gptq", true},
                                         Case{"awq", "awq", true}),
                         [](const auto& one) {
                           std::string name = one.param.golden;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// What each matrix of `a` is in `b`.
double worst_difference(const std::string& a, const std::string& b) {
  const OpenModel one(a), other(b);
  double worst = 0;
  for (const model::TensorUnit& unit : one.map.linears()) {
    const auto was = one.floats(unit.base), is = other.floats(unit.base);
    EXPECT_EQ(was.size(), is.size()) << unit.base;
    for (std::size_t i = 0; i < was.size(); ++i)
      worst = std::max(worst, std::abs(double(was[i]) - double(is[i])));
  }
  return worst;
}

TEST(ForeignExport, RoundsFloatsOnlyWhenAsked) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  EXPECT_COMPLAINT(kUsage, "--type w4g128 rounds", convert(model, dir.path("a"), "gptq"));
  const ConvertReport report = convert(model, dir.path("b"), "gptq", "w4g32");
  EXPECT_EQ(report.tensors.size(), 21u);
  EXPECT_FALSE(report.exact());
  const double worst = worst_difference(model, dir.path("b"));
  EXPECT_GT(worst, 0);
  EXPECT_LT(worst, 0.05);
  // The same rounding in the other layouts.
  convert(model, dir.path("c"), "awq", "w4g32");
  convert(model, dir.path("d"), "compressed-tensors", "w4g32");
  EXPECT_EQ(worst_difference(dir.path("b"), dir.path("c")), 0);
  EXPECT_EQ(worst_difference(dir.path("b"), dir.path("d")), 0);
}

TEST(ForeignExport, SaysWhatATargetCannotHold) {
  const io::TempDir dir;
  const std::string model = TinyLlama{}.write(dir);
  const ConvertReport made = convert(model, dir.path("w5"), "compressed-tensors", "w5g32");
  EXPECT_FALSE(made.exact());
  // 5 bits lie on a grid of 8.
  const ConvertReport wide = convert(dir.path("w5"), dir.path("gptq"), "gptq");
  EXPECT_TRUE(wide.exact());
  EXPECT_EQ(wide.tensors.at(0).to, "w8g32");
  EXPECT_EQ(worst_difference(dir.path("w5"), dir.path("gptq")), 0);
  EXPECT_COMPLAINT(kUsage, "has no matrix whose grid awq can hold",
                   convert(dir.path("w5"), dir.path("awq"), "awq"));
  EXPECT_COMPLAINT(kUsage, "did you mean gptq?", convert(model, dir.path("x"), "gptqq"));
  EXPECT_COMPLAINT(kUsage, "awq holds integers of 4 bits",
                   convert(model, dir.path("x"), "awq", "w3g32"));
  EXPECT_COMPLAINT(kUsage, "is gptq already", convert(dir.path("gptq"), dir.path("x"), "gptq"));
}

}  // namespace
}  // namespace farthing::convert
