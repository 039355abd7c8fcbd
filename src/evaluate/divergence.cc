#include "evaluate/divergence.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "evaluate/log_sum.h"

namespace farthing::evaluate {
namespace {

constexpr std::int64_t kSlab = 64;  // rows of logits in memory at a time
constexpr std::size_t kWorst = 12;  // differences shown

using Position = PositionScore;

void check_numbers(std::span<const Position> positions) {
  for (const Position& p : positions)
    if (std::isnan(p.nll) || std::isnan(p.reference_nll) || std::isnan(p.kld))
      bad_input(
          "the logits of {} are not numbers: its weights are damaged, or overflow in the type that "
          "they run in (--dtype fp32 has the widest range)",
          std::isnan(p.reference_nll) ? "the reference" : "the model");
}

// Hidden states of one window after the last block.
MatrixView<float> run_window(Runtime& runtime, const Runner& runner, std::span<const Token> window,
                             Matrix<float>& hidden) {
  model::Model& model = *runner.model;
  cache::PagedKv kv = model.make_cache(runner.kv);
  const auto count = static_cast<std::int64_t>(window.size());
  const cache::SequenceSlice slice{kv.open(), 0, count, 0};
  const cache::Batch batch{window, {&slice, 1}, {}};
  kv.extend(slice.sequence, count);
  const auto view = hidden.resize(count, model.config().hidden);
  model.embed(runtime, batch, view);
  model.run_blocks(runtime, batch, kv, 0, static_cast<int>(model.config().layers), view);
  return view;
}

double value_of(const std::vector<double>& values) { return mean_of(values).value; }

// The error of a mean over windows of `each` positions, where there are at least two.
Estimate mean_by_window(std::span<const double> values, std::size_t each) {
  if (values.size() < 2 * each) return mean_of(values);
  std::vector<double> means;
  for (std::size_t at = 0; at < values.size(); at += each)
    means.push_back(mean_of(values.subspan(at, each)).value);
  return mean_of(means);
}

Interval bounded(Interval i, double low, double high) {
  return {std::clamp(i.low, low, high), std::clamp(i.high, low, high)};
}

// Linear interpolation between the order statistics, as numpy.quantile does.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

template <class F>
std::vector<double> column(const std::vector<Position>& positions, F field) {
  std::vector<double> values;
  values.reserve(positions.size());
  for (const Position& p : positions) values.push_back(field(p));
  return values;
}

// The interval of the root of a mean of squares, by the delta method.
Interval root_interval(Estimate squares) {
  const double root = std::sqrt(squares.value);
  return interval_of({root, root > 0 ? squares.stderr_of_value / (2 * root) : 0});
}

std::vector<std::int64_t> histogram_of(const std::vector<double>& kld) {
  const std::vector<double> edges = kld_edges();
  std::vector<std::int64_t> counts(edges.size() + 1);
  for (double k : kld)
    ++counts[static_cast<std::size_t>(std::ranges::upper_bound(edges, k) - edges.begin())];
  return counts;
}

std::vector<TextResult::Difference> worst_of(const std::vector<Position>& positions,
                                             const EvalText& text, std::size_t each) {
  std::vector<std::size_t> order(positions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(kWorst, order.size()));
  std::partial_sort(order.begin(), end, order.end(), [&](std::size_t a, std::size_t b) {
    return positions[a].kld != positions[b].kld ? positions[a].kld > positions[b].kld : a < b;
  });
  std::vector<TextResult::Difference> worst;
  for (auto at = order.begin(); at != end; ++at) {
    const Position& p = positions[*at];
    const std::size_t window = *at / each,
                      place = static_cast<std::size_t>(text.first_scored) + *at % each;
    worst.push_back({static_cast<std::int64_t>(window), static_cast<std::int64_t>(place),
                     text.windows[window][place], p.reference_top, p.top, p.kld,
                     std::exp(-p.reference_nll), std::exp(-p.nll)});
  }
  return worst;
}

TextResult::Against compare(const std::vector<Position>& positions, const EvalText& text) {
  const std::size_t each = positions.size() / text.windows.size();
  TextResult::Against a;
  std::vector<double> kld = column(positions, [](const Position& p) { return p.kld; });
  const Estimate mean = mean_of(kld);
  a.kld.mean = mean.value;
  a.kld.stderr_of_mean = mean.stderr_of_value;
  constexpr double kNoBound = std::numeric_limits<double>::infinity();
  a.interval.kld = bounded(interval_of(mean_by_window(kld, each)), 0, kNoBound);
  a.histogram = histogram_of(kld);
  a.worst = worst_of(positions, text, each);
  std::sort(kld.begin(), kld.end());
  a.kld.median = quantile(kld, 0.5);
  a.kld.p99 = quantile(kld, 0.99);
  a.kld.p999 = quantile(kld, 0.999);
  a.kld.max = kld.back();
  const auto same = column(positions, [](const Position& p) { return p.same_top ? 1.0 : 0.0; });
  a.top1_agreement = value_of(same);
  a.interval.top1_agreement = bounded(interval_of(mean_by_window(same, each)), 0, 1);
  const auto squares = column(positions, [](const Position& p) { return p.delta_p * p.delta_p; });
  a.rms_delta_p = std::sqrt(value_of(squares));
  a.interval.rms_delta_p = bounded(root_interval(mean_by_window(squares, each)), 0, 1);
  a.reference_perplexity =
      std::exp(value_of(column(positions, [](const Position& p) { return p.reference_nll; })));
  const auto ratio = column(positions, [](const Position& p) { return p.nll - p.reference_nll; });
  a.log_ratio_stderr = mean_of(ratio).stderr_of_value;
  const Interval log_ratio = interval_of(mean_by_window(ratio, each));
  a.interval.perplexity_ratio = {std::exp(log_ratio.low), std::exp(log_ratio.high)};
  return a;
}

}  // namespace

PositionScore score_position(std::span<const float> logits, std::span<const float> reference,
                             Token truth) {
  const auto t = static_cast<std::size_t>(truth);
  const LogSum own = log_sum(logits);
  PositionScore p;
  p.nll = own.log_sum - logits[t];
  if (reference.empty()) return p;
  const LogSum ref = log_sum(reference);
  p.reference_nll = ref.log_sum - reference[t];
  p.top = static_cast<Token>(own.best);
  p.reference_top = static_cast<Token>(ref.best);
  p.same_top = own.best == ref.best;
  p.delta_p = std::exp(-p.nll) - std::exp(-p.reference_nll);
  // sum of p_ref (log p_ref - log p); the difference of the two log-sums leaves the loop.
  const auto shift = static_cast<float>(ref.log_sum);
  double sum = 0, mass = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double probability = static_cast<double>(std::exp(reference[i] - shift));
    sum += probability * static_cast<double>(reference[i] - logits[i]);
    mass += probability;
  }
  p.kld = std::max(0.0, sum / mass - (ref.log_sum - own.log_sum));
  return p;
}

void check_same_vocabulary(const model::Model& model, const model::Model& reference) {
  if (reference.config().vocab != model.config().vocab)
    bad_input(
        "the reference has a vocabulary of {} tokens and the model one of {}; only models of one "
        "vocabulary can be compared",
        reference.config().vocab, model.config().vocab);
}

std::vector<double> kld_edges() {
  std::vector<double> edges;
  for (int quarter = -28; quarter <= 8; ++quarter) edges.push_back(std::pow(10.0, quarter / 4.0));
  return edges;
}

TextResult evaluate_text(Runtime& runtime, const Runner& runner, const Runner* reference,
                         const EvalText& text, Progress& progress) {
  const std::int64_t vocab = runner.model->config().vocab;
  if (reference != nullptr) check_same_vocabulary(*runner.model, *reference->model);
  const auto start = std::chrono::steady_clock::now();
  Matrix<float> hidden, reference_hidden, logits, reference_logits;
  std::vector<Position> positions;
  const auto windows = static_cast<std::int64_t>(text.windows.size());
  for (std::int64_t w = 0; w < windows; ++w) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    const auto& window = text.windows[static_cast<std::size_t>(w)];
    const auto own = run_window(runtime, runner, window, hidden);
    MatrixView<float> ref;
    if (reference != nullptr) ref = run_window(runtime, *reference, window, reference_hidden);
    // The logits of row r predict token r + 1.
    const std::int64_t first_row = text.first_scored - 1,
                       rows = text.options.context - text.first_scored;
    for (std::int64_t done = 0; done < rows; done += kSlab) {
      const std::int64_t count = std::min(kSlab, rows - done), from = first_row + done;
      const auto a = logits.resize(count, vocab);
      runner.model->head(runtime, own.rows_from(from, count), a);
      MatrixView<float> b;
      if (reference != nullptr) {
        b = reference_logits.resize(count, vocab);
        reference->model->head(runtime, ref.rows_from(from, count), b);
      }
      const std::size_t base = positions.size();
      positions.resize(base + static_cast<std::size_t>(count));
      runtime.parallel(count, 4, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r)
          positions[base + static_cast<std::size_t>(r)] = score_position(
              a.row(r),
              reference != nullptr ? std::span<const float>(b.row(r)) : std::span<const float>(),
              window[static_cast<std::size_t>(from + r + 1)]);
      });
    }
    check_numbers(std::span(positions).last(static_cast<std::size_t>(rows)));
    progress.update("windows", w + 1, windows);
  }
  TextResult result;
  const auto nll = column(positions, [](const Position& p) { return p.nll; });
  const Estimate mean = mean_of(nll);
  result.nll = mean.value;
  result.nll_stderr = mean.stderr_of_value;
  result.perplexity = std::exp(result.nll);
  result.tokens = static_cast<std::int64_t>(positions.size());
  if (reference != nullptr) result.against = compare(positions, text);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace farthing::evaluate
