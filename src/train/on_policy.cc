#include "train/on_policy.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "io/overlay_checkpoint.h"
#include "io/plain_matrix.h"
#include "kernels/gradients/gradients.h"
#include "model/model.h"

namespace farthing::train {
namespace {

constexpr std::int64_t kSequences = 32;  // that are continued side by side

// The student as it is now, on the kernels that serve. Its weights are copied.
class Snapshot {
 public:
  Snapshot(Runtime& runtime, const model::TensorMap& map, const ParameterSet& parameters)
      : overlay_(map.checkpoint()) {
    bytes_.reserve(parameters.all().size());
    for (const auto& parameter : parameters.all()) put(*parameter);
    model_ = model::Model::load(runtime, overlay_);
  }
  model::Model& model() { return *model_; }

 private:
  void put(const Parameter& parameter) {
    Parameter place;  // how it lies in the file, but in FP32
    place.dtype = "F32";
    place.is_matrix = parameter.is_matrix;
    place.order = parameter.order;
    place.turned = parameter.turned;
    bytes_.push_back(file_bytes(place, parameter.value.view()));
    Shape shape = parameter.value.shape();
    if (parameter.turned) std::swap(shape.rows, shape.cols);
    std::string base = parameter.name;
    if (base.ends_with(".weight")) base.resize(base.size() - 7);
    const io::TensorInfo info{parameter.name, "F32", {shape.rows, shape.cols}, bytes_.back()};
    overlay_.put(base, 0, io::plain_matrix(info, 0, 1, "the student"), ActivationScheme{});
  }

  std::vector<std::vector<std::byte>> bytes_;
  io::OverlayCheckpoint overlay_;
  std::unique_ptr<model::Model> model_;
};

// One token by the probabilities of a row.
Token draw(std::span<const float> probabilities, double point) {
  double sum = 0;
  for (std::size_t v = 0; v < probabilities.size(); ++v) {
    sum += static_cast<double>(probabilities[v]);
    if (point < sum) return static_cast<Token>(v);
  }
  return static_cast<Token>(std::ranges::max_element(probabilities) - probabilities.begin());
}

// A sample that is being continued: where it lies in the batch, and draws of its own.
struct Continued {
  std::int64_t first_row, length, prompt;
  Random random;
  int sequence = 0;
};

class Continuation {
 public:
  Continuation(Runtime& runtime, model::Model& model, double temperature, TrainingBatch& batch)
      : runtime_(runtime),
        model_(model),
        temperature_(temperature),
        batch_(batch),
        kv_(model.make_cache(kernels::KvType::kF32)) {}

  // All of them up to their lengths, and the token behind as the last label.
  void run(std::span<Continued> samples) {
    std::int64_t longest = 0;
    for (Continued& sample : samples) {
      sample.sequence = kv_.open();
      advance({&sample, 1}, 0, sample.prompt);
      longest = std::max(longest, sample.length);
    }
    for (std::int64_t at = 0; at < longest; ++at) {
      std::vector<Continued*> alive;
      for (Continued& sample : samples)
        if (at >= sample.prompt && at < sample.length) alive.push_back(&sample);
      if (!alive.empty()) advance_together(alive, at);
    }
    for (const Continued& sample : samples) kv_.close(sample.sequence);
  }

 private:
  // Takes positions from .. to - 1 in and draws the token that follows them.
  void advance(std::span<Continued> one, std::int64_t from, std::int64_t to) {
    Continued& sample = one.front();
    kv_.extend(sample.sequence, to);
    const cache::SequenceSlice slice{.sequence = sample.sequence,
                                     .first_row = 0,
                                     .count = to - from,
                                     .first_position = from,
                                     .known_length = sample.length};
    const std::int64_t last[] = {to - from - 1};
    const std::span tokens = std::span(batch_.tokens)
                                 .subspan(static_cast<std::size_t>(sample.first_row + from),
                                          static_cast<std::size_t>(to - from));
    Continued* const samples[] = {&sample};
    forward({tokens, {&slice, 1}, last}, samples, to);
  }

  void advance_together(const std::vector<Continued*>& samples, std::int64_t at) {
    std::vector<Token> tokens;
    std::vector<cache::SequenceSlice> slices;
    std::vector<std::int64_t> rows;
    for (const Continued* sample : samples) {
      kv_.extend(sample->sequence, at + 1);
      rows.push_back(std::ssize(rows));
      slices.push_back({.sequence = sample->sequence,
                        .first_row = rows.back(),
                        .count = 1,
                        .first_position = at,
                        .known_length = sample->length});
      tokens.push_back(batch_.tokens[static_cast<std::size_t>(sample->first_row + at)]);
    }
    forward({tokens, slices, rows}, samples, at + 1);
  }

  // The token at position `at` of each sample, from the logits of the one before.
  void forward(const cache::Batch& rows, std::span<Continued* const> samples, std::int64_t at) {
    model_.forward(runtime_, rows, kv_, [&](std::int64_t first, MatrixView<const float> logits) {
      std::vector<float> p(static_cast<std::size_t>(logits.cols));
      for (std::int64_t r = 0; r < logits.rows; ++r) {
        kernels::softmax_row(runtime_.isas, logits.row(r), static_cast<float>(1 / temperature_), p);
        Continued& sample = *samples[static_cast<std::size_t>(first + r)];
        const Token token = draw(p, sample.random.uniform());
        const auto row = static_cast<std::size_t>(sample.first_row + at);
        batch_.labels[row - 1] = token;
        if (at < sample.length) batch_.tokens[row] = token;
      }
    });
  }

  Runtime& runtime_;
  model::Model& model_;
  double temperature_;
  TrainingBatch& batch_;
  cache::PagedKv kv_;
};

}  // namespace

void check(const OnPolicyOptions& o) {
  if (!(o.share >= 0 && o.share <= 1))
    usage_error("--on-policy must be a share of the samples from 0 to 1; got {}", o.share);
  if (!(o.temperature >= 0.05 && o.temperature <= 100))
    usage_error("--sample-temperature must be from 0.05 to 100; got {}", o.temperature);
  if (o.prompt < 0) usage_error("--prompt must not be negative; got {}", o.prompt);
}

OnPolicy::OnPolicy(Runtime& runtime, const model::TensorMap& student,
                   const OnPolicyOptions& options, Objective& inner)
    : runtime_(runtime), student_(student), options_(options), inner_(inner) {}

TrainingBatch OnPolicy::revise(TrainingBatch batch, std::int64_t step,
                               const ParameterSet& student) {
  std::vector<Continued> samples;
  std::int64_t row = 0, number = 0;
  for (const std::int64_t length : batch.lengths) {
    // A stream of its own for each sample of each step.
    Random random(Random(static_cast<std::uint64_t>(options_.seed)).bits() +
                  static_cast<std::uint64_t>(step) * 1'000'003 +
                  static_cast<std::uint64_t>(number++));
    const std::int64_t prompt =
        std::clamp<std::int64_t>(options_.prompt > 0 ? options_.prompt : length / 4, 1, length);
    if (random.uniform() < options_.share) samples.push_back({row, length, prompt, random});
    row += length;
  }
  if (samples.empty()) return batch;
  Snapshot snapshot(runtime_, student_, student);
  for (std::size_t at = 0; at < samples.size(); at += kSequences) {
    const std::size_t count = std::min<std::size_t>(kSequences, samples.size() - at);
    Continuation(runtime_, snapshot.model(), options_.temperature, batch)
        .run(std::span(samples).subspan(at, count));
  }
  return batch;
}

}  // namespace farthing::train
