#include "kernels/code_tiles/amx_body.h"
#include "kernels/code_tiles/quantize_body.h"

namespace farthing::kernels::code_tiles {

#define FARTHING_CODES(name, Unpack, isa) \
  FARTHING_DEFINE_CODE_KERNEL(name, isa, (run_amx<Unpack, 1>), (run_amx<Unpack, 2>))
FARTHING_SMALL_PACKINGS(FARTHING_CODES, amxint8)
FARTHING_WIDE_PACKINGS(FARTHING_CODES, amxint8)

void split_planes_amxint8(const QuantizeTask& task) {
  quantize<AmxInt, AsSplitPlanes<AmxInt>>(task);
}

}  // namespace farthing::kernels::code_tiles
