#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.h"
#include "core/text.h"
#include "io/mapped_file.h"
#include "io/planned_safetensors.h"
#include "io/safetensors.h"
#include "train/teacher.h"

namespace farthing::train {
namespace {

constexpr std::int64_t kSamplesAtOnce = 8;
constexpr std::int64_t kRowsAtOnce = 128;

class CachedTeacher final : public Teacher {
 public:
  explicit CachedTeacher(const CacheRequest& request)
      : file_(request.path),
        best_(static_cast<std::size_t>(request.best)),
        vocabulary_(static_cast<std::size_t>(request.vocabulary)) {
    for (const io::TensorInfo& tensor : file_.content().tensors) {
      if (tensor.name == "tokens") tokens_ = tensor.bytes;
      if (tensor.name == "probabilities") probabilities_ = tensor.bytes;
    }
    rows_here_ = tokens_.size() / (best_ * 4);
    if (tokens_.size() != rows_here_ * best_ * 4 || tokens_.size() != probabilities_.size())
      refuse("its tokens and probabilities do not fit together");
  }
  void start(const TrainingBatch& batch) override {
    rows_.clear();
    for (std::size_t s = 0; s < batch.lengths.size(); ++s)
      for (std::int64_t r = 0; r < batch.lengths[s]; ++r)
        rows_.push_back(static_cast<std::size_t>(batch.corpus_rows[s] + r));
    for (const std::size_t row : rows_)
      if (row >= rows_here_) refuse("it has fewer positions than the text");
  }
  void prepare(std::int64_t first, std::int64_t count) override {
    const auto n = static_cast<std::size_t>(count);
    kept_tokens_.resize(n * best_);
    kept_.resize(n * (best_ + 1));
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t row = rows_[static_cast<std::size_t>(first) + i];
      std::memcpy(kept_tokens_.data() + i * best_, tokens_.data() + row * best_ * 4, best_ * 4);
      float* p = kept_.data() + i * (best_ + 1);
      std::memcpy(p, probabilities_.data() + row * best_ * 4, best_ * 4);
      double rest = 1;
      for (std::size_t k = 0; k < best_; ++k) rest -= static_cast<double>(p[k]);
      p[best_] = best_ < vocabulary_ ? static_cast<float>(std::max(rest, 0.0)) : 0.0f;
    }
    for (const std::int32_t token : kept_tokens_)
      if (token < 0 || static_cast<std::size_t>(token) >= vocabulary_)
        refuse("it has tokens that are not in the vocabulary");
  }
  TeacherRow row(std::int64_t i) const override {
    const auto at = static_cast<std::size_t>(i);
    return {.tokens = std::span(kept_tokens_).subspan(at * best_, best_),
            .probabilities = std::span(kept_).subspan(at * (best_ + 1), best_ + 1)};
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    bad_input("{}: is damaged, {}; remove it, and it is made again",
              printable(file_.file().path(), 400), what);
  }

  io::SafetensorsFile file_;
  std::size_t best_, vocabulary_, rows_here_ = 0;
  ByteSpan tokens_, probabilities_;
  std::vector<std::size_t> rows_;
  std::vector<std::int32_t> kept_tokens_;
  std::vector<float> kept_;
};

// The best tokens of a distribution, the likeliest first, ties by their number.
void take_best(std::span<const float> p, std::span<std::int32_t> tokens, std::span<float> kept) {
  std::vector<std::int32_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  const auto middle = order.begin() + std::ssize(tokens);
  std::partial_sort(order.begin(), middle, order.end(), [&](std::int32_t a, std::int32_t b) {
    const float x = p[static_cast<std::size_t>(a)], y = p[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  for (std::size_t k = 0; k < tokens.size(); ++k) {
    tokens[k] = order[k];
    kept[k] = p[static_cast<std::size_t>(order[k])];
  }
}

}  // namespace

bool has_teacher_cache(const CacheRequest& request) {
  if (!io::file_exists(request.path)) return false;
  const io::SafetensorsFile file(request.path);
  for (const io::TensorInfo& tensor : file.content().tensors)
    if (tensor.name == "key" &&
        std::ranges::equal(tensor.bytes, std::as_bytes(std::span(request.key))))
      return true;
  usage_error(
      "{}: holds what another teacher said, or of another text, temperature or number of tokens; "
      "remove it or name another --cache",
      printable(request.path, 400));
}

void make_teacher_cache(Runtime& runtime, Teacher& teacher, const Batches& batches,
                        const CacheRequest& request, Progress& progress) {
  io::PlannedSafetensors file(request.path,
                              {{"tokens", "I32", {batches.rows(), request.best}},
                               {"probabilities", "F32", {batches.rows(), request.best}},
                               {"key", "U8", {std::ssize(request.key)}}});
  file.write(2, 0, std::as_bytes(std::span(request.key)));
  const auto best = static_cast<std::size_t>(request.best);
  std::vector<std::int32_t> tokens;
  std::vector<float> kept;
  std::uint64_t at = 0;
  for (std::int64_t first = 0; first < batches.samples(); first += kSamplesAtOnce) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    progress.update("samples of the teacher", first, batches.samples());
    const TrainingBatch batch = batches.range(first, kSamplesAtOnce);
    teacher.start(batch);
    for (std::int64_t row = 0; row < std::ssize(batch.tokens); row += kRowsAtOnce) {
      const std::int64_t count = std::min(kRowsAtOnce, std::ssize(batch.tokens) - row);
      teacher.prepare(row, count);
      tokens.resize(static_cast<std::size_t>(count) * best);
      kept.resize(tokens.size());
      runtime.parallel(count, 4, [&](std::int64_t begin, std::int64_t end) {
        for (; begin < end; ++begin) {
          const std::size_t i = static_cast<std::size_t>(begin) * best;
          take_best(teacher.row(begin).probabilities, std::span(tokens).subspan(i, best),
                    std::span(kept).subspan(i, best));
        }
      });
      file.write(0, at, std::as_bytes(std::span(tokens)));
      file.write(1, at, std::as_bytes(std::span(kept)));
      at += tokens.size() * sizeof(std::int32_t);
    }
  }
  progress.update("samples of the teacher", batches.samples(), batches.samples());
  file.commit();
}

std::unique_ptr<Teacher> open_teacher_cache(const CacheRequest& request) {
  return std::make_unique<CachedTeacher>(request);
}

}  // namespace farthing::train
