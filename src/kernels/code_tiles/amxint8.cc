#include "kernels/code_tiles/amx_body.h"
#include "kernels/code_tiles/quantize_body.h"

namespace farthing::kernels::code_tiles {

void u4_int8_amxint8(const LinearSlice& slice) { run_amx<U4, 1>(slice); }
void u4_int16_amxint8(const LinearSlice& slice) { run_amx<U4, 2>(slice); }
void u8_int8_amxint8(const LinearSlice& slice) { run_amx<U8, 1>(slice); }
void u8_int16_amxint8(const LinearSlice& slice) { run_amx<U8, 2>(slice); }
void levels_int8_amxint8(const LinearSlice& slice) { run_amx<Levels, 1>(slice); }
void levels_int16_amxint8(const LinearSlice& slice) { run_amx<Levels, 2>(slice); }

void split_planes_amxint8(const QuantizeTask& task) {
  quantize<AmxInt, AsSplitPlanes<AmxInt>>(task);
}

}  // namespace farthing::kernels::code_tiles
