#include "model/weights.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"

namespace farthing::model {
namespace {

bool is_float(const QuantizedTensor& tensor) {
  return tensor.format->grid == nullptr && tensor.scheme.element != Element::kF8e4m3;
}

QuantizedTensor convert_float(const QuantizedTensor& tensor, Element element) {
  WeightScheme scheme = tensor.scheme;
  scheme.element = element;
  scheme.bits = element == Element::kF32 ? 32 : 16;
  QuantizedTensor out = allocate_tensor(tensor.shape, scheme);
  std::vector<float> row(static_cast<std::size_t>(tensor.shape.cols));
  for (std::int64_t r = 0; r < tensor.shape.rows; ++r) {
    const MatrixView<float> view(row.data(), 1, tensor.shape.cols);
    tensor.format->dequantize(tensor, r, view);
    out.format->quantize(out, r, view, {});
  }
  return out;
}

// A unit's matrix with what belongs to it, alive until it is packed.
struct Loaded {
  QuantizedTensor weight;
  std::vector<float> bias;
  std::vector<std::int32_t> order, input_order;
  std::vector<float> multiplier;
  ActivationScheme activations;
};

std::vector<float> load_multiplier(const TensorMap& map, const TensorUnit& unit,
                                   std::int64_t inputs) {
  std::vector<float> multiplier =
      unit.slices > 1 ? std::vector<float>() : map.load_vector(unit.base + ".input_multiplier");
  if (!multiplier.empty() && std::ssize(multiplier) != inputs)
    bad_input("{}: {}.input_multiplier must have a number for each of {} inputs; it has {}",
              printable(map.checkpoint().path(), 400), printable(unit.base), inputs,
              multiplier.size());
  return multiplier;
}

// Heads and routers keep float weights where the other matrices have codes; a wish for integers is
// not for them.
bool stays_float(Slot slot, const QuantizedTensor& weight, std::optional<ActivationMode> wanted) {
  const bool integers = wanted == ActivationMode::kInt8 || wanted == ActivationMode::kInt16;
  const bool often_float = slot == Slot::kHead || slot == Slot::kEmbedding || slot == Slot::kRouter;
  return integers && often_float && is_float(weight);
}

Loaded load_unit(const TensorMap& map, const LoadOptions& options, const TensorUnit& unit) {
  Loaded loaded;
  loaded.weight = map.load(unit);
  if (options.float_weights && is_float(loaded.weight) &&
      loaded.weight.scheme.element != *options.float_weights)
    loaded.weight = convert_float(loaded.weight, *options.float_weights);
  loaded.bias = map.load_bias(unit);
  loaded.order = map.row_order_of(unit, loaded.weight.shape.rows);
  loaded.input_order = map.input_order_of(unit, loaded.weight);
  loaded.multiplier = load_multiplier(map, unit, loaded.weight.shape.cols);
  const auto fixed = map.checkpoint().activations(unit.base);
  const auto wanted = stays_float(unit.slot, loaded.weight, options.activations)
                          ? std::nullopt
                          : options.activations;
  if (wanted || !fixed)
    loaded.activations = resolve_activations(loaded.weight.scheme, wanted ? &*wanted : nullptr);
  else
    loaded.activations = *fixed;
  return loaded;
}

bool can_stack(const Loaded& a, const Loaded& b) {
  return a.activations == b.activations && a.bias.empty() == b.bias.empty() &&
         a.input_order == b.input_order && a.multiplier == b.multiplier &&
         kernels::Linear::can_stack(a.weight, b.weight);
}

std::vector<TensorUnit> units_of(const TensorMap& map, std::initializer_list<Slot> slots, int layer,
                                 int expert = -1) {
  std::vector<TensorUnit> units;
  for (Slot slot : slots)
    for (TensorUnit& unit : map.find_rows(slot, layer, expert)) units.push_back(std::move(unit));
  return units;
}

[[noreturn]] void missing(const TensorMap& map, int layer, std::string_view what) {
  bad_input("{}: {} has no {} of the {} architecture; is the checkpoint complete?",
            map.checkpoint().path(),
            layer < 0 ? std::string("the model") : fmt::format("layer {}", layer), what,
            map.config().architecture);
}

// gate and up apart, fused, or up alone; then down.
MlpWeights load_mlp(Runtime& runtime, const TensorMap& map, const LoadOptions& options, int layer,
                    int expert) {
  const bool one = expert >= 0;
  auto in = units_of(map, {one ? Slot::kExpertGateUp : Slot::kGateUp}, layer, expert);
  if (in.empty())
    in = units_of(map, {one ? Slot::kExpertGate : Slot::kGate, one ? Slot::kExpertUp : Slot::kUp},
                  layer, expert);
  const auto out = units_of(map, {one ? Slot::kExpertDown : Slot::kDown}, layer, expert);
  MlpWeights mlp{load_group(runtime, map, options, in), load_group(runtime, map, options, out)};
  const std::int64_t width = one ? map.config().expert_intermediate : map.config().intermediate;
  if (mlp.gate_up.out() != (map.config().block.gated ? 2 * width : width))
    missing(map, layer, "MLP input matrix");
  if (!mlp.down) missing(map, layer, "MLP output matrix");
  return mlp;
}

// The inputs in the order of the matrix's columns, and multiplied. A file that groups its inputs by
// their weight, or smooths what nothing before it could take, costs this copy; no other does.
void apply_changed(Runtime& runtime, const kernels::Linear& linear,
                   std::span<const std::int32_t> order, std::span<const float> multiplier,
                   MatrixView<const float> x, MatrixView<float> y, kernels::Epilogue epilogue) {
  Matrix<float> moved(x.rows, x.cols);
  runtime.parallel(x.rows, 1, [&](std::int64_t r, std::int64_t end) {
    for (; r < end; ++r) {
      const auto to = moved.view().row(r);
      for (std::size_t j = 0; j < to.size(); ++j)
        to[j] = x.row_data(r)[order.empty() ? static_cast<std::int64_t>(j) : order[j]];
      for (std::size_t j = 0; j < multiplier.size(); ++j) to[j] *= multiplier[j];
    }
  });
  kernels::Activations inputs;
  inputs.assign(std::as_const(moved).view());
  linear.apply(runtime, inputs, y, epilogue);
}

class ResidentBlocks final : public BlockSource {
 public:
  ResidentBlocks(Runtime& runtime, const TensorMap& map, const LoadOptions& options) {
    for (int layer = 0; layer < map.config().layers; ++layer)
      blocks_.push_back(load_block(runtime, map, options, layer));
  }
  const BlockWeights& block(int layer) override { return blocks_[static_cast<std::size_t>(layer)]; }
  std::size_t bytes() const override {
    std::size_t sum = 0;
    for (const BlockWeights& block : blocks_) sum += block.bytes();
    return sum;
  }
  std::size_t expert_bytes() const override {
    std::size_t sum = 0;
    for (const BlockWeights& block : blocks_) sum += block.expert_bytes();
    return sum;
  }

 private:
  std::vector<BlockWeights> blocks_;
};

class StreamedBlocks final : public BlockSource {
 public:
  StreamedBlocks(Runtime& runtime, const TensorMap& map, const LoadOptions& options)
      : runtime_(runtime), map_(map), options_(options) {}
  const BlockWeights& block(int layer) override {
    if (layer != layer_) {
      block_ = {};  // gives the memory back before the next is loaded
      block_ = load_block(runtime_, map_, options_, layer);
      layer_ = layer;
    }
    return block_;
  }
  std::size_t bytes() const override { return block_.bytes(); }
  std::size_t expert_bytes() const override { return block_.expert_bytes(); }
  void forget() override {
    block_ = {};
    layer_ = -1;
  }

 private:
  Runtime& runtime_;
  const TensorMap& map_;
  LoadOptions options_;
  BlockWeights block_;
  int layer_ = -1;
};

}  // namespace

void LinearGroup::apply(Runtime& runtime, kernels::Activations& x, MatrixView<float> y,
                        kernels::Epilogue epilogue) const {
  if (plain_) return kernels::Linear::apply_all(runtime, parts_, x, y, epilogue);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const kernels::Linear& linear = parts_[i];
    const MatrixView<float> out = y.cols_from(first, linear.out());
    if (input_orders_[i].empty() && multipliers_[i].empty())
      linear.apply(runtime, x, out, epilogue);
    else
      apply_changed(runtime, linear, input_orders_[i], multipliers_[i], x.floats(runtime), out,
                    epilogue);
    first += linear.out();
  }
}

std::int64_t LinearGroup::out() const {
  std::int64_t sum = 0;
  for (const kernels::Linear& linear : parts_) sum += linear.out();
  return sum;
}

std::size_t LinearGroup::bytes() const {
  std::size_t sum = 0;
  for (const kernels::Linear& linear : parts_) sum += linear.bytes();
  return sum;
}

std::size_t BlockWeights::expert_bytes() const {
  std::size_t sum = 0;
  for (const MlpWeights& expert : experts) sum += expert.gate_up.bytes() + expert.down.bytes();
  return sum;
}

std::size_t BlockWeights::bytes() const {
  std::size_t sum = qkv.bytes() + o.bytes() + mlp.gate_up.bytes() + mlp.down.bytes() +
                    router.bytes() + expert_bytes();
  for (const Norm* norm :
       {&attention_norm, &post_attention_norm, &mlp_norm, &post_mlp_norm, &q_norm, &k_norm})
    sum += (norm->weight.size() + norm->bias.size()) * sizeof(float);
  return sum;
}

LinearGroup load_group(Runtime& runtime, const TensorMap& map, const LoadOptions& options,
                       std::span<const TensorUnit> units) {
  std::vector<Loaded> loaded;
  for (const TensorUnit& unit : units) loaded.push_back(load_unit(map, options, unit));
  LinearGroup group;
  for (std::size_t first = 0; first < loaded.size();) {
    std::size_t last = first + 1;
    while (last < loaded.size() && can_stack(loaded[first], loaded[last])) ++last;
    std::vector<kernels::LinearSource> sources;
    for (std::size_t i = first; i < last; ++i)
      sources.push_back(
          {.weight = &loaded[i].weight, .bias = loaded[i].bias, .row_order = loaded[i].order});
    group.add(kernels::Linear::pack(runtime, sources, loaded[first].activations),
              loaded[first].input_order, loaded[first].multiplier);
    first = last;
  }
  for (const Loaded& one : loaded) map.checkpoint().release(one.weight);
  return group;
}

Norm load_norm(const TensorMap& map, Slot slot, int layer) {
  const auto unit = map.find(slot, layer);
  const BlockRules& rules = map.config().block;
  const bool final = slot == Slot::kFinalNorm;
  if (final && !rules.final_norm) return {};
  if (!unit) {
    const bool plain = final ? rules.plain_final_norm : rules.plain_norms;
    if (!plain && map.has_row(slot) && !(slot == Slot::kMlpNorm && rules.parallel))
      missing(map, layer, "norm");
    return {.weight = {}, .bias = {}, .present = plain && map.has_row(slot)};
  }
  const std::int64_t heads = slot == Slot::kKNorm ? map.config().kv_heads : map.config().heads;
  Norm norm{.weight = map.load_heads(*unit, heads),
            .bias = map.load_vector(unit->base + ".bias"),
            .present = true};
  const Shape shape = slot_shape(slot, map.config(), layer);
  const auto wanted = static_cast<std::size_t>(shape.cols);
  if (wanted != 0 &&
      (norm.weight.size() != wanted || (!norm.bias.empty() && norm.bias.size() != wanted)))
    bad_input("{}: {} must have {} numbers; got {}", map.checkpoint().path(), printable(unit->base),
              wanted, norm.weight.size());
  if (rules.norm_plus_one)
    for (float& weight : norm.weight) weight += 1.0f;
  return norm;
}

BlockWeights load_block(Runtime& runtime, const TensorMap& map, const LoadOptions& options,
                        int layer) {
  const ModelConfig& c = map.config();
  BlockWeights block;
  block.attention_norm = load_norm(map, Slot::kAttentionNorm, layer);
  block.post_attention_norm = load_norm(map, Slot::kPostAttentionNorm, layer);
  block.mlp_norm = load_norm(map, Slot::kMlpNorm, layer);
  block.post_mlp_norm = load_norm(map, Slot::kPostMlpNorm, layer);
  if (c.block.head_norm != HeadNorm::kNone) {
    block.q_norm = load_norm(map, Slot::kQNorm, layer);
    block.k_norm = load_norm(map, Slot::kKNorm, layer);
    const auto fits = [&](const Norm& norm, std::int64_t width) {
      const auto n = static_cast<std::int64_t>(norm.weight.size());
      return n == width || (c.block.head_norm == HeadNorm::kPerHead && n == c.head_dim);
    };
    if (!fits(block.q_norm, c.q_width()) || !fits(block.k_norm, c.kv_width()))
      missing(map, layer, "fitting query and key norms");
  }
  auto qkv = units_of(map, {Slot::kQkv}, layer);
  if (qkv.empty()) qkv = units_of(map, {Slot::kQ, Slot::kK, Slot::kV}, layer);
  block.qkv = load_group(runtime, map, options, qkv);
  if (block.qkv.out() != c.q_width() + 2 * c.kv_width())
    missing(map, layer, "query, key and value matrices");
  block.o = load_group(runtime, map, options, units_of(map, {Slot::kO}, layer));
  if (!block.o) missing(map, layer, "attention output matrix");
  if (!c.sparse(layer)) {
    block.mlp = load_mlp(runtime, map, options, layer, -1);
    return block;
  }
  block.router = load_group(runtime, map, options, units_of(map, {Slot::kRouter}, layer));
  if (!block.router) missing(map, layer, "router");
  for (int e = 0; e < c.experts; ++e)
    block.experts.push_back(load_mlp(runtime, map, options, layer, e));
  return block;
}

std::unique_ptr<BlockSource> resident_blocks(Runtime& runtime, const TensorMap& map,
                                             const LoadOptions& options) {
  return std::make_unique<ResidentBlocks>(runtime, map, options);
}

std::unique_ptr<BlockSource> streamed_blocks(Runtime& runtime, const TensorMap& map,
                                             const LoadOptions& options) {
  return std::make_unique<StreamedBlocks>(runtime, map, options);
}

}  // namespace farthing::model
