// The inputs of linears as kernels read them.
#pragma once

#include "core/memory.h"
#include "kernels/linear.h"

namespace farthing::kernels {

enum class InputForm : std::uint8_t {
  kFloatPanels,  // panels of `width` tokens (the last may be narrower): input k of all its tokens,
                 // then input k + 1
};

// One way of laying inputs out; linears that ask for an equal one share it.
struct InputLayout {
  InputForm form = InputForm::kFloatPanels;
  bool round_to_bf16 = false;
  int width = 1;  // kFloatPanels: tokens a panel
  bool operator==(const InputLayout&) const = default;
};

struct Activations::Prepared {
  InputLayout layout;
  bool valid = false;  // for the inputs assigned last
  AlignedArray<float> floats;
};

}  // namespace farthing::kernels
