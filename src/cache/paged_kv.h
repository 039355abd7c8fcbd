// Keys and values of all sequences in pages of a fixed number of tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/batch.h"
#include "core/memory.h"
#include "kernels/attention/attention.h"

namespace farthing::cache {

// Pages are reference-counted, so that sequences with a common beginning share them (fork), and
// layers with a window give back what no token can see any more. The bytes of a page belong to
// kernels/attention.
class PagedKv {
 public:
  // windows has one entry a layer, 0 for full attention. At most capacity_tokens positions of full
  // layers are held over all sequences; 0 is no limit.
  PagedKv(kernels::KvLayout layout, std::vector<std::int64_t> windows,
          std::int64_t capacity_tokens = 0);

  const kernels::KvLayout& layout() const { return layout_; }
  int layers() const { return static_cast<int>(windows_.size()); }

  // Only layers first .. last - 1 get pages from now on: for running a few blocks by themselves.
  void hold_only(int first, int last);

  int open();                // a new, empty sequence
  int fork(int sequence);    // a new sequence with the same past
  void close(int sequence);  // gives its pages back
  Position length(int sequence) const { return sequences_[index(sequence)].length; }

  // Makes room for positions up to `length`, copying a shared last page. Error: out of resources.
  void extend(int sequence, Position length);
  void truncate(int sequence, Position length);  // forgets the positions from `length` on

  std::byte* page(int layer, int sequence, Position position) const;
  // pages[p] holds positions p * kPageTokens ..; null where a window has passed.
  std::span<std::byte* const> pages(int layer, int sequence) const;

  std::size_t bytes() const { return pages_in_use_ * layout_.page_bytes(); }

 private:
  struct Page {
    std::byte* bytes = nullptr;  // in one of blocks_
    int references = 0;
  };
  struct Sequence {
    bool open = false;
    Position length = 0;
    std::vector<std::vector<std::byte*>> pages;  // [layer][page], what kernels read
    std::vector<std::vector<std::int32_t>> ids;  // the same pages, -1 for none
  };
  static std::size_t index(int sequence) { return static_cast<std::size_t>(sequence); }
  std::int32_t take_page();
  std::byte* allocate_page();
  void drop_page(std::int32_t& id, std::byte*& bytes);
  void own_last_page(Sequence& sequence, std::size_t layer, std::size_t page);

  kernels::KvLayout layout_;
  std::vector<std::int64_t> windows_;
  std::size_t first_held_ = 0, last_held_;
  std::size_t page_limit_ = 0;
  std::size_t pages_in_use_ = 0;
  std::vector<AlignedArray<std::byte>> blocks_;
  std::size_t block_used_ = 0;  // bytes of the last one
  std::vector<Page> pages_;
  std::vector<std::int32_t> free_;
  std::vector<Sequence> sequences_;
};

}  // namespace farthing::cache
