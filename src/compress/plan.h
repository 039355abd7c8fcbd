// What will happen to every matrix of a checkpoint, decided before any work.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/recipe.h"
#include "formats/quant_scheme.h"
#include "model/tensor_map.h"

namespace farthing::compress {

// One stored matrix: a linear, the embedding, or the stack of a layer's experts that a checkpoint
// keeps as one tensor (slices > 1), which has one scheme.
struct PlannedUnit {
  model::TensorUnit unit;   // of slice 0
  std::string base;         // the checkpoint's own name, without ".weight"
  bool multiplied = false;  // its inputs, by numbers of its own, before they are rounded
  bool untied = false;      // a head made of the embedding's matrix, which the checkpoint ties
  Shape shape;              // (out, in) of a slice
  int slices = 1;
  bool turned = false;  // stored as (in, out), written as (out, in) once compressed

  bool keep = true;     // its bytes go to the artefact as they are
  WeightScheme source;  // as the checkpoint has it
  WeightScheme scheme;  // as the artefact gets it
  // How the inputs of the linear are rounded; nullopt for an embedding that is no head.
  std::optional<ActivationScheme> activations;
  bool activations_are_named = false;  // the scheme's name says them ("w8a8")
  bool keep_zeros = false;             // a step has pruned: weights that are zero stay exactly that
  std::string asked;  // the scheme asked for, when another one was put in its place

  std::int64_t weights() const { return shape.size() * slices; }
  // (rows, cols) as the artefact stores a slice: floats stay turned as they were.
  Shape written_shape() const;
  bool is_compressed() const;  // to fewer bits than floats have
  // Whether it multiplies what the last norm puts out; a tied embedding does so too.
  bool is_head() const { return unit.layer < 0 && activations.has_value(); }
  // Which linears read what it reads: a stage of calibrate/collect.h, or kHead; kNone for a router
  // and for an embedding that is no head.
  model::Slot stage() const;
  bool has_static_inputs() const { return activations && !activations->dynamic; }
};

struct PlanOptions {
  bool portable = true;        // only what compressed-tensors has words for
  bool uniform_fused = false;  // q, k, v alike; gate, up alike; all experts of a layer alike
  bool gguf = false;           // OUT is a GGUF file: its block types may be asked for
};

struct Plan {
  std::vector<PlannedUnit> units;  // in the order of the model: what is outside of blocks first
  struct Substitution {
    std::string base, given, asked, why;
  };
  std::vector<Substitution> substitutions;
  std::vector<std::string> notes;  // what else is worth knowing, a sentence each
  PlanOptions options;
  std::string kv;
  bool tied = false;

  // Changes a unit's scheme and says so.
  void substitute(PlannedUnit& unit, const WeightScheme& scheme, std::string_view why);
  // Gives a tied head a matrix of its own, and says what that costs.
  void untie(const model::TensorMap& map, std::string_view why);
  // Notes and substitutions as lines; a substitution made in many matrices is one line.
  std::vector<std::string> lines() const;
};

// Resolves the recipe's rules against the checkpoint. A regular expression that matches linears of
// blocks leaves the embedding, the head and routers alone, which must be named (or matched by an
// expression that matches nothing else). Error: bad input or usage for a rule that matches nothing
// (names the nearest), different schemes for a tied embedding and head; unsupported for a scheme
// that cannot be written.
Plan make_plan(const Recipe& recipe, const model::TensorMap& map, const PlanOptions& options);

// Refuses or substitutes what compressed-tensors has no words for, when the plan is portable; to be
// called after the steps have had their say.
void make_portable(Plan& plan);
// Whether a reader of compressed-tensors finds this unit's module and understands its scheme; else
// the reason.
std::optional<std::string> why_not_portable(const PlannedUnit& unit, bool tied);

}  // namespace farthing::compress
