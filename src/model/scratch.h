// Buffers that a forward pass uses again and again. Private to the model.
#pragma once

#include "model/model.h"

namespace farthing::model {

struct Model::Scratch {
  Matrix<float> normed, branch, second_branch;  // (rows, hidden)
  Matrix<float> qkv;                            // (rows, q + k + v)
  Matrix<float> attended;                       // (rows, q)
  Matrix<float> wide, inner;                    // (rows, gate + up), (rows, intermediate)
  Matrix<float> table, local_table;             // (rows, rotary_dim): cosines, sines
  Matrix<float> hidden, wanted, logits,
      embedded;  // (rows, hidden), (slab, hidden), (slab, vocab), (rows, embedding_dim)
  Matrix<float> scores, routed_out;  // (rows, experts), (rows of an expert, hidden)
  kernels::Activations x, routed_x, inner_x;
};

}  // namespace farthing::model
