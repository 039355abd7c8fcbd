// The names of activation functions, both ways (parse_activation() is in activation.h).
#pragma once

#include "kernels/elementwise/activation.h"

namespace farthing::kernels {

std::string_view activation_function_name(Activation activation);  // the first of its names

}  // namespace farthing::kernels
