#include "compress/plan.h"

#include <algorithm>
#include <unordered_map>

#include "calibrate/collect.h"
#include "core/error.h"
#include "core/text.h"
#include "formats/format.h"
#include "io/name_pattern.h"

namespace farthing::compress {
namespace {

using model::Slot;

bool is_float(const WeightScheme& scheme) {
  return scheme.element == Element::kF32 || scheme.element == Element::kBf16 ||
         scheme.element == Element::kF16;
}

// What regular expressions and --scheme are for; the others must be named.
bool is_open(const PlannedUnit& unit) {
  return model::in_block(unit.unit.slot) && unit.unit.slot != Slot::kRouter;
}

// A mistake in a rule is the user's who typed it, or the file's.
[[noreturn]] void refuse_rule(const LayerRule& rule, const std::string& text) {
  throw Error(rule.where.starts_with("--") ? Fault::kUsage : Fault::kBadInput,
              fmt::format("{}: {}", rule.where, text));
}

PlannedUnit describe(const model::TensorUnit& unit, const model::TensorMap& map) {
  const bool may_turn = unit.row->transposed && !map.checkpoint().is_gguf();
  // Turning copies the matrix; its shape is then checked when it is compressed.
  const auto stored = may_turn ? map.checkpoint().matrix(unit.base, unit.slice, unit.slices).value()
                               : map.load(unit);
  if (stored.format->grid != nullptr || !is_float(stored.scheme))
    unsupported(
        "{}: {} is compressed already ({}); compress starts from the original float checkpoint",
        printable(map.checkpoint().path(), 400), printable(unit.base), scheme_name(stored.scheme));
  PlannedUnit planned;
  planned.unit = unit;
  planned.base = unit.base;
  planned.shape = stored.shape;
  planned.slices = unit.slices;
  planned.turned = may_turn;
  if (may_turn) std::swap(planned.shape.rows, planned.shape.cols);
  planned.source = planned.scheme = stored.scheme;
  return planned;
}

void refuse_unless_gguf(const WeightScheme& scheme, const PlanOptions& options,
                        std::string_view where, std::string_view text) {
  if (!scheme.block.empty() && !options.gguf)
    unsupported(
        "{}: {} is a block type that only GGUF files have, and OUT is a directory; "
        "let OUT end in .gguf, or choose another scheme (w4g32 is near)",
        where, text);
}

class Resolver {
 public:
  Resolver(const Recipe& recipe, const model::TensorMap& map, Plan& plan)
      : recipe_(recipe), plan_(plan), rules_(plan.units.size()) {
    if (plan.tied) head_name_ = map.expected_name(Slot::kHead);
  }

  void resolve() {
    for (const LayerRule& rule : recipe_.layers) apply(rule);
    if (tied_head_ != nullptr && tied_embedding_ != nullptr) check_tied();
    for (std::size_t i = 0; i < plan_.units.size(); ++i) {
      if (rules_[i] != nullptr) choose_scheme(plan_.units[i], *rules_[i]);
      choose_activations(plan_.units[i], rules_[i]);
    }
  }

 private:
  void apply(const LayerRule& rule) {
    const io::NamePattern pattern(rule.match, rule.where);
    std::vector<std::size_t> open, guarded;
    bool tied_head = false;
    for (std::size_t i = 0; i < plan_.units.size(); ++i) {
      const PlannedUnit& unit = plan_.units[i];
      const bool is_tied = plan_.tied && unit.unit.slot == Slot::kEmbedding;
      const bool by_head = is_tied && pattern.matches(head_name_);
      tied_head |= by_head;
      const bool by_name = pattern.matches(unit.base) ||
                           (unit.unit.part >= 0 && pattern.matches(unit.unit.whole()));
      if (by_head || by_name) (is_open(unit) ? open : guarded).push_back(i);
    }
    if (open.empty() && guarded.empty()) refuse_unmatched(rule, pattern.is_exact());
    if (!open.empty() && !guarded.empty() && rule.where != "--scheme") note_guarded(rule, guarded);
    for (const std::size_t i : open.empty() ? guarded : open) {
      rules_[i] = &rule;
      if (plan_.units[i].unit.slot == Slot::kEmbedding && plan_.units[i].unit.part < 0 &&
          plan_.tied)
        (tied_head ? tied_head_ : tied_embedding_) = &rule;
    }
  }

  void note_guarded(const LayerRule& rule, const std::vector<std::size_t>& guarded) {
    std::vector<std::string_view> names;
    for (const std::size_t i : guarded)
      if (names.size() < 3) names.push_back(plan_.units[i].base);
    plan_.notes.push_back(
        fmt::format("{}: {} is for the linears of blocks and leaves {}{} as it is; a rule with "
                    "that name compresses it",
                    rule.where, printable(rule.match), join(names, ", "),
                    guarded.size() > names.size() ? ", ..." : ""));
  }

  [[noreturn]] void refuse_unmatched(const LayerRule& rule, bool exact) const {
    std::vector<std::string_view> names;
    for (const PlannedUnit& unit : plan_.units) {
      const std::string_view base = unit.base;
      const std::string_view leaf = base.substr(base.rfind('.') + 1);
      const std::string_view name = exact ? base : leaf;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    if (!head_name_.empty()) names.push_back(head_name_);
    const std::string nearest = nearest_name(rule.match, names);
    if (!exact)
      refuse_rule(rule, fmt::format("{} matches no matrix of this model; their names end in {}",
                                    printable(rule.match), join(names, ", ")));
    refuse_rule(rule, fmt::format("{} is no matrix of this model{}", printable(rule.match),
                                  nearest.empty() ? fmt::format("; one is called {}", names.back())
                                                  : fmt::format("; did you mean {}?", nearest)));
  }

  void check_tied() const {
    if (tied_head_->scheme == tied_embedding_->scheme && tied_head_->keep == tied_embedding_->keep)
      return;
    refuse_rule(
        *tied_head_,
        fmt::format("the embedding and the head of this model are one matrix "
                    "(tie_word_embeddings in config.json), so they have one scheme; got {} "
                    "for the head and {} for the embedding ({}); give both the same",
                    tied_head_->scheme_text, tied_embedding_->scheme_text, tied_embedding_->where));
  }

  void choose_scheme(PlannedUnit& unit, const LayerRule& rule) {
    if (rule.keep) return;
    const WeightScheme& asked = rule.scheme.weights;
    refuse_unless_gguf(asked, plan_.options, rule.where, rule.scheme_text);
    const Format& format = find_format(asked);
    if (unit.turned && format.grid == nullptr && !is_float(asked))
      unsupported("{}: {} is not made of a matrix that the model keeps transposed ({})", rule.where,
                  rule.scheme_text, unit.base);
    if (format.quantize == nullptr)
      unsupported("{}: {} can be read, but not made", rule.where, rule.scheme_text);
    unit.scheme = fit_to_row(asked, unit.shape.cols);
    unit.keep = unit.scheme == unit.source;
    if (unit.scheme != asked) {
      unit.asked = scheme_name(asked);
      plan_.substitutions.push_back(
          {unit.base, scheme_name(unit.scheme), unit.asked,
           asked.block.empty()
               ? fmt::format("groups of {} do not divide rows of {} inputs", asked.group_size,
                             unit.shape.cols)
               : fmt::format("its blocks do not divide rows of {} inputs", unit.shape.cols)});
    }
    try {
      find_format(unit.scheme).parts(unit.shape, unit.scheme);
    } catch (const Error& error) {
      refuse_rule(rule, fmt::format("{}: {}", unit.base, error.what()));
    }
  }

  void choose_activations(PlannedUnit& unit, const LayerRule* rule) {
    const bool multiplies =
        model::is_linear(unit.unit.slot) || (plan_.tied && unit.unit.slot == Slot::kEmbedding);
    if (!multiplies) return;
    unit.activations_are_named = !unit.keep && unit.scheme.plain;
    if (unit.activations_are_named) {
      const ActivationScheme& named = rule->scheme.activations;
      if (rule->activations && *rule->activations != named.mode)
        refuse_rule(*rule,
                    fmt::format("{} says {} activations by its name; got {}", rule->scheme_text,
                                activation_name(named.mode), activation_name(*rule->activations)));
      unit.activations = named;
      if (!named.dynamic && calibrate::stage_of(unit.unit.slot) == Slot::kNone)
        refuse_rule(*rule, fmt::format("{}: the range of what enters {} is not measured, only that "
                                       "of the linears of blocks; w8a8 takes it from each token",
                                       rule->scheme_text, unit.base));
      if (unit.asked.empty()) return;
      unit.activations = resolve_activations(unit.scheme, nullptr);  // another group, or none
      return;
    }
    std::optional<ActivationMode> mode = recipe_.activations;
    if (rule != nullptr && rule->activations) mode = rule->activations;
    const bool integer = mode == ActivationMode::kInt8 || mode == ActivationMode::kInt16;
    if (integer && is_float(unit.scheme)) mode.reset();  // float weights have no integer kernels
    unit.activations = resolve_activations(unit.scheme, mode ? &*mode : nullptr);
  }

  const Recipe& recipe_;
  Plan& plan_;
  std::vector<const LayerRule*> rules_;  // of each unit; null: kept
  std::string head_name_;
  const LayerRule* tied_head_ = nullptr;
  const LayerRule* tied_embedding_ = nullptr;
};

// Matrices that a runtime with fused modules holds as one: 0 for those that stand alone.
int fusion_kind(Slot slot) {
  switch (slot) {
    case Slot::kQ:
    case Slot::kK:
    case Slot::kV:
      return 1;
    case Slot::kGate:
    case Slot::kUp:
      return 2;
    default:
      return model::is_expert(slot) ? 3 : 0;
  }
}

void unify_fused(Plan& plan) {
  std::unordered_map<int, std::vector<PlannedUnit*>> groups;
  for (PlannedUnit& unit : plan.units)
    if (const int kind = fusion_kind(unit.unit.slot))
      groups[unit.unit.layer * 4 + kind].push_back(&unit);
  for (auto& [key, units] : groups) {
    const PlannedUnit* widest = *std::max_element(
        units.begin(), units.end(), [](const PlannedUnit* a, const PlannedUnit* b) {
          return bits_per_weight(a->scheme, a->shape.cols) <
                 bits_per_weight(b->scheme, b->shape.cols);
        });
    const WeightScheme scheme = widest->scheme;
    const auto activations = widest->activations;
    const bool named = widest->activations_are_named;
    const std::string of = widest->base;
    for (PlannedUnit* unit : units) {
      if (unit->scheme != scheme)
        plan.substitute(*unit, scheme, fmt::format("fused with {} (--uniform-fused)", of));
      unit->activations = activations;
      unit->activations_are_named = named;
    }
  }
}

}  // namespace

Slot PlannedUnit::stage() const {
  return is_head() ? Slot::kHead : calibrate::stage_of(unit.slot);
}

bool PlannedUnit::is_compressed() const { return !keep && !is_float(scheme); }

Shape PlannedUnit::written_shape() const {
  return turned && !is_compressed() ? Shape{shape.cols, shape.rows} : shape;
}

void Plan::substitute(PlannedUnit& unit, const WeightScheme& wanted, std::string_view why) {
  if (unit.asked.empty()) unit.asked = scheme_name(unit.scheme);
  unit.scheme = fit_to_row(wanted, unit.shape.cols);
  unit.keep = unit.scheme == unit.source;
  substitutions.push_back({unit.base, scheme_name(unit.scheme), unit.asked, std::string(why)});
}

void Plan::untie(const model::TensorMap& map, std::string_view why) {
  const auto embedding = std::ranges::find(units, Slot::kEmbedding,
                                           [](const PlannedUnit& unit) { return unit.unit.slot; });
  if (embedding->unit.part >= 0)
    unsupported(
        "{}: is stored in parts of its rows (split_vocabulary) and would have to become two "
        "matrices: {}; leave out one of these steps",
        embedding->unit.whole(), why);
  PlannedUnit head = *embedding;
  head.unit.slot = Slot::kHead;
  head.base = map.expected_name(Slot::kHead);
  head.untied = true;
  embedding->activations.reset();
  embedding->activations_are_named = false;
  tied = false;
  notes.push_back(fmt::format(
      "{} becomes a matrix of its own, which takes {} more: {}", head.base,
      human_bytes(static_cast<std::uint64_t>(bits_per_weight(head.scheme, head.shape.cols) / 8 *
                                             static_cast<double>(head.weights()))),
      why));
  units.insert(embedding + 1, std::move(head));
}

std::vector<std::string> Plan::lines() const {
  std::vector<std::string> lines = notes;
  std::vector<bool> told(substitutions.size(), false);
  for (std::size_t i = 0; i < substitutions.size(); ++i) {
    const Substitution& first = substitutions[i];
    int more = -1;
    for (std::size_t j = i; j < substitutions.size(); ++j) {
      const Substitution& other = substitutions[j];
      if (told[j] || other.given != first.given || other.asked != first.asked ||
          other.why != first.why)
        continue;
      told[j] = true;
      ++more;
    }
    if (more < 0) continue;
    lines.push_back(fmt::format("{}{}: {} instead of {}: {}", first.base,
                                more > 0 ? fmt::format(" and {} more", more) : "", first.given,
                                first.asked, first.why));
  }
  return lines;
}

Plan make_plan(const Recipe& recipe, const model::TensorMap& map, const PlanOptions& options) {
  Plan plan;
  plan.options = options;
  plan.kv = recipe.kv;
  plan.tied = map.config().tied;
  if (options.gguf) map.require_whole("GGUF");
  for (const model::TensorUnit& unit : map.linears())
    if (unit.slice == 0) plan.units.push_back(describe(unit, map));
  if (recipe.fallback)
    refuse_unless_gguf(parse_scheme(recipe.fallback->scheme).weights, options, "fallback",
                       recipe.fallback->scheme);
  Resolver(recipe, map, plan).resolve();
  if (options.uniform_fused) unify_fused(plan);
  return plan;
}

std::optional<std::string> why_not_portable(const PlannedUnit& unit, bool tied) {
  if (unit.unit.part >= 0) return "it is a part of the rows of a matrix (split_vocabulary)";
  if (!unit.is_compressed()) return std::nullopt;
  const WeightScheme& scheme = unit.scheme;
  if (unit.turned) return "the model keeps it as Conv1D, which is no torch Linear";
  if (unit.multiplied)
    return "its inputs are multiplied before they are rounded (smooth: multiply)";
  if (unit.slices > 1) return "the model keeps its experts in one tensor, which is no torch Linear";
  if (tied && unit.unit.slot == Slot::kEmbedding)
    return "it is embedding and head at once, and no compressed module can be both";
  if (scheme.element != Element::kInt || !scheme.block.empty() ||
      scheme.zero_point == ZeroPoint::kFloat)
    return fmt::format("compressed-tensors has no words for {}", scheme_name(scheme));
  return std::nullopt;
}

void make_portable(Plan& plan) {
  if (!plan.options.portable) return;
  for (PlannedUnit& unit : plan.units) {
    if (unit.is_compressed() && unit.scheme.zero_point == ZeroPoint::kFloat) {
      WeightScheme rounded = unit.scheme;
      rounded.zero_point = ZeroPoint::kInteger;
      plan.substitute(unit, rounded,
                      "compressed-tensors has no float zero points; --no-portable keeps them");
    }
    if (const auto reason = why_not_portable(unit, plan.tied))
      unsupported(
          "{}: cannot be compressed so that other tools read it: {}; --no-portable writes "
          "Farthing's own kind of artefact, which only Farthing runs",
          unit.base, *reason);
  }
}

}  // namespace farthing::compress
