#include "kernels/gradients/attention_gradient.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/dense/dense.h"
#include "kernels/gradients/choose.h"
#include "tensor/float16.h"

namespace farthing::kernels {
namespace {

constexpr std::int64_t kTile = 64;  // queries whose scores are in memory at once

void clear(MatrixView<float> m) {
  for (std::int64_t r = 0; r < m.rows; ++r) std::fill_n(m.row_data(r), m.cols, 0.0f);
}
void turn(MatrixView<const float> from, MatrixView<float> to) {
  for (std::int64_t r = 0; r < from.rows; ++r)
    for (std::int64_t c = 0; c < from.cols; ++c) to.row_data(c)[r] = from.row_data(r)[c];
}

// The bias of ALiBi for a key at `key`, relative to the query's own position.
float alibi(const CausalAttention& a, std::int64_t head, std::int64_t query, std::int64_t key) {
  const float slope = a.slopes[static_cast<std::size_t>(head)];
  if (!(a.rounded_slope_scale > 0)) return slope * static_cast<float>(key - query);
  const float rounded = to_float(to_bf16(slope));
  const auto at = [&](std::int64_t p) {
    return a.rounded_slope_scale * to_float(to_bf16(rounded * static_cast<float>(p)));
  };
  return at(key) - at(query);
}

// One sequence and one head of keys and values, on one thread.
class HeadWork {
 public:
  HeadWork(IsaSet isas, const CausalAttention& a, MatrixView<const float> qkv, SequenceRows rows,
           std::int64_t kv_head)
      : isas_(isas), kernels_(row_gradients(isas)), a_(a), rows_(rows), kv_head_(kv_head) {
    const auto own = qkv.rows_from(rows.first, rows.count);
    queries_ = own.cols_from(0, a.heads * a.head_dim);
    keys_ = own.cols_from((a.heads + kv_head) * a.head_dim, a.head_dim);
    values_ = own.cols_from((a.heads + a.kv_heads + kv_head) * a.head_dim, a.head_dim);
    turn(keys_, keys_turned_.resize(a.head_dim, rows.count));
  }

  void forward(MatrixView<float> out) {
    const auto own = out.rows_from(rows_.first, rows_.count);
    each_tile([&](const Tile& t) {
      const auto to =
          own.rows_from(t.query, t.queries).cols_from(t.head * a_.head_dim, a_.head_dim);
      set_product_here(isas_, scores(t), values_.rows_from(t.key, t.keys), to);
    });
  }

  void backward(MatrixView<const float> dout, MatrixView<float> dqkv) {
    const auto own = dqkv.rows_from(rows_.first, rows_.count);
    const auto dkeys = own.cols_from((a_.heads + kv_head_) * a_.head_dim, a_.head_dim);
    const auto dvalues =
        own.cols_from((a_.heads + a_.kv_heads + kv_head_) * a_.head_dim, a_.head_dim);
    clear(dkeys);
    clear(dvalues);
    turn(values_, values_turned_.resize(a_.head_dim, rows_.count));
    const auto dout_rows = dout.rows_from(rows_.first, rows_.count);
    each_tile([&](const Tile& t) {
      const auto dy =
          dout_rows.rows_from(t.query, t.queries).cols_from(t.head * a_.head_dim, a_.head_dim);
      const auto p = scores(t);
      add_turned_product_here(isas_, p, dy, dvalues.rows_from(t.key, t.keys));
      const auto ds = slopes_.resize(t.queries, t.keys);
      set_product_here(isas_, dy, values_turned_.view().cols_from(t.key, t.keys), ds);
      through_softmax(t, p, ds);
      const auto dq =
          own.rows_from(t.query, t.queries).cols_from(t.head * a_.head_dim, a_.head_dim);
      set_product_here(isas_, ds, keys_.rows_from(t.key, t.keys), dq);
      add_turned_product_here(isas_, ds, query(t), dkeys.rows_from(t.key, t.keys));
    });
  }

 private:
  struct Tile {
    std::int64_t head, query, queries, key, keys;
  };

  template <class Body>
  void each_tile(Body body) {
    const std::int64_t group = a_.heads / a_.kv_heads;
    for (std::int64_t head = kv_head_ * group; head < (kv_head_ + 1) * group; ++head)
      for (std::int64_t q = 0; q < rows_.count; q += kTile) {
        const std::int64_t queries = std::min(kTile, rows_.count - q);
        const std::int64_t key = a_.window > 0 ? std::max<std::int64_t>(0, q - a_.window + 1) : 0;
        body(Tile{head, q, queries, key, q + queries - key});
      }
  }

  MatrixView<const float> query(const Tile& t) const {
    return queries_.rows_from(t.query, t.queries).cols_from(t.head * a_.head_dim, a_.head_dim);
  }

  // The probabilities of a tile (queries, keys), 0 for keys that a query does not see. With a soft
  // cap also how much of a change of each raw score gets through.
  MatrixView<float> scores(const Tile& t) {
    const auto p = scores_.resize(t.queries, t.keys);
    set_product_here(isas_, query(t), keys_turned_.view().cols_from(t.key, t.keys), p);
    if (a_.soft_cap > 0) passed_.resize(t.queries, t.keys);
    for (std::int64_t r = 0; r < t.queries; ++r) {
      const std::int64_t at = t.query + r;
      const std::int64_t begin =
          a_.window > 0 ? std::max<std::int64_t>(0, at - a_.window + 1 - t.key) : 0;
      const std::int64_t end = at - t.key + 1;
      row_of_scores(t, r, begin, end, p.row_data(r));
      std::fill_n(p.row_data(r), begin, 0.0f);
      std::fill_n(p.row_data(r) + end, t.keys - end, 0.0f);
    }
    return p;
  }

  // Raw products begin .. end - 1 of a row become probabilities.
  void row_of_scores(const Tile& t, std::int64_t r, std::int64_t begin, std::int64_t end,
                     float* p) {
    float factor = a_.scale;
    if (a_.soft_cap > 0) {
      for (std::int64_t j = begin; j < end; ++j) {
        const float bent = std::tanh(a_.scale * p[j] / a_.soft_cap);
        p[j] = a_.soft_cap * bent;
        passed_.view().row_data(r)[j] = 1 - bent * bent;
      }
      factor = 1;
    }
    if (!a_.slopes.empty()) {
      for (std::int64_t j = begin; j < end; ++j)
        p[j] = factor * p[j] + alibi(a_, t.head, t.query + r, t.key + j);
      factor = 1;
    }
    const std::int64_t n = end - begin;
    const float shift = factor * kernels_.largest(p + begin, n);
    const double sum = kernels_.exponentials(p + begin, factor, shift, n, p + begin);
    const auto inverse = static_cast<float>(1 / sum);
    for (std::int64_t j = begin; j < end; ++j) p[j] *= inverse;
  }

  // ds: from the gradient of probabilities to that of the products of queries and keys.
  void through_softmax(const Tile& t, MatrixView<const float> p, MatrixView<float> ds) {
    for (std::int64_t r = 0; r < t.queries; ++r) {
      float* row = ds.row_data(r);
      const double mean = kernels_.dot(p.row_data(r), row, t.keys);
      kernels_.softmax(p.row_data(r), a_.scale, static_cast<float>(mean), t.keys, row);
      if (!(a_.soft_cap > 0)) continue;
      const float* passed = passed_.view().row_data(r);
      for (std::int64_t j = 0; j < t.keys; ++j)
        if (p.row_data(r)[j] != 0) row[j] *= passed[j];
    }
  }

  IsaSet isas_;
  const RowGradients& kernels_;
  const CausalAttention& a_;
  SequenceRows rows_;
  std::int64_t kv_head_;
  MatrixView<const float> queries_, keys_, values_;
  Matrix<float> keys_turned_, values_turned_, scores_, slopes_, passed_;
};

template <class Body>
void for_heads(Runtime& runtime, const CausalAttention& a, std::span<const SequenceRows> sequences,
               MatrixView<const float> qkv, Body body) {
  const std::int64_t pieces = std::ssize(sequences) * a.kv_heads;
  runtime.parallel(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      HeadWork work(runtime.isas, a, qkv, sequences[static_cast<std::size_t>(begin / a.kv_heads)],
                    begin % a.kv_heads);
      body(work);
    }
  });
}

}  // namespace

void attend_causally(Runtime& runtime, const CausalAttention& attention,
                     std::span<const SequenceRows> sequences, MatrixView<const float> qkv,
                     MatrixView<float> out) {
  for_heads(runtime, attention, sequences, qkv, [&](HeadWork& work) { work.forward(out); });
}

void attend_causally_gradient(Runtime& runtime, const CausalAttention& attention,
                              std::span<const SequenceRows> sequences, MatrixView<const float> qkv,
                              MatrixView<const float> dout, MatrixView<float> dqkv) {
  for_heads(runtime, attention, sequences, qkv, [&](HeadWork& work) { work.backward(dout, dqkv); });
}

}  // namespace farthing::kernels
