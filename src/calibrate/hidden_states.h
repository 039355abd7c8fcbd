// The hidden states of all calibration tokens between two blocks.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/matrix_view.h"

namespace farthing::calibrate {

// (tokens, hidden) numbers, zero at first: in memory, or, given a directory, in a file there that
// has no name any more and goes with the process. Error: out of resources.
class HiddenStates {
 public:
  HiddenStates(std::int64_t tokens, std::int64_t hidden, const std::string& spill_directory = {});
  ~HiddenStates();
  HiddenStates(const HiddenStates&) = delete;
  HiddenStates& operator=(const HiddenStates&) = delete;

  MatrixView<float> view() const { return {data_, tokens_, hidden_}; }

 private:
  float* data_ = nullptr;
  std::int64_t tokens_, hidden_;
  std::size_t bytes_ = 0;
};

}  // namespace farthing::calibrate
