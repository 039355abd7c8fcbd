#include "kernels/linear.h"

#include <array>
#include <cassert>

#include "kernels/packed_matrix.h"
#include "kernels/squeeze.h"

namespace farthing::kernels {
namespace {

// Error: unsupported, naming the pair, when the scheme of the inputs has no kernel for any weight.
void check_inputs(const ActivationScheme& scheme) {
  if (scheme.mode == ActivationMode::kF32 || scheme.mode == ActivationMode::kBf16) return;
  if (scheme.dynamic == (scheme.strategy == Strategy::kTensor))
    unsupported(
        "{} activations need a scale per token or per group, or one fixed scale for all tokens; "
        "this mix has no kernel",
        activation_name(scheme.mode));
  constexpr float kLeast = 1e-30f;  // its inverse is a number, too
  if (!scheme.dynamic && !(scheme.scale >= kLeast && scheme.scale <= 1 / kLeast))
    unsupported("the fixed scale of {} activations must be from {} to {}; found {}",
                activation_name(scheme.mode), kLeast, 1 / kLeast, scheme.scale);
  if (scheme.strategy == Strategy::kGroup && scheme.group_size < 1)
    unsupported("{} activations in groups need a group of at least one input; found {}",
                activation_name(scheme.mode), scheme.group_size);
}

// Codebooks meet integers only where their levels are small integers too.
bool has_kernel(const LinearKernel* kernel, const QuantizedTensor& weight, Packing packing) {
  if (kernel == nullptr) return false;
  if (packing != Packing::kLevels || kernel->input_bits == 0) return true;
  return levels_are_integers(weight.format->grid(weight).codebook);
}

void copy_biases(std::span<const LinearSource> sources, PackedMatrix& matrix) {
  const bool any = std::any_of(sources.begin(), sources.end(),
                               [](const LinearSource& source) { return !source.bias.empty(); });
  if (!any) return;
  matrix.bias = AlignedArray<float>(static_cast<std::size_t>(matrix.tile_count() * kTileRows));
  std::fill(matrix.bias.begin(), matrix.bias.end(), 0.0f);
  float* out = matrix.bias.data();
  for (const LinearSource& source : sources) {
    assert(source.bias.empty() || std::ssize(source.bias) == source.weight->shape.rows);
    std::copy(source.bias.begin(), source.bias.end(), out);
    out += source.weight->shape.rows;
  }
}

// Runs the dense kernel on tiles that are expanded a few at a time, while they are in the cache.
void run_squeezed(const PackedMatrix& matrix, const LinearSlice& slice) {
  if (slice.tokens == 1 && matrix.thin != nullptr) return matrix.thin(matrix.squeezed, slice);
  thread_local AlignedArray<std::byte> room;
  const std::int64_t most = slice.tokens > 8 ? 2 * kTileUnit : 2;
  const std::int64_t dense = matrix.squeezed.dense_bytes;
  room.reserve_scratch(static_cast<std::size_t>(most * dense));
  for (std::int64_t tile = slice.first_tile; tile < slice.end_tile; tile += most) {
    const std::int64_t count = std::min(most, slice.end_tile - tile);
    for (std::int64_t i = 0; i < count; ++i)
      matrix.expand(matrix.squeezed, slice.tiles + (tile + i) * slice.tile_bytes,
                    room.data() + i * dense);
    LinearSlice part = slice;
    part.tiles = room.data();
    part.tile_bytes = dense;
    part.first_tile = 0;
    part.end_tile = count;
    part.first_row -= tile * kTileRows;
    part.end_row -= tile * kTileRows;
    if (part.bias != nullptr) part.bias += tile * kTileRows;
    matrix.kernel->run(part);
  }
}

// Tiles first .. end - 1 of those of a slice.
void run_tiles(const PackedMatrix& matrix, const LinearSlice& whole, std::int64_t first,
               std::int64_t end) {
  LinearSlice slice = whole;
  slice.first_tile = whole.first_tile + first;
  slice.end_tile = whole.first_tile + end;
  if (matrix.squeezed.groups > 0) return run_squeezed(matrix, slice);
  matrix.kernel->run(slice);
}

// Threads read one stream each while they can when memory decides the time, and take pieces as they
// get free when arithmetic does. Pieces are whole pairs of pairs of tiles.
void run_in_parallel(Runtime& runtime, const PackedMatrix& matrix, const LinearSlice& whole) {
  const auto piece = [&](std::int64_t first, std::int64_t end) {
    run_tiles(matrix, whole, first, end);
  };
  const std::int64_t count = whole.end_tile - whole.first_tile;
  if (whole.tokens <= Linear::kStreamTokens)
    return runtime.parallel_streams(count, kTileUnit, piece);
  const std::int64_t pieces = std::int64_t{8} * runtime.pool.size();
  const std::int64_t grain =
      std::clamp(count / pieces / kTileUnit * kTileUnit, kTileUnit, 8 * kTileUnit);
  runtime.parallel(count, grain, piece);
}

LinearSlice slice_of(Runtime& runtime, const PackedMatrix& matrix, Activations& x,
                     std::int64_t first, MatrixView<float> y, const Epilogue& epilogue) {
  assert((x.shape() == Shape{y.rows, matrix.in}));
  assert(first % kTileRows == 0 && first + y.cols <= matrix.out);
  const Activations::Prepared& inputs = x.prepare(runtime, matrix.input_layout());
  return {.tiles = matrix.tiles.data(),
          .tile_bytes = matrix.tile_bytes,
          .first_tile = first / kTileRows,
          .end_tile = (first + y.cols + kTileRows - 1) / kTileRows,
          .in = matrix.in,
          .bias = matrix.bias.size() == 0 ? nullptr : matrix.bias.data(),
          .codes = &matrix.codes,
          .x = inputs.floats.data(),
          .x_codes = inputs.codes.data(),
          .x_scales = inputs.scales.data(),
          .x_folds = inputs.folds.data(),
          .x_sums = inputs.sums.data(),
          .tokens = y.rows,
          .y = y.data,
          .y_stride = y.stride,
          .first_row = first,
          .end_row = first + y.cols,
          .scale = epilogue.scale,
          .accumulate = epilogue.accumulate};
}

}  // namespace

void multiply(Runtime& runtime, const PackedMatrix& matrix, Activations& x, std::int64_t first,
              MatrixView<float> y, const Epilogue& epilogue) {
  if (y.rows == 0 || y.cols == 0) return;
  run_in_parallel(runtime, matrix, slice_of(runtime, matrix, x, first, y, epilogue));
}

Linear::Linear() = default;
Linear::~Linear() = default;
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;

std::int64_t Linear::in() const { return matrix_->in; }
std::int64_t Linear::out() const { return matrix_->out; }
std::size_t Linear::bytes() const {
  return matrix_->tiles.size() + matrix_->bias.size() * sizeof(float);
}
const ActivationScheme& Linear::activations() const { return matrix_->activations; }
std::string_view Linear::kernel() const { return matrix_->kernel_name; }

bool Linear::can_stack(const QuantizedTensor& a, const QuantizedTensor& b) {
  return a.shape.cols == b.shape.cols && a.scheme == b.scheme;
}

PackedMatrix pack_dense(Runtime& runtime, std::span<const LinearSource> sources,
                        const ActivationScheme& scheme) {
  assert(!sources.empty());
  const QuantizedTensor& first = *sources[0].weight;
  for (const LinearSource& source : sources) assert(Linear::can_stack(first, *source.weight));
  const StackedRows rows(sources);

  PackedMatrix matrix;
  matrix.in = first.shape.cols;
  matrix.out = rows.rows();
  matrix.packing = packing_of(first, scheme.mode);
  matrix.activations = scheme;
  check_inputs(scheme);
  matrix.kernel = choose_kernel(linear_kernels(), matrix.packing, scheme.mode, runtime.isas);
  if (!has_kernel(matrix.kernel, first, matrix.packing))
    unsupported("no kernel multiplies {} weights with {} activations; choose another --activations",
                scheme_name(first.scheme), activation_name(scheme.mode));
  matrix.kernel_name = fmt::format("{} {}", matrix.kernel->family, isa_name(matrix.kernel->isa));
  if (is_codes(matrix.packing))
    pack_codes(runtime, rows, matrix);
  else
    pack_floats(runtime, rows, matrix);
  copy_biases(sources, matrix);
  return matrix;
}

Linear Linear::pack(Runtime& runtime, std::span<const LinearSource> sources,
                    const ActivationScheme& scheme) {
  Linear linear;
  linear.matrix_ = std::make_unique<PackedMatrix>(pack_dense(runtime, sources, scheme));
  squeeze(runtime, *linear.matrix_, break_even(*linear.matrix_, runtime.isas));
  return linear;
}

void Linear::apply(Runtime& runtime, Activations& x, MatrixView<float> y, Epilogue epilogue) const {
  assert(y.cols == matrix_->out);
  multiply(runtime, *matrix_, x, 0, y, epilogue);
}

void Linear::apply_all(Runtime& runtime, std::span<const Linear> linears, Activations& x,
                       MatrixView<float> y, Epilogue epilogue) {
  constexpr std::size_t kMost = 16;  // together
  if (linears.size() < 2 || linears.size() > kMost || y.rows > kStreamTokens || y.rows == 0) {
    std::int64_t column = 0;
    for (const Linear& linear : linears) {
      linear.apply(runtime, x, y.cols_from(column, linear.out()), epilogue);
      column += linear.out();
    }
    return;
  }
  std::array<LinearSlice, kMost> slices;
  std::array<std::int64_t, kMost + 1> first_unit;  // of each linear, then of none
  first_unit[0] = 0;
  std::int64_t column = 0;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    const MatrixView<float> out = y.cols_from(column, linears[i].out());
    column += linears[i].out();
    slices[i] = slice_of(runtime, *linears[i].matrix_, x, 0, out, epilogue);
    first_unit[i + 1] = first_unit[i] + (slices[i].end_tile + kTileUnit - 1) / kTileUnit;
  }
  runtime.parallel_streams(
      first_unit[linears.size()], 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::size_t i = 0; i < linears.size(); ++i) {
          const std::int64_t first = std::max(begin, first_unit[i]) - first_unit[i];
          const std::int64_t last = std::min(end, first_unit[i + 1]) - first_unit[i];
          if (first < last)
            run_tiles(*linears[i].matrix_, slices[i], first * kTileUnit,
                      std::min(last * kTileUnit, slices[i].end_tile));
        }
      });
}

void Linear::apply_slab(Runtime& runtime, Activations& x, std::int64_t first,
                        MatrixView<float> y) const {
  multiply(runtime, *matrix_, x, first, y, {});
}

void Linear::unpack_row(std::int64_t r, std::span<float> out) const {
  farthing::kernels::unpack_row(*matrix_, r, out);
}

void unpack_row(const PackedMatrix& matrix, std::int64_t row, std::span<float> out) {
  assert(row >= 0 && row < matrix.out && std::ssize(out) == matrix.in);
  if (matrix.squeezed.groups > 0) {
    PackedMatrix tile;  // the row's alone, expanded
    tile.in = matrix.in;
    tile.out = kTileRows;
    tile.packing = matrix.packing;
    tile.activations = matrix.activations;
    tile.kernel = matrix.kernel;
    tile.codes = matrix.codes;
    tile.tile_bytes = matrix.squeezed.dense_bytes;
    tile.tiles = AlignedArray<std::byte>(static_cast<std::size_t>(tile.tile_bytes));
    matrix.expand(matrix.squeezed, matrix.tiles.data() + row / kTileRows * matrix.tile_bytes,
                  tile.tiles.data());
    return unpack_row(tile, row % kTileRows, out);
  }
  if (is_codes(matrix.packing))
    unpack_codes(matrix, row, out);
  else
    unpack_floats(matrix, row, out);
}

}  // namespace farthing::kernels
