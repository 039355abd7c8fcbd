#include "kernels/elementwise/activation_names.h"

#include <array>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace farthing::kernels {
namespace {

// Names of transformers' ACT2FN. Those of one function that differ only in rounding share it.
struct ActivationRow {
  std::string_view name;
  Activation activation;
};
constexpr std::array kActivations = {
    ActivationRow{"silu", Activation::kSilu},
    ActivationRow{"swish", Activation::kSilu},
    ActivationRow{"gelu", Activation::kGelu},
    ActivationRow{"gelu_python", Activation::kGelu},
    ActivationRow{"gelu_pytorch_tanh", Activation::kGeluTanh},
    ActivationRow{"gelu_python_tanh", Activation::kGeluTanh},
    ActivationRow{"gelu_new", Activation::kGeluTanh},
    ActivationRow{"gelu_fast", Activation::kGeluTanh},
    ActivationRow{"gelu_accurate", Activation::kGeluTanh},
    ActivationRow{"quick_gelu", Activation::kQuickGelu},
    ActivationRow{"relu", Activation::kRelu},
    ActivationRow{"relu2", Activation::kRelu2},
};

}  // namespace

Activation parse_activation(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& row : kActivations) {
    if (row.name == name) return row.activation;
    names.push_back(row.name);
  }
  unsupported("the activation function \"{}\" is not supported; known are: {}", printable(name),
              join(names, ", "));
}

std::string_view activation_function_name(Activation activation) {
  for (const auto& row : kActivations)
    if (row.activation == activation) return row.name;
  return "";
}

}  // namespace farthing::kernels
