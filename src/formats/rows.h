// The rows of the table in registry.cc, one function a row, each in the file of its format.
#pragma once

#include "formats/format.h"

namespace farthing {

Format fp32_format();            // floats.cc
Format bf16_format();            // floats.cc
Format fp16_format();            // floats.cc
Format fp8_format();             // fp8.cc
Format int_packed_format();      // int_packed.cc
Format int_plain_format();       // int_plain.cc
Format int_float_zero_format();  // int_float_zero.cc
Format nf4_format();             // nf4.cc
Format mxfp4_format();           // mxfp4.cc
Format q4_0_format();            // gguf_legacy.cc
Format q4_1_format();            // gguf_legacy.cc
Format q5_0_format();            // gguf_legacy.cc
Format q5_1_format();            // gguf_legacy.cc
Format q8_0_format();            // gguf_legacy.cc
Format q2_k_format();            // gguf_k.cc
Format q3_k_format();            // gguf_k.cc
Format q4_k_format();            // gguf_k.cc
Format q5_k_format();            // gguf_k.cc
Format q6_k_format();            // gguf_k.cc
Format iq4_nl_format();          // gguf_iq4.cc
Format iq4_xs_format();          // gguf_iq4.cc

}  // namespace farthing
