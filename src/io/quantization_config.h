// quantization_config of config.json as compressed-tensors defines it, and Farthing's own kind of
// the same structure ("quant_method": "farthing"), which adds what compressed-tensors has no word
// for: element types nf4 and mxfp4, float zero points.
// Reference: compressed-tensors 0.20, quantization/quant_config.py and quant_args.py. The
// configurations of GPTQ, AWQ and AutoRound are read into the same (quantization_config_other.cc).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/quant_scheme.h"
#include "io/json.h"
#include "io/name_pattern.h"

namespace farthing::io {

// kAutoRound is one of the two before it once parsed.
enum class QuantMethod : std::uint8_t { kCompressedTensors, kFarthing, kGptq, kAwq, kAutoRound };

// What the configuration says of one linear.
struct LinearScheme {
  // The type of the scales is the stored tensor's, and so is the layout (`plain`).
  WeightScheme weights;
  // Absent: the configuration leaves the activations in float.
  std::optional<ActivationScheme> activations;
};

class QuantizationConfig {
 public:
  // Error: bad input naming `where`; unsupported for a method, format or option that cannot run.
  static QuantizationConfig parse(const Json& json, std::string_view where);

  // The scheme of the linear or embedding called `base`; nullopt: it is ignored or not targeted.
  // An exact name wins over an expression, that over a class ("Linear"), as in compressed-tensors.
  std::optional<LinearScheme> find(std::string_view base) const;

  QuantMethod method() const { return method_; }
  // Of GPTQ: version 1 keeps zero points less one; the file may leave its version unsaid.
  bool zeros_less_one() const { return zeros_less_one_; }
  bool says_version() const { return says_version_; }
  // "int8" or "int4" when keys and values are to be kept so; "" when nothing is said.
  const std::string& kv() const { return kv_; }

 private:
  struct Target {
    NamePattern pattern;
    std::size_t scheme;
  };
  static QuantizationConfig parse_other(const Json& json, QuantMethod method,
                                        std::string_view where);
  void read_exceptions(const Json* table, bool awq, std::string_view where);

  QuantMethod method_ = QuantMethod::kCompressedTensors;
  bool zeros_less_one_ = true, says_version_ = false;
  std::vector<LinearScheme> schemes_;
  std::vector<Target> targets_;
  std::vector<NamePattern> ignored_;
  std::string kv_;
};

// "Linear" or "Embedding": the torch class that a module of this name has. compressed-tensors
// matches classes, and from here only names are seen.
std::string_view module_class(std::string_view base);

// Error: unsupported, for a quant_method that is known to keep weights in a way of its own.
void refuse_foreign_method(std::string_view method, std::string_view where);

// One module for writing: its scheme, or nullopt for a linear that stays in float.
struct NamedScheme {
  std::string base;
  std::optional<LinearScheme> scheme;
};

// True when compressed-tensors has words for the scheme.
bool is_portable(const LinearScheme& scheme);

// The configuration of these modules: a group for each different scheme, in the order of their
// first module. The largest group is targeted as "Linear" when the method is compressed-tensors and
// every module of the model that is a torch Linear is among `modules` (`all_linears_named`), the
// others by name. `kv` as above. Deterministic. Error: unsupported, when the method is
// compressed-tensors and a scheme is not portable.
Json write_quantization_config(std::span<const NamedScheme> modules, QuantMethod method,
                               bool all_linears_named, std::string_view kv);

}  // namespace farthing::io
