#include "bench/vector_bench.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"

namespace farthing::bench {
namespace {

using kernels::KvType;
constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kInt8,
                               KvType::kInt4};
constexpr int kHeads = 32, kKvHeads = 8, kHeadDim = 64;

// Keys and values of some layers of one sequence, all zeros: what they hold costs no time.
struct KvLayers {
  KvLayers(KvType type, std::int64_t tokens, std::int64_t layer_count)
      : layout{.type = type, .kv_heads = kKvHeads, .head_dim = kHeadDim},
        page_count(
            static_cast<std::size_t>((tokens + kernels::kPageTokens - 1) / kernels::kPageTokens)),
        layers(layer_count),
        bytes(page_count * static_cast<std::size_t>(layer_count) * layout.page_bytes()) {
    std::memset(bytes.data(), 0, bytes.size());
    for (std::size_t p = 0; p < page_count * static_cast<std::size_t>(layers); ++p)
      pages.push_back(bytes.data() + p * layout.page_bytes());
  }
  std::span<std::byte* const> of(std::int64_t layer) const {
    return std::span(pages).subspan(static_cast<std::size_t>(layer) * page_count, page_count);
  }
  kernels::KvLayout layout;
  std::size_t page_count;
  std::int64_t layers;
  AlignedArray<std::byte> bytes;
  std::vector<std::byte*> pages;
};

// `count` new tokens after `context` others, through every layer.
Timed attend(Runtime& runtime, const KvLayers& kv, std::int64_t count, std::int64_t context) {
  const kernels::AttentionRules rules{.heads = kHeads, .scale = 0.125f};
  Matrix<float> q(count, kHeads * kHeadDim), out(count, kHeads * kHeadDim);
  std::fill_n(q.view().data, q.shape().size(), 0.5f);
  const auto start = Clock::now();
  for (std::int64_t layer = 0; layer < kv.layers; ++layer) {
    const kernels::AttentionSequence sequence{
        .first_row = 0, .count = count, .first_position = context, .pages = kv.of(layer)};
    kernels::attend(runtime, kv.layout, rules, {&sequence, 1}, q.view(), out.view());
  }
  Timed timed{seconds_since(start), static_cast<double>(count * kv.layers), {}};
  const double seen = static_cast<double>(context) + static_cast<double>(count + 1) / 2;
  timed.work.bytes = static_cast<double>(kv.bytes.size());
  const bool integers = kv.layout.type == KvType::kInt8;
  timed.work.operations[index(integers ? ActivationMode::kInt16 : ActivationMode::kF32)] =
      4.0 * kHeads * kHeadDim * seen * timed.tokens;
  return timed;
}

void bench_attention(KernelRows& to, std::span<const KvType> types) {
  const std::int64_t context = to.is_scalar() ? 512 : 4096, prompt = to.is_scalar() ? 64 : 512;
  for (KvType type : types) {
    Row decode{.test = fmt::format("attention 1@{}", context),
               .kv = std::string(kernels::kv_type_name(type)),
               .kernel = "attention " + to.isa(),
               .isa = to.isa(),
               .context = context};
    if (to.wants(decode)) {
      const KvLayers cold(type, context + 1, to.is_scalar() ? 1 : 16);
      to.measure(std::move(decode), [&] { return attend(to.runtime, cold, 1, context); });
    }
    Row prefill{.test = fmt::format("attention {}", prompt),
                .kv = std::string(kernels::kv_type_name(type)),
                .kernel = "attention " + to.isa(),
                .isa = to.isa(),
                .batch = prompt};
    if (!to.wants(prefill)) continue;
    const KvLayers one(type, prompt, 1);
    to.measure(std::move(prefill), [&] { return attend(to.runtime, one, prompt, 0); });
  }
}

// Each reads and writes a matrix that is larger than the caches.
void bench_elementwise(KernelRows& to) {
  const std::int64_t tokens = to.is_scalar() ? 256 : 4096;
  constexpr std::int64_t kFeatures = 4096;
  Matrix<float> x(tokens, kFeatures), y(tokens, kFeatures / 2), table(tokens, kHeadDim);
  std::fill_n(x.view().data, x.shape().size(), 0.5f);
  std::fill_n(table.view().data, table.shape().size(), 0.5f);
  const std::vector<float> weight(kFeatures, 1.0f);
  const double bytes = 4.0 * static_cast<double>(x.shape().size());
  const auto pass = [&](std::string_view name, double moved, auto body) {
    Row row{.test = std::string(name),
            .kernel = "elementwise " + to.isa(),
            .isa = to.isa(),
            .batch = tokens};
    if (!to.wants(row)) return;
    to.measure(std::move(row), [&] {
      const auto start = Clock::now();
      body();
      return Timed{
          seconds_since(start), static_cast<double>(tokens), {.bytes = moved, .operations = {}}};
    });
  };
  Runtime& runtime = to.runtime;
  pass("rms norm", 2 * bytes,
       [&] { kernels::rms_norm(runtime, x.view(), weight, 1e-5f, x.view()); });
  pass("rotate", 2 * bytes,
       [&] { kernels::rotate(runtime, x.view(), kHeadDim, kHeadDim, false, table.view()); });
  pass("gated silu", 1.5 * bytes,
       [&] { kernels::activate_gated(runtime, kernels::Activation::kSilu, x.view(), y.view()); });
}

}  // namespace

void bench_vectors(KernelRows& to) {
  const auto is_one_of = [&](std::initializer_list<Isa> levels) {
    return std::ranges::find(levels, to.runtime.isas.best()) != levels.end();
  };
  // Levels between these add products of integers or of BF16 numbers only.
  if (is_one_of({Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kNeon})) {
    bench_attention(to, kKvTypes);
    bench_elementwise(to);
  }
  if (is_one_of({Isa::kAvxVnni, Isa::kAvx512Vnni, Isa::kNeonDot, Isa::kNeonI8mm})) {
    constexpr KvType kIntegers[] = {KvType::kInt8};
    bench_attention(to, kIntegers);
  }
}

}  // namespace farthing::bench
