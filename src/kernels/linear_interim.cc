// Interim, to be deleted by the commit that brings linear.cc: the contract of linear.h on FP32
// copies.
#include <cstring>

#include "kernels/linear.h"

namespace farthing::kernels {

struct Activations::Prepared {};
Activations::Activations() = default;
Activations::~Activations() = default;
void Activations::assign(MatrixView<const float> x) { x_ = x; }

class PackedMatrix {
 public:
  std::vector<float> weights, bias;
  std::int64_t in = 0, out = 0;
  ActivationScheme scheme;
};

Linear::Linear() = default;
Linear::~Linear() = default;
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;

Linear Linear::pack(Runtime&, std::span<const LinearSource> sources,
                    const ActivationScheme& scheme) {
  Linear linear;
  linear.matrix_ = std::make_unique<PackedMatrix>();
  PackedMatrix& m = *linear.matrix_;
  m.scheme = scheme;
  m.in = sources[0].weight->shape.cols;
  for (const LinearSource& source : sources)
    for (std::int64_t r = 0; r < source.weight->shape.rows; ++r, ++m.out) {
      m.weights.resize(m.weights.size() + static_cast<std::size_t>(m.in));
      const std::int64_t from =
          source.row_order.empty() ? r : source.row_order[static_cast<std::size_t>(r)];
      source.weight->format->dequantize(*source.weight, from,
                                        {m.weights.data() + m.out * m.in, 1, m.in});
      m.bias.push_back(source.bias.empty() ? 0.0f : source.bias[static_cast<std::size_t>(r)]);
    }
  return linear;
}

bool Linear::can_stack(const QuantizedTensor& a, const QuantizedTensor& b) {
  return a.scheme == b.scheme;
}
std::int64_t Linear::in() const { return matrix_->in; }
std::int64_t Linear::out() const { return matrix_->out; }
std::size_t Linear::bytes() const { return matrix_ ? matrix_->weights.size() * sizeof(float) : 0; }
const ActivationScheme& Linear::activations() const { return matrix_->scheme; }
std::string_view Linear::kernel() const { return "interim"; }

void Linear::apply(Runtime& runtime, Activations& x, MatrixView<float> y, Epilogue epilogue) const {
  const auto v = x.floats();
  const PackedMatrix& m = *matrix_;
  runtime.parallel(m.out, 16, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t o = first; o < last; ++o)
      for (std::int64_t t = 0; t < v.rows; ++t) {
        const float* w = m.weights.data() + o * m.in;
        const float* in = v.row_data(t);
        float lanes[16] = {};
        std::int64_t k = 0;
        for (; k + 16 <= m.in; k += 16)
          for (int l = 0; l < 16; ++l) lanes[l] += w[k + l] * in[k + l];
        float sum = 0;
        for (float lane : lanes) sum += lane;
        for (; k < m.in; ++k) sum += w[k] * in[k];
        const float result = epilogue.scale * (sum + m.bias[static_cast<std::size_t>(o)]);
        float& to = y.row_data(t)[o];
        to = epilogue.accumulate ? to + result : result;
      }
  });
}

void Linear::apply_slab(Runtime&, Activations&, std::int64_t, MatrixView<float>) const {}

void Linear::unpack_row(std::int64_t r, std::span<float> out) const {
  std::memcpy(out.data(), matrix_->weights.data() + r * matrix_->in, out.size() * sizeof(float));
}

}  // namespace farthing::kernels
