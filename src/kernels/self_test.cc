#include "kernels/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/random.h"
#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"

namespace farthing::kernels {
namespace {

constexpr std::int64_t kIn = 160, kOut = 37;

// One weight for every packing.
constexpr std::string_view kSchemes[] = {"fp32",  "bf16",  "fp16",  "w2g32", "w3g32",
                                         "w4g32", "w5g32", "w6g32", "w8g32", "mxfp4"};
constexpr ActivationMode kModes[] = {ActivationMode::kF32, ActivationMode::kBf16,
                                     ActivationMode::kInt16, ActivationMode::kInt8};

std::vector<float> random_floats(std::int64_t count) {
  Random random(static_cast<std::uint64_t>(count));
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& x : numbers) x = static_cast<float>(2 * random.uniform() - 1);
  return numbers;
}

QuantizedTensor small_weight(std::string_view scheme) {
  QuantizedTensor weight = allocate_tensor({kOut, kIn}, parse_scheme(scheme).weights);
  const auto numbers = random_floats(kOut * kIn);
  weight.format->quantize(weight, 0, {numbers.data(), kOut, kIn}, {.importance = {}});
  return weight;
}

std::vector<float> product(const QuantizedTensor& weight, ActivationMode mode,
                           const LinearKernel& kernel, std::int64_t tokens) {
  Runtime runtime(1);
  const LinearSource source{.weight = &weight, .bias = {}, .row_order = {}};
  PackedMatrix matrix;
  matrix.in = kIn;
  matrix.out = kOut;
  matrix.packing = kernel.packing;
  matrix.activations = {.mode = mode, .group_size = 32};
  matrix.kernel = &kernel;
  const StackedRows rows({&source, 1});
  is_codes(matrix.packing) ? pack_codes(runtime, rows, matrix) : pack_floats(runtime, rows, matrix);
  const auto x = random_floats(tokens * kIn);
  std::vector<float> y(static_cast<std::size_t>(tokens * kOut));
  Activations inputs;
  inputs.assign({x.data(), tokens, kIn});
  multiply(runtime, matrix, inputs, 0, {y.data(), tokens, kOut}, {});
  return y;
}

// Not exact: weights and inputs are at most 1, so that no order of adding the kIn products with
// roundings of FP32 is further than this from another.
constexpr float kRoundings = static_cast<float>(kIn * kIn) * 0x1p-23f;

bool agree(const std::vector<float>& a, const std::vector<float>& b, bool exact) {
  if (exact) return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::fabs(a[i] - b[i]) <= kRoundings)) return false;
  return true;
}

// One token and more than a panel, or than a tile.
bool linear_agrees(const QuantizedTensor& weight, ActivationMode mode, const LinearKernel& kernel,
                   const LinearKernel& scalar) {
  const std::int64_t many = std::max(kernel.panel_tokens, 16) + 3;
  for (const std::int64_t tokens : {std::int64_t{1}, many})
    if (!agree(product(weight, mode, kernel, tokens), product(weight, mode, scalar, tokens),
               kernel.exact))
      return false;
  return true;
}

IsaSet only(Isa isa) {
  IsaSet set;
  set.add(isa);
  return set;
}

// Twelve queries, enough for every blocking of rows, over more than a chunk of positions.
std::vector<float> attention(Isa isa, KvType type) {
  constexpr int kPositions = 260, kDim = 24, kHeads = 2;
  constexpr std::int64_t kQueries = 6, kCols = kHeads * kDim;
  Runtime runtime(1, only(isa));
  const KvLayout layout{type, 1, kDim};
  const AttentionRules rules{.heads = kHeads, .scale = 0.3f};
  const auto kv = random_floats(kPositions * kDim), q = random_floats(kQueries * kCols);
  constexpr std::size_t kPages = (kPositions + kPageTokens - 1) / kPageTokens;
  AlignedArray<std::byte> memory(kPages * layout.page_bytes());
  std::memset(memory.data(), 0, memory.size());
  std::vector<std::byte*> pages;
  for (std::size_t p = 0; p < kPages; ++p) pages.push_back(memory.data() + p * layout.page_bytes());
  for (int p = 0; p < kPositions; ++p) {
    const float* numbers = kv.data() + static_cast<std::ptrdiff_t>(p) * kDim;
    store_kv(layout, pages[static_cast<std::size_t>(p / kPageTokens)], p % kPageTokens, numbers,
             numbers);
  }
  std::vector<float> out(q.size());
  const AttentionSequence sequence{
      .first_row = 0, .count = kQueries, .first_position = kPositions - kQueries, .pages = pages};
  attend(runtime, layout, rules, {&sequence, 1}, {q.data(), kQueries, kCols},
         {out.data(), kQueries, kCols});
  return out;
}

std::vector<float> rows(Isa isa) {
  constexpr std::int64_t kCols = 52;
  Runtime runtime(1, only(isa));
  const auto x = random_floats(2 * kCols);
  std::vector<float> y(x.size()), z(x.size() / 2);
  rms_norm(runtime, {x.data(), 2, kCols}, {}, 1e-5f, {y.data(), 2, kCols});
  rotate(runtime, {y.data(), 2, kCols}, kCols, kCols, false, {x.data(), 2, kCols});
  activate_gated(runtime, Activation::kSilu, {y.data(), 2, kCols}, {z.data(), 2, kCols / 2});
  y.insert(y.end(), z.begin(), z.end());
  return y;
}

bool others_agree(Isa isa) {
  if (!agree(rows(isa), rows(Isa::kScalar), true)) return false;
  for (const KvType type :
       {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kInt8, KvType::kInt4})
    if (!agree(attention(isa, type), attention(Isa::kScalar, type), true)) return false;
  return true;
}

}  // namespace

IsaSet self_tested(IsaSet isas, FunctionRef<void(std::string_view)> warn,
                   std::span<const LinearKernel> table) {
  const auto drop = [&](Isa isa) {
    isas.remove(isa);
    warn(
        fmt::format("the {} kernels compute wrong results on this processor; going on without "
                    "them, with {}",
                    isa_name(isa), isa_name(isas.best())));
  };
  for (const Isa isa : known_isas())
    if (isa != Isa::kScalar && isas.has(isa) && !others_agree(isa)) drop(isa);
  for (const std::string_view scheme : kSchemes) {
    const QuantizedTensor weight = small_weight(scheme);
    for (const ActivationMode mode : kModes) {
      const Packing packing = packing_of(weight, mode);
      const LinearKernel* scalar = choose_kernel(table, packing, mode, only(Isa::kScalar));
      if (scalar == nullptr) continue;
      while (true) {
        const LinearKernel* kernel = choose_kernel(table, packing, mode, isas);
        if (kernel == scalar || linear_agrees(weight, mode, *kernel, *scalar)) break;
        drop(kernel->isa);
      }
    }
  }
  return isas;
}

}  // namespace farthing::kernels
