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

}  // namespace farthing
