// The functions between the two linears of a feed-forward block.
#pragma once

#include <cstdint>
#include <string_view>

namespace farthing::kernels {

enum class Activation : std::uint8_t { kSilu, kGelu, kGeluTanh, kQuickGelu, kRelu, kRelu2 };
// Names as in config.json: "silu", "gelu", "gelu_pytorch_tanh", "gelu_new", ... Error: unsupported.
Activation parse_activation(std::string_view name);

}  // namespace farthing::kernels
