#include "core/heap.h"

#include <cstdlib>  // defines __GLIBC__ where it is one

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace farthing {

void give_back_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 17);
#endif
}

}  // namespace farthing
