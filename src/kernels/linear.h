// Linear: y = x W^T + b on weights packed for this processor.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/runtime.h"
#include "formats/format.h"
#include "tensor/matrix_view.h"

namespace farthing::kernels {

struct InputLayout;  // kernels/activations.h

// The activations entering one or more linears, (tokens, in). They are quantised or rounded at the
// first linear that asks for a scheme and shared by the ones after it. Borrows x.
class Activations {
 public:
  Activations();
  ~Activations();
  Activations(const Activations&) = delete;
  Activations& operator=(const Activations&) = delete;
  void assign(MatrixView<const float> x);  // forgets what was prepared, keeps its memory
  // These rows of another's inputs, which are quantised there, once for all who take rows of them.
  // Borrows both.
  void assign_rows(Activations& whole, std::span<const std::int64_t> rows);
  Shape shape() const { return shape_; }
  MatrixView<const float> floats(Runtime& runtime);

  struct Prepared;                                                       // kernels/activations.h
  const Prepared& prepare(Runtime& runtime, const InputLayout& layout);  // for kernels

 private:
  Prepared& find(const InputLayout& layout);

  Shape shape_;
  MatrixView<const float> x_;     // without rows until rows of another are asked for as floats
  Activations* whole_ = nullptr;  // whose rows_ these are
  std::span<const std::int64_t> rows_;
  Matrix<float> gathered_;
  std::vector<std::unique_ptr<Prepared>> prepared_;
};

// What a Linear is made of. Several sources are stacked: their outputs follow one another.
struct LinearSource {
  const QuantizedTensor* weight = nullptr;
  std::span<const float> bias;  // (out) in the order of the outputs, or empty
  std::span<const std::int32_t>
      row_order;  // output r is the weight's row row_order[r]; empty: as is
};

struct Epilogue {
  bool accumulate = false;  // y += instead of y =
  float scale = 1.0f;       // y = scale * (x W^T + b)
};

class PackedMatrix;  // kernels/packed_matrix.h: what one kernel reads; never written to a file

class Linear {
 public:
  Linear();
  ~Linear();
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;

  // Packs the sources, which must agree in inputs and in grid (can_stack). Numerics depend on the
  // sources and the scheme alone. Error: unsupported, when no kernel has the pair.
  static Linear pack(Runtime& runtime, std::span<const LinearSource> sources,
                     const ActivationScheme& scheme);
  static bool can_stack(const QuantizedTensor& a, const QuantizedTensor& b);

  std::int64_t in() const;
  std::int64_t out() const;
  std::size_t bytes() const;  // resident, padding and biases included
  const ActivationScheme& activations() const;
  std::string_view kernel() const;  // "int4_group avx512vnni": what runs, for reports
  explicit operator bool() const { return matrix_ != nullptr; }

  // x (tokens, in) -> y (tokens, out). Integer modes: the same bits for any number of tokens,
  // threads and any instruction set.
  void apply(Runtime& runtime, Activations& x, MatrixView<float> y, Epilogue epilogue = {}) const;
  // Of so many tokens memory decides the time.
  static constexpr std::int64_t kStreamTokens = 8;
  // Linears that read one input: their outputs follow one another in y. 2 to 16 linears of at most
  // kStreamTokens tokens are one piece of work, started and waited for once (docs/adr/0075).
  static void apply_all(Runtime& runtime, std::span<const Linear> linears, Activations& x,
                        MatrixView<float> y, Epilogue epilogue = {});
  // Only outputs first .. first + y.cols: a slab of a large head. first is a multiple of 16.
  void apply_slab(Runtime& runtime, Activations& x, std::int64_t first, MatrixView<float> y) const;

  // Row r of the weight as floats (in): exactly what the source holds. For embedding rows.
  void unpack_row(std::int64_t r, std::span<float> out) const;

 private:
  std::unique_ptr<PackedMatrix> matrix_;
};

}  // namespace farthing::kernels
