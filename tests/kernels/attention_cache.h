// A sequence with its keys and values in pages, for the tests of attention.
#pragma once

#include <algorithm>
#include <vector>

#include "core/random.h"
#include "kernels/attention/attention.h"
#include "tests/reference/attention_oracle.h"

namespace farthing::kernels {

inline std::vector<float> random_floats(Random& random, std::size_t count, double spread = 1.0) {
  std::vector<float> numbers(count);
  for (float& x : numbers)  // a sum of uniforms: bell-shaped enough
    x = static_cast<float>(spread * 2 * (random.uniform() + random.uniform() - 1));
  return numbers;
}

// Pages start as bytes that make NaN of every float type: what nobody stored must not be used.
class TestSequence {
 public:
  TestSequence(KvLayout layout, const AttentionRules& rules, std::int64_t length, Random& random,
               double spread = 1.0)
      : layout_(layout), page_bytes_(layout.page_bytes()) {
    const auto row = static_cast<std::size_t>(layout.kv_heads * layout.head_dim);
    problem_ = {.heads = rules.heads,
                .kv_heads = layout.kv_heads,
                .dim = layout.head_dim,
                .scale = static_cast<double>(rules.scale),
                .cap = static_cast<double>(rules.soft_cap),
                .window = rules.window,
                .slopes = {rules.slopes.begin(), rules.slopes.end()},
                .sinks = {rules.sinks.begin(), rules.sinks.end()},
                .rounded_slope_scale = static_cast<double>(rules.rounded_slope_scale),
                .keys = random_floats(random, static_cast<std::size_t>(length) * row, spread),
                .values = random_floats(random, static_cast<std::size_t>(length) * row, spread)};
    queries = random_floats(
        random, static_cast<std::size_t>(length) * static_cast<std::size_t>(columns()), spread);
    const auto count = static_cast<std::size_t>((length + kPageTokens - 1) / kPageTokens);
    if (layout.type == KvType::kInt8) {  // products of integers: attention/code_body.h
      problem_.query_limit = 8191;
      problem_.weight_limit = 32639;
      problem_.chunk = 256;
    }
    memory_ = AlignedArray<std::byte>(count * page_bytes_);
    std::fill(memory_.begin(), memory_.end(), std::byte{0xFF});
    for (std::size_t p = 0; p < count; ++p) pages.push_back(memory_.data() + p * page_bytes_);
  }

  const KvLayout& layout() const { return layout_; }
  std::int64_t columns() const {
    return static_cast<std::int64_t>(problem_.heads) * layout_.head_dim;
  }

  // Stores positions first .. last - 1; the oracle then sees what the type kept of them.
  void store(std::int64_t first, std::int64_t last) {
    const std::int64_t row = static_cast<std::int64_t>(layout_.kv_heads) * layout_.head_dim;
    for (std::int64_t p = first; p < last; ++p) {
      std::byte* page = pages[static_cast<std::size_t>(p / kPageTokens)];
      const int slot = static_cast<int>(p % kPageTokens);
      float *k = problem_.keys.data() + p * row, *v = problem_.values.data() + p * row;
      store_kv(layout_, page, slot, k, v);
      load_kv(layout_, page, slot, k, v);
    }
  }

  AttentionSequence tokens(std::int64_t first_row, std::int64_t first, std::int64_t count) const {
    return {.first_row = first_row, .count = count, .first_position = first, .pages = pages};
  }
  // Stores and attends tokens first .. first + count - 1 by themselves.
  std::vector<float> run(Runtime& runtime, const AttentionRules& rules, std::int64_t first,
                         std::int64_t count) {
    store(first, first + count);
    const std::int64_t cols = columns();
    std::vector<float> out(static_cast<std::size_t>(count * cols), -77.0f);
    const AttentionSequence sequence = tokens(0, first, count);
    attend(runtime, layout_, rules, {&sequence, 1}, {queries.data() + first * cols, count, cols},
           {out.data(), count, cols});
    return out;
  }
  std::vector<double> expected(std::int64_t first, std::int64_t count) const {
    std::vector<double> all;
    for (std::int64_t p = first; p < first + count; ++p) {
      const auto one = reference::attention(problem_, queries.data() + p * columns(), p);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  // (positions, kv_heads * dim), before they are stored.
  std::vector<float>& keys() { return problem_.keys; }
  std::vector<float>& values() { return problem_.values; }

  std::vector<std::byte*> pages;
  std::vector<float> queries;

 private:
  KvLayout layout_;
  std::size_t page_bytes_;
  AlignedArray<std::byte> memory_;
  reference::AttentionProblem problem_;
};

}  // namespace farthing::kernels
