#include <map>
#include <numeric>

#include "core/error.h"
#include "formats/quant_scheme.h"
#include "kernels/packed_matrix.h"
#include "tensor/float16.h"
#include "tests/kernels/linear_cases.h"
#include "tests/reference/linear_oracle.h"

namespace farthing::kernels {
namespace {

// A format of this test alone: parts are codes (U8), scales and offsets (F32), so that any grid can
// be had. Codebooks: kIq4nl integers, kE2m1 halves, kNf4 neither.
constexpr float kIntegers[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};
constexpr float kHalves[16] = {0,     0.5f,  1,     1.5f,  2,     3,     4,     6,
                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
constexpr float kReals[16] = {-1,    -0.7f, -0.5f, -0.4f, -0.3f, -0.2f, -0.1f, 0,
                              0.08f, 0.16f, 0.25f, 0.34f, 0.44f, 0.56f, 0.72f, 1};

const float* codebook_of(Element element) {
  switch (element) {
    case Element::kIq4nl:
      return kIntegers;
    case Element::kE2m1:
      return kHalves;
    case Element::kNf4:
      return kReals;
    default:
      return nullptr;
  }
}

Grid test_grid(const QuantizedTensor& tensor) {
  Grid grid;
  grid.bits = tensor.scheme.bits;
  grid.codebook = codebook_of(tensor.scheme.element);
  grid.bias = grid.codebook != nullptr                        ? 0
              : tensor.scheme.zero_point == ZeroPoint::kFloat ? 0
                                                              : 1 << (grid.bits - 1);
  grid.group_size = tensor.scheme.group_size == 0 ? tensor.shape.cols : tensor.scheme.group_size;
  grid.has_offsets = !tensor.scheme.symmetric;
  grid.scales_are_f16 = tensor.scheme.scale == ScaleType::kF16;
  return grid;
}

std::int64_t groups_of(const QuantizedTensor& tensor) {
  const std::int64_t group = test_grid(tensor).group_size;
  return (tensor.shape.cols + group - 1) / group;
}

void test_read_grid(const QuantizedTensor& tensor, std::int64_t row, const GridRow& to) {
  const std::int64_t cols = tensor.shape.cols, groups = groups_of(tensor);
  std::copy_n(tensor.parts[0].as<std::uint8_t>() + row * cols, cols, to.codes.begin());
  std::copy_n(tensor.parts[1].as<float>() + row * groups, groups, to.scales.begin());
  if (!tensor.scheme.symmetric)
    std::copy_n(tensor.parts[2].as<float>() + row * groups, groups, to.offsets.begin());
}

struct Row {
  std::vector<std::uint8_t> codes;
  std::vector<float> scales, offsets;
};
Row read_row(const QuantizedTensor& tensor, std::int64_t row) {
  const std::int64_t group = tensor.format->grid(tensor).group_size;
  const auto groups = static_cast<std::size_t>((tensor.shape.cols + group - 1) / group);
  Row result{std::vector<std::uint8_t>(static_cast<std::size_t>(tensor.shape.cols)),
             std::vector<float>(groups), std::vector<float>(groups)};
  tensor.format->read_grid(tensor, row, {result.codes, result.scales, result.offsets});
  return result;
}

void test_dequantize(const QuantizedTensor& tensor, std::int64_t first_row, MatrixView<float> out) {
  const Grid grid = test_grid(tensor);
  for (std::int64_t r = 0; r < out.rows; ++r) {
    const Row row = read_row(tensor, first_row + r);
    for (std::int64_t k = 0; k < out.cols; ++k) {
      const auto i = static_cast<std::size_t>(k), g = static_cast<std::size_t>(k / grid.group_size);
      const int code = row.codes[i];
      const float level =
          grid.codebook != nullptr ? grid.codebook[code] : static_cast<float>(code - grid.bias);
      out.row_data(r)[k] = row.scales[g] * level + (grid.has_offsets ? row.offsets[g] : 0.0f);
    }
  }
}

constexpr Format kTestFormat = {.name = "test",
                                .holds = nullptr,
                                .parts = nullptr,
                                .dequantize = test_dequantize,
                                .quantize = nullptr,
                                .grid = test_grid,
                                .read_grid = test_read_grid};

template <class T>
Bytes bytes_of(const std::vector<T>& numbers) {
  AlignedArray<std::byte> bytes(numbers.size() * sizeof(T));
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return Bytes::own(std::move(bytes));
}

float random_scale(Random& random, ScaleType type) {
  const float scale = std::ldexp(random_float(random), static_cast<int>(random.below(20)) - 14);
  return type == ScaleType::kF16 ? to_float(to_fp16(scale)) : scale;
}

// Offsets: whole multiples of the scale, FP16 numbers, or anything, by the kind of zero point.
QuantizedTensor random_weight(Random& random, Shape shape, const WeightScheme& scheme) {
  QuantizedTensor tensor;
  tensor.format = &kTestFormat;
  tensor.shape = shape;
  tensor.scheme = scheme;
  const std::int64_t groups = groups_of(tensor) * shape.rows;
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(shape.size()));
  for (auto& code : codes) {
    const std::uint64_t most = (1u << scheme.bits) - 1;
    const std::uint64_t choice = random.below(8);  // the ends come often
    code = static_cast<std::uint8_t>(choice == 0 ? 0 : choice == 1 ? most : random.below(most + 1));
  }
  std::vector<float> scales(static_cast<std::size_t>(groups)), offsets(scales.size());
  for (std::size_t g = 0; g < scales.size(); ++g) {
    scales[g] = random.below(10) == 0 ? 0.0f : random_scale(random, scheme.scale);
    offsets[g] = scales[g] * static_cast<float>(static_cast<int>(random.below(256)) - 128);
    if (scheme.zero_point == ZeroPoint::kFloat) offsets[g] = random_float(random);
    if (scheme.scale == ScaleType::kBf16) offsets[g] = to_float(to_fp16(random_float(random)));
  }
  tensor.parts.push_back(bytes_of(codes));
  tensor.parts.push_back(bytes_of(scales));
  tensor.parts.push_back(bytes_of(offsets));
  return tensor;
}

// Inputs with what breaks rounding: zeros in a whole group, tiny and large numbers, ties.
std::vector<float> hard_inputs(Random& random, std::int64_t count) {
  auto x = random_floats(random, count);
  for (std::int64_t begin = 0; begin < count; begin += 16) {
    const auto kind = random.below(12);
    for (std::int64_t k = begin; k < std::min(count, begin + 16); ++k) {
      float& value = x[static_cast<std::size_t>(k)];
      if (kind == 0) value = 0;
      if (kind == 1) value *= 0x1p-120f;
      if (kind == 2) value *= 0x1p-140f;  // subnormal
      if (kind == 3) value *= 1e4f;
      if (kind == 4) value = std::nearbyint(127 * value) / 2;
    }
  }
  return x;
}

reference::GridWeights weights_of(const QuantizedTensor& tensor, std::int64_t row) {
  const Grid grid = tensor.format->grid(tensor);
  const Row numbers = read_row(tensor, row);
  const float step = grid.codebook == kHalves ? 0.5f : 1.0f;
  reference::GridWeights result;
  result.has_offsets = grid.has_offsets;
  for (std::int64_t k = 0; k < tensor.shape.cols; ++k) {
    const auto g = static_cast<std::size_t>(k / grid.group_size);
    const int code = numbers.codes[static_cast<std::size_t>(k)];
    result.levels.push_back(grid.codebook != nullptr
                                ? static_cast<std::int64_t>(grid.codebook[code] / step)
                                : code - grid.bias);
    result.scales.push_back(numbers.scales[g] * step);
    result.offsets.push_back(numbers.offsets[g]);
  }
  return result;
}

Linear pack(Runtime& runtime, const QuantizedTensor& weight, const ActivationScheme& scheme) {
  const LinearSource source{.weight = &weight, .bias = {}, .row_order = {}};
  return Linear::pack(runtime, {&source, 1}, scheme);
}

int bits_of_packing(Packing packing) {
  const CodePlanes planes = planes_of(packing);
  return planes.low + planes.high;
}

class LinearCodes : public testing::TestWithParam<LinearKernel> {
 protected:
  void SetUp() override { FARTHING_SKIP_UNTESTED(kernel().isa); }
  const LinearKernel& kernel() const { return GetParam(); }
  // A runtime where the table's choice is this kernel.
  Runtime runtime(int threads) const {
    IsaSet only;
    only.add(kernel().isa);
    return Runtime(threads, only);
  }
  ActivationMode mode() const {
    if (kernel().input_bits == 0) return ActivationMode::kF32;
    return kernel().input_bits == 8 ? ActivationMode::kInt8 : ActivationMode::kInt16;
  }
  std::vector<WeightScheme> schemes() const {
    if (kernel().packing == Packing::kLevels) {
      std::vector<WeightScheme> result;
      for (Element element : {Element::kIq4nl, Element::kE2m1, Element::kNf4})
        if (element != Element::kNf4 || kernel().input_bits == 0)
          result.push_back({.element = element, .bits = 4, .scale = ScaleType::kF16});
      return result;
    }
    std::vector<WeightScheme> result;
    const int most = bits_of_packing(kernel().packing);
    for (int bits = most == 8 ? 7 : most; bits <= most; ++bits)
      for (ScaleType scale : {ScaleType::kF16, ScaleType::kBf16, ScaleType::kF32})
        for (ZeroPoint zero : {ZeroPoint::kNone, ZeroPoint::kInteger, ZeroPoint::kFloat})
          if (bits == most || (scale == ScaleType::kF16 && zero == ZeroPoint::kNone))
            result.push_back({.element = Element::kInt,
                              .bits = bits,
                              .symmetric = zero == ZeroPoint::kNone,
                              .scale = scale,
                              .zero_point = zero});
    return result;
  }

  float expected(const QuantizedTensor& weight, std::int64_t row, const std::vector<float>& x,
                 const ActivationScheme& scheme) const {
    if (kernel().input_bits == 0) return reference::blocked_chain(dequantized_row(weight, row), x);
    const auto input_group =
        static_cast<std::size_t>(scheme.strategy == Strategy::kGroup ? scheme.group_size : 0);
    const std::size_t unit = reference::unit_of(static_cast<std::size_t>(weight.scheme.group_size),
                                                input_group, x.size());
    return reference::integer_dot(
        weights_of(weight, row),
        reference::quantize(x, input_group, kernel().input_bits, scheme.dynamic ? 0 : scheme.scale),
        unit);
  }

  void check(Random& random, Shape shape, const WeightScheme& scheme,
             const ActivationScheme& inputs, std::span<const std::int64_t> token_counts) {
    check(random, random_weight(random, shape, scheme), inputs, token_counts);
  }
  void check(Random& random, const QuantizedTensor& weight, const ActivationScheme& inputs,
             std::span<const std::int64_t> token_counts) {
    Runtime one = runtime(1), three = runtime(3);
    const Shape shape = weight.shape;
    const Linear linear = pack(one, weight, inputs);
    ASSERT_EQ(linear.kernel(), fmt::format("{} {}", kernel().family, isa_name(kernel().isa)));
    for (std::int64_t tokens : token_counts) {
      const auto x = hard_inputs(random, tokens * shape.cols);
      const auto y = apply(one, linear, x, tokens);
      ASSERT_EQ(bits_of(y), bits_of(apply(three, linear, x, tokens))) << "threads";
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t o = 0; o < shape.rows; o += 3)
          ASSERT_EQ(y[static_cast<std::size_t>(t * shape.rows + o)],
                    expected(weight, o, slice(x, t * shape.cols, shape.cols), inputs))
              << "output " << o << ", token " << t << " of " << tokens;
    }
    std::vector<float> row(static_cast<std::size_t>(shape.cols));
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      linear.unpack_row(r, row);
      ASSERT_EQ(row, dequantized_row(weight, r)) << "row " << r;
    }
  }
};

std::string case_name(const testing::TestParamInfo<LinearKernel>& info) {
  const LinearKernel& kernel = info.param;
  return fmt::format("{}_{}_{}",
                     kernel.packing == Packing::kLevels
                         ? "levels"
                         : fmt::format("u{}", bits_of_packing(kernel.packing)),
                     kernel.input_bits == 0 ? "floats" : fmt::format("int{}", kernel.input_bits),
                     isa_name(kernel.isa));
}

std::vector<LinearKernel> code_kernels() {
  std::vector<LinearKernel> found;
  for (const LinearKernel& kernel : linear_kernels())
    if (is_codes(kernel.packing) && is_listed(kernel.isa)) found.push_back(kernel);
  return found;
}
INSTANTIATE_TEST_SUITE_P(Kernels, LinearCodes, testing::ValuesIn(code_kernels()), case_name);

struct Groups {
  std::int64_t in, weights, inputs;  // 0: the row
};

TEST_P(LinearCodes, GivesThePromisedBitsForEveryPairOfGroups) {
  Random random(1);
  for (const Groups& groups : std::initializer_list<Groups>{{64, 32, 32},
                                                            {64, 64, 16},
                                                            {192, 64, 64},
                                                            {128, 16, 64},
                                                            {128, 128, 32},
                                                            {100, 0, 64},
                                                            {96, 48, 32},
                                                            {60, 20, 12},
                                                            {70, 0, 0},
                                                            {257, 0, 0},
                                                            {600, 0, 64},
                                                            {600, 0, 0},
                                                            {512, 64, 0},
                                                            {1024, 512, 512},
                                                            {1024, 512, 0},
                                                            {640, 320, 128},
                                                            {100, 32, 32}}) {
    SCOPED_TRACE(
        fmt::format("{} inputs, groups {} and {}", groups.in, groups.weights, groups.inputs));
    WeightScheme scheme = schemes().back();
    scheme.strategy = groups.weights == 0 ? Strategy::kChannel : Strategy::kGroup;
    scheme.group_size = groups.weights;
    const ActivationScheme inputs = {
        .mode = mode(),
        .strategy = groups.inputs == 0 ? Strategy::kChannel : Strategy::kGroup,
        .group_size = groups.inputs};
    if (kernel().input_bits == 0 && groups.weights % 8 != 0) continue;  // kept as FP32
    check(random, {21, groups.in}, scheme, inputs, std::array<std::int64_t, 3>{1, 5, 14});
    if (HasFatalFailure()) return;
  }
}

TEST_P(LinearCodes, GivesThePromisedBitsForEveryWidthOfRow) {
  Random random(2);
  for (std::int64_t in : {1, 2, 3, 4, 5, 7, 8, 9, 15, 31, 33, 63, 64, 65, 127, 255, 256}) {
    SCOPED_TRACE(fmt::format("{} inputs", in));
    check(random, {18, in}, schemes().front(), {.mode = mode(), .group_size = 32},
          std::array<std::int64_t, 2>{1, 3});
    if (HasFatalFailure()) return;
  }
}

// Any bytes, but for factors that are ordinary numbers.
QuantizedTensor random_blocks(Random& random, Shape shape, std::string_view name,
                              std::span<const std::int64_t> factors_at) {
  QuantizedTensor tensor = allocate_tensor(shape, parse_scheme(name).weights);
  std::span<std::byte> bytes = tensor.parts[0].writable();
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
  const std::int64_t blocks = shape.size() / 256;
  const auto block_bytes = static_cast<std::int64_t>(bytes.size()) / blocks;
  for (std::int64_t b = 0; b < blocks; ++b)
    for (const std::int64_t at : factors_at) {
      const Fp16 factor = to_fp16(random.below(10) == 0 ? 0.0f : random_float(random));
      std::memcpy(bytes.data() + b * block_bytes + at, &factor, sizeof factor);
    }
  return tensor;
}

TEST_P(LinearCodes, GivesThePromisedBitsForFactoredScales) {
  Random random(4);
  const std::map<std::string_view, std::vector<std::int64_t>> blocks = {
      {"q2_k", {80, 82}}, {"q3_k", {108}}, {"q4_k", {0, 2}},
      {"q5_k", {0, 2}},   {"q6_k", {208}}, {"iq4_xs", {0}}};
  for (const auto& [name, factors_at] : blocks)
    for (const std::int64_t input_group : {0, 16, 32, 256}) {
      SCOPED_TRACE(fmt::format("{}, inputs in groups of {}", name, input_group));
      const QuantizedTensor weight = random_blocks(random, {35, 512}, name, factors_at);
      if (packing_of(weight, mode()) != kernel().packing) continue;
      const ActivationScheme inputs = {
          .mode = mode(),
          .strategy = input_group == 0 ? Strategy::kChannel : Strategy::kGroup,
          .group_size = input_group};
      check(random, weight, inputs, std::array<std::int64_t, 4>{1, 2, 9, 17});
      if (HasFatalFailure()) return;
    }
}

TEST_P(LinearCodes, GivesThePromisedBitsForEverySchemeOfItsPacking) {
  Random random(3);
  for (WeightScheme scheme : schemes())
    for (std::int64_t out : {1, 16, 33}) {
      SCOPED_TRACE(fmt::format("{} bits, scales {}, zeros {}", scheme.bits,
                               static_cast<int>(scheme.scale),
                               static_cast<int>(scheme.zero_point)));
      scheme.strategy = Strategy::kGroup;
      scheme.group_size = 32;
      check(random, {out, 160}, scheme, {.mode = mode(), .group_size = 32},
            std::array<std::int64_t, 4>{1, 2, 9, 17});
      if (HasFatalFailure()) return;
    }
}

TEST_P(LinearCodes, GivesThePromisedBitsWithOneFixedScaleThatClips) {
  if (kernel().input_bits == 0) return;
  Random random(9);
  WeightScheme scheme = schemes().back();
  for (const float scale : {0.004f, 0.5f}) {  // most inputs are clipped; few are
    SCOPED_TRACE(scale);
    check(random, {21, 300}, scheme,
          {.mode = mode(), .strategy = Strategy::kTensor, .dynamic = false, .scale = scale},
          std::array<std::int64_t, 3>{1, 5, 14});
    if (HasFatalFailure()) return;
  }
}

TEST_P(LinearCodes, ATokenDoesNotDependOnItsCompany) {
  Runtime two = runtime(2);
  Random random(4);
  WeightScheme scheme = schemes().front();
  scheme.strategy = Strategy::kGroup;
  scheme.group_size = 64;
  const QuantizedTensor weight = random_weight(random, {75, 192}, scheme);
  const Linear linear = pack(two, weight, {.mode = mode(), .group_size = 64});
  const auto x = hard_inputs(random, 40 * 192);
  const auto all = apply(two, linear, x, 40);
  for (std::int64_t tokens = 1; tokens < 40; ++tokens) {
    const std::int64_t first = 40 - tokens;
    const auto some = apply(two, linear, slice(x, first * 192, tokens * 192), tokens);
    ASSERT_EQ(bits_of(some), bits_of(slice(all, first * 75, tokens * 75))) << tokens << " tokens";
  }
}

TEST_P(LinearCodes, InputsThatThreadsShareGiveTheBitsOfOneThread) {
  Runtime one = runtime(1), three = runtime(3);
  Random random(8);
  WeightScheme scheme = schemes().front();
  scheme.strategy = Strategy::kGroup;
  scheme.group_size = 64;
  const std::int64_t cols = 4096 + 40;  // long enough for parts, with a tail
  const QuantizedTensor weight = random_weight(random, {20, cols}, scheme);
  const auto x = hard_inputs(random, 9 * cols);
  for (const ActivationScheme& inputs :
       {ActivationScheme{.mode = mode(), .group_size = 64},
        ActivationScheme{.mode = mode(), .group_size = 192},
        ActivationScheme{.mode = mode(), .strategy = Strategy::kChannel}}) {
    const Linear linear = pack(one, weight, inputs);
    for (const std::int64_t tokens : {1, 2, 4, 9}) {
      const auto some = slice(x, 0, tokens * cols);
      ASSERT_EQ(bits_of(apply(three, linear, some, tokens)),
                bits_of(apply(one, linear, some, tokens)))
          << tokens << " tokens, groups of " << inputs.group_size;
    }
  }
}

TEST_P(LinearCodes, RowsTakenFromOtherInputsGiveTheBitsOfTheirOwn) {
  Runtime two = runtime(2);
  Random random(6);
  WeightScheme scheme = schemes().front();
  scheme.strategy = Strategy::kGroup;
  scheme.group_size = 64;
  const QuantizedTensor weight = random_weight(random, {35, 160}, scheme);
  const Linear linear = pack(two, weight, {.mode = mode(), .group_size = 64});
  for (const std::int64_t tokens : {1, 40}) {
    const auto x = hard_inputs(random, tokens * 160);
    const auto all = apply(two, linear, x, tokens);
    Activations whole, part;
    whole.assign({x.data(), tokens, 160});
    for (const std::int64_t count : {1, 2, 9, 17, 33}) {
      std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
      for (std::int64_t& row : rows)
        row = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(tokens)));
      part.assign_rows(whole, rows);
      std::vector<float> y(static_cast<std::size_t>(count * 35));
      linear.apply(two, part, {y.data(), count, 35});
      for (std::int64_t i = 0; i < count; ++i)
        ASSERT_EQ(bits_of(slice(y, i * 35, 35)),
                  bits_of(slice(all, rows[static_cast<std::size_t>(i)] * 35, 35)))
            << count << " of " << tokens << " tokens";
    }
  }
}

TEST_P(LinearCodes, InputsThatLayersOfManyScalesShareGiveEachItsOwnBits) {
  if (kernel().input_bits == 0) return;
  Runtime two = runtime(2);
  Random random(8);
  const QuantizedTensor weight = random_weight(random, {20, 96}, schemes().back());
  std::vector<Linear> layers;
  for (const float scale : {0.01f, 0.1f, 0.5f})
    layers.push_back(pack(
        two, weight,
        {.mode = mode(), .strategy = Strategy::kTensor, .dynamic = false, .scale = scale}));
  layers.push_back(pack(two, weight, {.mode = mode(), .group_size = 96}));
  Activations shared;
  std::int64_t tokens = 7;
  // Every time others than before, which take the room of those that are not there.
  for (const auto& turn : {std::vector<std::size_t>{0, 3, 0}, {1, 0, 1}, {2, 3, 1, 2, 0}}) {
    const auto x = hard_inputs(random, tokens * 96);
    shared.assign({x.data(), tokens, 96});
    for (const std::size_t layer : turn) {
      std::vector<float> y(static_cast<std::size_t>(tokens * 20));
      layers[layer].apply(two, shared, {y.data(), tokens, 20});
      ASSERT_EQ(bits_of(y), bits_of(apply(two, layers[layer], x, tokens))) << "layer " << layer;
    }
    tokens += 5;
  }
}

TEST_P(LinearCodes, TheLargestProductsDoNotOverflow) {
  if (kernel().packing == Packing::kLevels) return;  // smaller than codes
  Runtime one = runtime(1);
  Random random(5);
  WeightScheme scheme = {.element = Element::kInt,
                         .bits = bits_of_packing(kernel().packing),
                         .symmetric = false,
                         .scale = ScaleType::kF32,
                         .zero_point = ZeroPoint::kFloat};  // no bias
  QuantizedTensor weight = random_weight(random, {16, 512}, scheme);
  const auto codes = weight.parts[0].writable();
  std::fill(codes.begin(), codes.end(), static_cast<std::byte>((1 << scheme.bits) - 1));
  const ActivationScheme inputs = {.mode = mode(), .strategy = Strategy::kChannel};
  const Linear linear = pack(one, weight, inputs);
  for (float sign : {1.0f, -1.0f}) {
    const std::vector<float> x(512 * 2, sign * 32639.0f);
    const auto y = apply(one, linear, x, 2);
    for (std::int64_t o = 0; o < 16; ++o)
      ASSERT_EQ(y[static_cast<std::size_t>(16 + o)], expected(weight, o, slice(x, 0, 512), inputs));
  }
}

TEST_P(LinearCodes, AnInfinityOrANaNReachesEveryOutput) {
  if (kernel().input_bits == 0) return;  // floats carry them by themselves
  Runtime one = runtime(1);
  Random random(6);
  const QuantizedTensor weight = random_weight(random, {20, 96}, schemes().front());
  const Linear linear = pack(one, weight, {.mode = mode(), .group_size = 32});
  for (float bad : {INFINITY, -INFINITY, NAN})
    for (std::size_t at : {0u, 40u, 95u}) {
      auto x = random_floats(random, 2 * 96);
      x[96 + at] = bad;
      const auto y = apply(one, linear, x, 2);
      for (std::size_t o = 0; o < 20; ++o) {
        EXPECT_TRUE(std::isfinite(y[o]));
        EXPECT_TRUE(std::isnan(y[20 + o]));
      }
    }
}

TEST(LinearCodes, RefusesWhatHasNoKernel) {
  Runtime runtime(1);
  Random random(7);
  const QuantizedTensor reals =
      random_weight(random, {16, 64}, {.element = Element::kNf4, .bits = 4});
  EXPECT_THROW(pack(runtime, reals, {.mode = ActivationMode::kInt8}), Error);
  const QuantizedTensor codes =
      random_weight(random, {16, 64}, {.element = Element::kInt, .bits = 8});
  EXPECT_THROW(pack(runtime, codes, {.mode = ActivationMode::kInt8, .dynamic = false}), Error);
  EXPECT_THROW(pack(runtime, codes, {.mode = ActivationMode::kInt8, .strategy = Strategy::kTensor}),
               Error);
  for (const float scale : {0.0f, -1.0f, INFINITY, NAN, 1e-38f})
    EXPECT_THROW(pack(runtime, codes,
                      {.mode = ActivationMode::kInt8,
                       .strategy = Strategy::kTensor,
                       .dynamic = false,
                       .scale = scale}),
                 Error);
}

TEST(LinearCodes, GroupsThatFloatKernelsCannotCutAreKeptAsFloats) {
  Runtime runtime(1);
  Random random(8);
  WeightScheme scheme = {.element = Element::kInt, .bits = 4, .strategy = Strategy::kGroup};
  scheme.group_size = 12;
  const QuantizedTensor weight = random_weight(random, {5, 60}, scheme);
  const auto x = random_floats(random, 60);
  const auto y = apply(runtime, pack(runtime, weight, {}), x, 1);
  for (std::int64_t o = 0; o < 5; ++o)
    EXPECT_EQ(y[static_cast<std::size_t>(o)],
              reference::blocked_chain(dequantized_row(weight, o), x));
}

TEST(LinearCodes, CodesTakeTheBitsThatTheirGroupsCanBeCutFor) {
  const auto packing = [](const char* name) {
    return packing_of(allocate_tensor({16, 256}, parse_scheme(name).weights),
                      ActivationMode::kInt8);
  };
  EXPECT_EQ(packing("w2g16"), Packing::kU2);
  EXPECT_EQ(packing("w3g32"), Packing::kU3);
  EXPECT_EQ(packing("w3g16"), Packing::kU4);
  EXPECT_EQ(packing("w3c"), Packing::kU3);
  EXPECT_EQ(packing("w5g64"), Packing::kU5);
  EXPECT_EQ(packing("w5g16"), Packing::kU6);
  EXPECT_EQ(packing("w6g16"), Packing::kU6);
  EXPECT_EQ(packing("w7g16"), Packing::kU8);
}

TEST(LinearCodes, RealFormatsUnpackToWhatTheyDequantize) {
  Runtime runtime(2);
  Random random(9);
  for (const char* name : {"w4g32", "w4g64-asym", "w3g64", "w3g16", "w5g32", "w6g16", "w7g64",
                           "w8g32", "w8c", "w2g16", "nf4g64", "mxfp4"}) {
    SCOPED_TRACE(name);
    const QuantScheme scheme = parse_scheme(name);
    QuantizedTensor weight = allocate_tensor({19, 128}, scheme.weights);
    auto rows = random_floats(random, 19 * 128);
    weight.format->quantize(weight, 0, {rows.data(), 19, 128}, {.importance = {}});
    const Linear linear = pack(runtime, weight, scheme.activations);
    std::vector<float> row(128);
    for (std::int64_t r = 0; r < 19; ++r) {
      linear.unpack_row(r, row);
      ASSERT_EQ(row, dequantized_row(weight, r));
    }
  }
}

}  // namespace
}  // namespace farthing::kernels
