#include "tune/probe.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "evaluate/divergence.h"
#include "formats/format.h"

namespace farthing::tune {
namespace {

using calibrate::HiddenStates;
using evaluate::PositionScore;
using model::Site;

constexpr std::int64_t kSlab = 64;               // rows of logits at a time
constexpr std::int64_t kMostLogits = 1LL << 30;  // bytes of reference logits kept in memory

// Keeps rows of what enters the linears of one layer.
class InputTap final : public model::Tap {
 public:
  explicit InputTap(std::int64_t stride) : stride_(stride) {}
  bool wants(Site site) override { return site.kind == Site::Kind::kLinearInput; }
  void observe(Site site, const cache::Batch&, MatrixView<const float> values) override {
    std::vector<float>& to = kept_[{site.slot, site.expert}];
    widths_[{site.slot, site.expert}] = values.cols;
    // Of the few tokens that come to an expert, all.
    const std::int64_t stride = site.expert >= 0 ? 1 : stride_;
    for (std::int64_t r = 0; r < values.rows; r += stride)
      to.insert(to.end(), values.row_data(r), values.row_data(r) + values.cols);
  }
  Probe::Inputs finish() const {
    Probe::Inputs all;
    for (const auto& [input, numbers] : kept_) {
      const std::int64_t width = widths_.at(input);
      Matrix<float>& to = all[input];
      to.resize(std::ssize(numbers) / width, width);
      std::ranges::copy(numbers, to.view().data);
    }
    return all;
  }

 private:
  std::int64_t stride_;
  std::map<calibrate::InputOf, std::vector<float>> kept_;
  std::map<calibrate::InputOf, std::int64_t> widths_;
};

void copy(const HiddenStates& from, HiddenStates& to) {
  const auto view = from.view();
  std::copy_n(view.data, view.rows * view.cols, to.view().data);
}

struct Mean {
  double sum = 0, squares = 0, count = 0;
  void add(double x) { sum += x, squares += x * x, count += 1; }
  double value() const { return count > 0 ? sum / count : 0; }
  double error() const {
    if (count < 2) return 0;
    return std::sqrt(std::max(0.0, squares - sum * sum / count) / (count - 1) / count);
  }
};

}  // namespace

Probe::Probe(Runtime& runtime, const Space& space, model::Model& model, RoundedWeights& weights,
             const evaluate::EvalText& text, kernels::KvType kv)
    : runtime_(runtime),
      space_(space),
      model_(model),
      weights_(weights),
      text_(text),
      kv_(kv),
      overlay_(space.map().checkpoint()) {
  for (const auto& window : text.windows) {
    rows_.lengths.push_back(std::ssize(window));
    tokens_.insert(tokens_.end(), window.begin(), window.end());
  }
  const std::int64_t count = std::ssize(tokens_), hidden = model.config().hidden;
  calibrate::BlockRunner runner(runtime, rows_, kv);
  inputs_.push_back(std::make_unique<HiddenStates>(count, hidden));
  runner.embed(model, tokens_, *inputs_.back());
  for (int layer = 0; layer < model.config().layers; ++layer) {
    auto next = std::make_unique<HiddenStates>(count, hidden);
    copy(*inputs_.back(), *next);
    runner.advance(model, layer, *next);
    inputs_.push_back(std::move(next));
  }
  scratch_ = std::make_unique<HiddenStates>(count, hidden);
  const std::int64_t vocab = model.config().vocab;
  const bool spill = count * vocab > kMostLogits / 4;
  logits_ = std::make_unique<HiddenStates>(
      count, vocab, spill ? std::filesystem::temp_directory_path().string() : std::string());
  for (std::int64_t row = 0; row < count; row += kSlab) {
    const std::int64_t rows = std::min(kSlab, count - row);
    model.head(runtime, inputs_.back()->view().rows_from(row, rows),
               logits_->view().rows_from(row, rows));
  }
}

Probe::~Probe() = default;

std::int64_t Probe::positions() const {
  return std::ssize(text_.windows) * (text_.options.context - text_.first_scored);
}

Shift Probe::measure(std::span<const Swap> swaps) {
  const int layers = static_cast<int>(model_.config().layers);
  int first = layers;   // whose input is the first that may change; -1: the embedding
  bool ends = false;    // embedding or head change
  bool embeds = false;  // the embedding does
  std::set<int> changed;
  kernels::KvType kv = kv_;
  overlay_.clear();
  for (const Swap& swap : swaps) {
    const Unit& unit = space_.units()[swap.unit];
    if (unit.is_cache()) {
      kv = *space_.alternative(swap).kv;
      first = std::min(first, 0);
      continue;
    }
    if (space_.alternative(swap).keep) continue;
    weights_.put(swap, overlay_);
    ends |= unit.layer < 0;
    embeds |= unit.layer < 0 && (space_.tied() || unit.kind == "embedding");
    if (unit.layer >= 0) first = std::min(first, unit.layer), changed.insert(unit.layer);
  }
  if (changed_ == nullptr || ends)
    changed_ = model::Model::load(runtime_, overlay_, {}, true);
  else
    changed_->blocks().forget();
  calibrate::BlockRunner runner(runtime_, rows_, kv);
  HiddenStates& states = *scratch_;
  if (embeds)
    first = 0, runner.embed(*changed_, tokens_, states);
  else
    copy(*inputs_[static_cast<std::size_t>(first)], states);
  for (int layer = first; layer < layers; ++layer)
    runner.advance(changed.contains(layer) ? *changed_ : model_, layer, states);
  const Shift shift = score(ends ? *changed_ : model_, states);
  if (ends) changed_.reset();  // its head belongs to these swaps
  return shift;
}

Shift Probe::measure(const Mix& mix) {
  std::vector<Swap> swaps;
  for (std::size_t u = 0; u < mix.size(); ++u)
    if (mix[u] != 0 || space_.units()[u].is_cache()) swaps.push_back({u, mix[u]});
  return measure(swaps);
}

Shift Probe::score(model::Model& model, const HiddenStates& last) {
  const std::int64_t count = std::ssize(tokens_), context = text_.options.context;
  std::vector<PositionScore> scores(static_cast<std::size_t>(count));
  Matrix<float> logits;
  const auto is_scored = [&](std::int64_t row) {
    const std::int64_t at = row % context;  // the logits of a row predict the next one
    return at + 1 >= text_.first_scored && at + 1 < context;
  };
  for (std::int64_t row = 0; row < count; row += kSlab) {
    const std::int64_t rows = std::min(kSlab, count - row);
    const auto own = logits.resize(rows, model.config().vocab);
    model.head(runtime_, last.view().rows_from(row, rows), own);
    runtime_.parallel(rows, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        if (is_scored(row + r))
          scores[static_cast<std::size_t>(row + r)] =
              evaluate::score_position(own.row(r), logits_->view().row(row + r),
                                       tokens_[static_cast<std::size_t>(row + r) + 1]);
    });
  }
  Mean kld, nll, same;
  for (std::int64_t row = 0; row < count; ++row) {
    if (!is_scored(row)) continue;
    const PositionScore& p = scores[static_cast<std::size_t>(row)];
    kld.add(p.kld);
    nll.add(p.nll - p.reference_nll);
    same.add(p.same_top ? 1 : 0);
  }
  if (!std::isfinite(kld.value()))
    bad_input(
        "{}: its logits are not numbers with some of its weights compressed: they are damaged, or "
        "overflow in the type that they run in",
        space_.map().checkpoint().path());
  return {.kld = kld.value(),
          .stderr_of_kld = kld.error(),
          .nll_increase = nll.value(),
          .stderr_of_nll = nll.error(),
          .top1_agreement = same.value()};
}

Probe::Inputs Probe::inputs_of(int layer, std::int64_t tokens) {
  InputTap tap(std::max<std::int64_t>(1, std::ssize(tokens_) / tokens));
  copy(*inputs_[static_cast<std::size_t>(layer)], *scratch_);
  // One block over all windows, each a sequence of its own.
  cache::PagedKv kv = model_.make_cache(kv_);
  kv.hold_only(layer, layer + 1);
  std::vector<cache::SequenceSlice> slices;
  std::int64_t row = 0;
  for (const std::int64_t length : rows_.lengths) {
    slices.push_back({kv.open(), row, length, 0});
    kv.extend(slices.back().sequence, length);
    row += length;
  }
  const cache::Batch batch{.tokens = {}, .sequences = slices, .rows_wanting_logits = {}};
  model_.run_blocks(runtime_, batch, kv, layer, layer + 1, scratch_->view(), &tap);
  return tap.finish();
}

}  // namespace farthing::tune
