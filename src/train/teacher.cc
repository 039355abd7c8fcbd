#include "train/teacher.h"

#include <algorithm>
#include <map>

#include "kernels/gradients/gradients.h"

namespace farthing::train {

class OnlineTeacher::Keeper final : public model::Tap {
 public:
  explicit Keeper(std::vector<int> layers) : layers_(std::move(layers)) {}
  bool wants(model::Site site) override {
    return site.kind == model::Site::Kind::kBlockOutput && std::ranges::count(layers_, site.layer);
  }
  void observe(model::Site site, const cache::Batch&, MatrixView<const float> values) override {
    const auto copy = kept_[site.layer].resize(values.rows, values.cols);
    for (std::int64_t r = 0; r < values.rows; ++r)
      std::copy_n(values.row_data(r), values.cols, copy.row_data(r));
  }
  MatrixView<const float> kept(int layer) const {
    const auto found = kept_.find(layer);
    return found == kept_.end() ? MatrixView<const float>{} : found->second.view();
  }

 private:
  std::vector<int> layers_;
  std::map<int, Matrix<float>> kept_;
};

OnlineTeacher::OnlineTeacher(Runtime& runtime, model::Model& model, double temperature,
                             std::vector<int> layers)
    : runtime_(runtime),
      model_(model),
      temperature_(temperature),
      keeper_(std::make_unique<Keeper>(std::move(layers))) {}
OnlineTeacher::~OnlineTeacher() = default;

void OnlineTeacher::start(const TrainingBatch& batch) {
  cache::PagedKv kv = model_.make_cache(kernels::KvType::kF32);
  std::vector<cache::SequenceSlice> slices;
  std::int64_t row = 0;
  for (const std::int64_t length : batch.lengths) {
    slices.push_back(
        {.sequence = kv.open(), .first_row = row, .count = length, .first_position = 0});
    kv.extend(slices.back().sequence, length);
    row += length;
  }
  const cache::Batch rows{.tokens = batch.tokens, .sequences = slices, .rows_wanting_logits = {}};
  const auto states = states_.resize(row, model_.config().hidden);
  model_.embed(runtime_, rows, states);
  model_.run_blocks(runtime_, rows, kv, 0, static_cast<int>(model_.config().layers), states,
                    keeper_.get());
}

void OnlineTeacher::prepare(std::int64_t first, std::int64_t count) {
  const auto p = probabilities_.resize(count, model_.config().vocab);
  model_.head(runtime_, std::as_const(states_).view().rows_from(first, count), p);
  runtime_.parallel(count, 4, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin)
      kernels::softmax_row(runtime_.isas, p.row(begin), static_cast<float>(1 / temperature_),
                           p.row(begin));
  });
}

TeacherRow OnlineTeacher::row(std::int64_t i) const {
  return {.tokens = {}, .probabilities = probabilities_.view().row(i)};
}
MatrixView<const float> OnlineTeacher::hidden(int layer) const { return keeper_->kept(layer); }

}  // namespace farthing::train
