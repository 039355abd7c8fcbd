// A whole model on every instruction set that can be tested here: integer modes and FP32 the same
// to the bit, dot products of BF16 near.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/compress.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "tests/io/files.h"
#include "tests/kernels/levels.h"

namespace farthing::compress {
namespace {

using kernels::is_tested;
using kernels::runnable_isas;

const std::string kDemo = std::string(FARTHING_SOURCE_DIR) + "/models/demo/books-llama-8m";

// "It was a dark and stormy night, and a little more than a little while": prompt, then a token.
constexpr std::int32_t kTokens[] = {0,   1283, 330, 260, 1368, 283, 358, 2009, 90,  885, 13,
                                    283, 260,  635, 521, 563,  260, 635, 958,  283, 260};

struct Logits {
  std::vector<float> numbers;  // (tokens, vocabulary)
  std::size_t vocabulary = 0;
};

void run(model::Model& model, Runtime& runtime, cache::PagedKv& kv, int sequence,
         std::span<const std::int32_t> tokens, std::int64_t first, Logits& logits) {
  const cache::SequenceSlice slice{
      .sequence = sequence, .first_row = 0, .count = std::ssize(tokens), .first_position = first};
  std::vector<std::int64_t> rows(tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  model.forward(runtime, {.tokens = tokens, .sequences = {&slice, 1}, .rows_wanting_logits = rows},
                kv, [&](std::int64_t, MatrixView<const float> slab) {
                  logits.vocabulary = static_cast<std::size_t>(slab.cols);
                  for (std::int64_t r = 0; r < slab.rows; ++r)
                    logits.numbers.insert(logits.numbers.end(), slab.row_data(r),
                                          slab.row_data(r) + slab.cols);
                });
}

Logits logits_on(Isa isa, const std::string& path, const model::LoadOptions& options,
                 kernels::KvType kv_type) {
  Runtime runtime(isa == Isa::kScalar ? 1 : 2, runnable_isas().up_to(isa));
  const auto checkpoint = io::Checkpoint::open(path);
  const auto model = model::Model::load(runtime, *checkpoint, options);
  cache::PagedKv kv = model->make_cache(kv_type);
  const int sequence = kv.open();
  Logits logits;
  const std::span<const std::int32_t> tokens(kTokens);
  const std::size_t prompt = tokens.size() - 1;
  run(*model, runtime, kv, sequence, tokens.first(prompt), 0, logits);
  run(*model, runtime, kv, sequence, tokens.subspan(prompt), static_cast<std::int64_t>(prompt),
      logits);
  return logits;
}

std::vector<double> log_probabilities(const float* logits, std::size_t count) {
  const double top = static_cast<double>(*std::max_element(logits, logits + count));
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i]) - top);
  std::vector<double> result(count);
  for (std::size_t i = 0; i < count; ++i)
    result[i] = static_cast<double>(logits[i]) - top - std::log(sum);
  return result;
}

double largest_kl(const Logits& a, const Logits& b) {
  double largest = 0;
  for (std::size_t at = 0; at < a.numbers.size(); at += a.vocabulary) {
    const auto p = log_probabilities(a.numbers.data() + at, a.vocabulary);
    const auto q = log_probabilities(b.numbers.data() + at, a.vocabulary);
    double kl = 0;
    for (std::size_t i = 0; i < p.size(); ++i) kl += std::exp(p[i]) * (p[i] - q[i]);
    largest = std::max(largest, kl);
  }
  return largest;
}

void expect_equal_everywhere(const std::string& path, const model::LoadOptions& options = {},
                             kernels::KvType kv = kernels::KvType::kF32) {
  const Logits scalar = logits_on(Isa::kScalar, path, options, kv);
  for (const Isa isa : known_isas()) {
    if (isa == Isa::kScalar || !is_tested(isa)) continue;
    EXPECT_EQ(logits_on(isa, path, options, kv).numbers, scalar.numbers) << isa_name(isa);
  }
}

std::string compressed(const io::TempDir& dir, const char* scheme) {
  Runtime runtime(2);
  SilentProgress silent;
  Recipe recipe;
  recipe.layers = {make_rule("re:.*", scheme, "--scheme")};
  CompressOptions options;
  options.tool_version = "test";
  const auto checkpoint = io::Checkpoint::open(kDemo);
  compress(runtime, *checkpoint, dir.path(scheme), std::move(recipe), options, silent);
  return dir.path(scheme);
}

TEST(InstructionSets, GiveTheSameBitsInInt16Mode) {
  const io::TempDir dir;
  expect_equal_everywhere(compressed(dir, "w8g32"), {}, kernels::KvType::kInt8);
}

TEST(InstructionSets, GiveTheSameBitsInInt8Mode) {
  const io::TempDir dir;
  expect_equal_everywhere(compressed(dir, "w4g64-asym"), {}, kernels::KvType::kInt4);
}

TEST(InstructionSets, GiveTheSameBitsInFp32Mode) {
  expect_equal_everywhere(kDemo, {.activations = ActivationMode::kF32, .float_weights = {}});
}

// Dot products of BF16 round in their own way; 1e-4 is what they may cost. Exact ones cost nothing.
TEST(InstructionSets, AreNearInBf16Mode) {
  const model::LoadOptions options{.activations = ActivationMode::kBf16, .float_weights = {}};
  const Logits scalar = logits_on(Isa::kScalar, kDemo, options, kernels::KvType::kBf16);
  for (const Isa isa : known_isas()) {
    if (isa == Isa::kScalar || !is_tested(isa)) continue;
    const Logits other = logits_on(isa, kDemo, options, kernels::KvType::kBf16);
    EXPECT_LT(largest_kl(scalar, other), 1e-4) << isa_name(isa);
    const bool dots = isa == Isa::kAvx512Bf16 || isa == Isa::kAmxBf16 || isa == Isa::kNeonBf16 ||
                      isa == Isa::kAmxInt8;  // which includes AVX-512 BF16
    EXPECT_EQ(other.numbers != scalar.numbers, dots) << isa_name(isa);
  }
}

}  // namespace
}  // namespace farthing::compress
