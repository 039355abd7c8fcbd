// The one seam through which calibration, sensitivity and distillation observe a model. They never
// change a value; replacing is swapping a Linear.
#pragma once

#include <cstdint>

#include "cache/batch.h"
#include "model/architecture.h"
#include "tensor/matrix_view.h"

namespace farthing::model {

struct Site {
  enum class Kind : std::uint8_t { kLinearInput, kBlockInput, kBlockOutput, kKeys, kValues };
  int layer = 0;
  Slot slot = Slot::kNone;  // of kLinearInput: kQ stands for q, k and v; kGate for gate and up
  int expert = -1;
  Kind kind = Kind::kLinearInput;
};

struct Tap {
  virtual ~Tap() = default;
  virtual bool wants(Site) = 0;
  // values (rows of the batch, features); for an expert only the rows routed to it.
  virtual void observe(Site, const cache::Batch&, MatrixView<const float> values) = 0;
  // A block may end once it has shown the inputs of this linear (kQ, kO, kGate or kDown); its
  // output is then not defined. kNone: blocks run to their end.
  virtual Slot last() const { return Slot::kNone; }
};

}  // namespace farthing::model
