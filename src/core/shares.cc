#include "core/shares.h"

#include <cassert>

namespace farthing {

void Shares::deal(std::int64_t units) {
  assert(units >= 0 && units < std::int64_t{1} << 31);
  const std::int64_t count = std::ssize(shares_);
  for (std::int64_t i = 0; i < count; ++i)
    shares_[static_cast<std::size_t>(i)].left.store(
        {static_cast<std::uint32_t>(first_of_share(units, i, count)),
         static_cast<std::uint32_t>(first_of_share(units, i + 1, count))},
        std::memory_order_relaxed);
}

bool Shares::take(Share& share, End end, Range& taken) {
  Range left = share.left.load(std::memory_order_relaxed), rest;
  do {
    if (left.begin == left.end) return false;
    const std::uint32_t half = (left.end - left.begin + 1) / 2;
    if (end == End::kFront) {
      taken = {left.begin, left.begin + half};
      rest = {taken.end, left.end};
    } else {
      taken = {left.end - half, left.end};
      rest = {left.begin, taken.begin};
    }
  } while (!share.left.compare_exchange_weak(left, rest, std::memory_order_relaxed));
  return true;
}

}  // namespace farthing
