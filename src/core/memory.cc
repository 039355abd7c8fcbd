#include "core/memory.h"

#include <sys/mman.h>

namespace farthing {

AlignedArray<std::byte> allocate_in_huge_pages(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (bytes < kHugePage) return AlignedArray<std::byte>(bytes);
  AlignedArray<std::byte> array(bytes, kHugePage);
  // A hint: without it the pages are small and reading is a little slower.
  madvise(array.data(), bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return array;
}

}  // namespace farthing
