#include "train/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/text.h"
#include "tensor/float16.h"

namespace farthing::train {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"adamw", "sign"};
constexpr std::int64_t kPiece = 1 << 16;  // numbers that one thread takes, and one partial sum

void fill(MatrixView<float> m, float value) { std::fill_n(m.data, m.rows * m.cols, value); }
void round_to_bf16(const float* from, std::int64_t begin, std::int64_t end, float* to) {
  for (std::int64_t i = begin; i < end; ++i) to[i] = to_float(to_bf16(from[i]));
}

}  // namespace

OptimizerKind parse_optimizer(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    usage_error("--optimizer must be one of {}; got {}", join(kNames, ", "), printable(name));
  return static_cast<OptimizerKind>(found - kNames.begin());
}
std::string_view optimizer_name(OptimizerKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

double schedule(std::int64_t step, std::int64_t steps, std::int64_t warmup, double last) {
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  const auto span = static_cast<double>(std::max<std::int64_t>(steps - warmup, 1));
  const double done = static_cast<double>(step - warmup) / span;
  return last + (1 - last) * 0.5 * (1 + std::cos(std::numbers::pi * std::min(done, 1.0)));
}

Optimizer::Optimizer(std::vector<Parameter*> parameters, const OptimizerOptions& options)
    : options_(options) {
  for (Parameter* parameter : parameters) {
    Moments& moments = all_.emplace_back();
    moments.parameter = parameter;
    const Shape shape = parameter->value.shape();
    if (options.kind == OptimizerKind::kAdamW) {
      fill(moments.first.resize(shape.rows, shape.cols), 0.0f);
      fill(moments.second.resize(shape.rows, shape.cols), 0.0f);
    }
    if (options.bf16)
      std::copy_n(parameter->value.view().data, shape.size(),
                  moments.master.resize(shape.rows, shape.cols).data);
  }
}

// Sums of fixed pieces, then of the pieces in order: threads do not change it.
Optimizer::Norm Optimizer::gradient_norm(Runtime& runtime) const {
  Norm result;
  double square = 0;
  std::vector<double> partial;
  for (const Moments& moments : all_) {
    const float* gradient = moments.parameter->gradient.view().data;
    const std::int64_t size = moments.parameter->size(), pieces = (size + kPiece - 1) / kPiece;
    partial.assign(static_cast<std::size_t>(pieces), 0.0);
    runtime.parallel(pieces, 1, [&](std::int64_t piece, std::int64_t end) {
      for (; piece < end; ++piece) {
        double sum[4] = {};  // four chains, for the processor's sake
        const std::int64_t last = std::min(size, (piece + 1) * kPiece);
        for (std::int64_t i = piece * kPiece; i < last; ++i)
          sum[i & 3] += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
        partial[static_cast<std::size_t>(piece)] = sum[0] + sum[1] + sum[2] + sum[3];
      }
    });
    double own = 0;
    for (const double part : partial) own += part;
    if (!std::isfinite(own) && result.broken.empty()) result.broken = moments.parameter->name;
    square += own;
  }
  result.norm = std::sqrt(square);
  return result;
}

void Optimizer::update(Moments& moments, std::int64_t begin, std::int64_t end, double rate,
                       double factor) {
  const float* gradient = moments.parameter->gradient.view().data;
  float* value = moments.parameter->value.view().data;
  float* master = options_.bf16 ? moments.master.view().data : value;
  const auto decay =
      static_cast<float>(moments.parameter->is_matrix ? 1 - rate * options_.weight_decay : 1.0);
  if (options_.kind == OptimizerKind::kSign) {
    const auto step = static_cast<float>(rate);
    for (std::int64_t i = begin; i < end; ++i)
      master[i] = decay * master[i] - (gradient[i] > 0 ? step : gradient[i] < 0 ? -step : 0.0f);
  } else {
    const auto t = static_cast<double>(steps_ + 1);
    const auto b1 = static_cast<float>(options_.beta1), b2 = static_cast<float>(options_.beta2);
    const auto step = static_cast<float>(rate / (1 - std::pow(options_.beta1, t)));
    const auto inverse = static_cast<float>(1 / (1 - std::pow(options_.beta2, t)));
    const auto epsilon = static_cast<float>(options_.epsilon), f = static_cast<float>(factor);
    float* first = moments.first.view().data;
    float* second = moments.second.view().data;
    for (std::int64_t i = begin; i < end; ++i) {
      const float g = f * gradient[i];
      first[i] = b1 * first[i] + (1 - b1) * g;
      second[i] = b2 * second[i] + (1 - b2) * g * g;
      master[i] = decay * master[i] - step * first[i] / (std::sqrt(second[i] * inverse) + epsilon);
    }
  }
  if (options_.bf16) round_to_bf16(master, begin, end, value);
}

void Optimizer::refresh() {
  if (!options_.bf16) return;
  for (Moments& moments : all_)
    round_to_bf16(moments.master.view().data, 0, moments.parameter->size(),
                  moments.parameter->value.view().data);
}

void Optimizer::step(Runtime& runtime, double learning_rate, double norm) {
  const double factor = options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1.0;
  for (Moments& moments : all_)
    runtime.parallel(moments.parameter->size(), kPiece, [&](std::int64_t begin, std::int64_t end) {
      update(moments, begin, end, learning_rate, factor);
    });
  ++steps_;
}

std::vector<Optimizer::Numbers> Optimizer::state() {
  std::vector<Numbers> all;
  for (Moments& moments : all_) {
    const std::string& name = moments.parameter->name;
    all.push_back(
        {name + ":value", options_.bf16 ? moments.master.view() : moments.parameter->value.view()});
    if (options_.kind != OptimizerKind::kAdamW) continue;
    all.push_back({name + ":first", moments.first.view()});
    all.push_back({name + ":second", moments.second.view()});
  }
  return all;
}

}  // namespace farthing::train
