// A loop dealt out in one contiguous share a thread, for streams of memory: whoever is done helps
// the others, so that a thread that the machine slows down does not keep all waiting.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace farthing {

// The first of `units` that belongs to a share: share i ends where share i + 1 begins.
constexpr std::int64_t first_of_share(std::int64_t units, std::int64_t share, std::int64_t shares) {
  return units * share / shares;
}

class Shares {
 public:
  explicit Shares(int threads) : shares_(static_cast<std::size_t>(threads)) {}

  // Begins a loop over units 0 .. units - 1 (fewer than 2^31). No thread may be in an earlier one.
  void deal(std::int64_t units);

  // Calls body(begin, end) for units of this share from its front, half of what is left at a time,
  // then for half of what another share has left, from its end.
  template <class Body>
  void work(int share, const Body& body) {
    Range range;
    Share& own = shares_[static_cast<std::size_t>(share)];
    while (take(own, End::kFront, range)) body(range.begin, range.end);
    for (std::size_t i = 1; i < shares_.size(); ++i) {
      Share& other = shares_[(static_cast<std::size_t>(share) + i) % shares_.size()];
      while (take(other, End::kBack, range)) body(range.begin, range.end);
    }
  }

 private:
  struct Range {
    std::uint32_t begin = 0, end = 0;
  };
  struct alignas(64) Share {  // a cache line of its own
    std::atomic<Range> left{};
  };
  enum class End : std::uint8_t { kFront, kBack };
  static bool take(Share& share, End end, Range& taken);

  std::vector<Share> shares_;
};

}  // namespace farthing
