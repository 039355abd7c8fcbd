#include "core/shares.h"

#include <cassert>

namespace farthing {
namespace {

std::uint32_t half_up(std::uint32_t count) { return (count + 1) / 2; }

}  // namespace

void Shares::deal(std::int64_t units) {
  assert(units >= 0 && units < std::int64_t{1} << 31);
  const std::int64_t count = std::ssize(shares_);
  for (std::int64_t i = 0; i < count; ++i)
    shares_[static_cast<std::size_t>(i)].left.store(
        {static_cast<std::uint32_t>(units * i / count),
         static_cast<std::uint32_t>(units * (i + 1) / count)},
        std::memory_order_relaxed);
}

bool Shares::take_front(Share& share, Range& taken) {
  Range left = share.left.load(std::memory_order_relaxed);
  do {
    if (left.begin == left.end) return false;
    taken = {left.begin, left.begin + half_up(left.end - left.begin)};
  } while (
      !share.left.compare_exchange_weak(left, {taken.end, left.end}, std::memory_order_relaxed));
  return true;
}

bool Shares::take_back(Share& share, Range& taken) {
  Range left = share.left.load(std::memory_order_relaxed);
  do {
    if (left.begin == left.end) return false;
    taken = {left.end - half_up(left.end - left.begin), left.end};
  } while (!share.left.compare_exchange_weak(left, {left.begin, taken.begin},
                                             std::memory_order_relaxed));
  return true;
}

}  // namespace farthing
