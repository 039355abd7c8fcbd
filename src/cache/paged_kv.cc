#include "cache/paged_kv.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace farthing::cache {

using kernels::kPageTokens;

PagedKv::PagedKv(kernels::KvLayout layout, std::vector<std::int64_t> windows,
                 std::int64_t capacity_tokens)
    : layout_(layout), windows_(std::move(windows)), last_held_(windows_.size()) {
  if (capacity_tokens > 0)
    page_limit_ = static_cast<std::size_t>((capacity_tokens + kPageTokens - 1) / kPageTokens) *
                  windows_.size();
}

void PagedKv::hold_only(int first, int last) {
  first_held_ = index(first);
  last_held_ = index(last);
}

int PagedKv::open() {
  std::size_t i = 0;
  while (i < sequences_.size() && sequences_[i].open) ++i;
  if (i == sequences_.size()) sequences_.emplace_back();
  sequences_[i] = {.open = true, .length = 0, .pages = {}, .ids = {}};
  sequences_[i].pages.resize(windows_.size());
  sequences_[i].ids.resize(windows_.size());
  return static_cast<int>(i);
}

int PagedKv::fork(int sequence) {
  const int copy = open();
  Sequence& to = sequences_[index(copy)];
  const Sequence& from = sequences_[index(sequence)];
  to.length = from.length;
  to.pages = from.pages;
  to.ids = from.ids;
  for (const auto& layer : to.ids)
    for (std::int32_t id : layer)
      if (id >= 0) ++pages_[static_cast<std::size_t>(id)].references;
  return copy;
}

void PagedKv::close(int sequence) {
  truncate(sequence, 0);
  sequences_[index(sequence)].open = false;
}

std::int32_t PagedKv::take_page() {
  if (page_limit_ > 0 && pages_in_use_ >= page_limit_)
    out_of_resources(
        "the key-value cache is full: all {} pages are in use; use a shorter context or fewer "
        "sequences",
        page_limit_);
  std::int32_t id = 0;
  if (free_.empty()) {
    id = static_cast<std::int32_t>(pages_.size());
    pages_.push_back({.bytes = allocate_page()});
  } else {
    id = free_.back();
    free_.pop_back();
  }
  pages_[static_cast<std::size_t>(id)].references = 1;
  ++pages_in_use_;
  return id;
}

// Pages come in blocks, each as large as all before it until they fill huge pages.
std::byte* PagedKv::allocate_page() {
  constexpr std::size_t kLargestBlock = std::size_t{4} << 20;
  const std::size_t page = layout_.page_bytes();
  if (blocks_.empty() || block_used_ + page > blocks_.back().size()) {
    const std::size_t most = std::max<std::size_t>(kLargestBlock / page, 1);
    const std::size_t count = std::clamp<std::size_t>(pages_.size(), 1, most);
    blocks_.push_back(allocate_in_huge_pages(count * page));
    block_used_ = 0;
  }
  std::byte* bytes = blocks_.back().data() + block_used_;
  block_used_ += page;
  // Positions never written are read by whole-vector loads before they are masked.
  std::memset(bytes, 0, page);
  return bytes;
}

void PagedKv::drop_page(std::int32_t& id, std::byte*& bytes) {
  if (id >= 0 && --pages_[static_cast<std::size_t>(id)].references == 0) {
    free_.push_back(id);
    --pages_in_use_;
  }
  id = -1;
  bytes = nullptr;
}

void PagedKv::own_last_page(Sequence& sequence, std::size_t layer, std::size_t page) {
  std::int32_t& id = sequence.ids[layer][page];
  if (id < 0 || pages_[static_cast<std::size_t>(id)].references == 1) return;
  const std::int32_t copy = take_page();
  std::byte* to = pages_[static_cast<std::size_t>(copy)].bytes;
  std::memcpy(to, pages_[static_cast<std::size_t>(id)].bytes, layout_.page_bytes());
  drop_page(id, sequence.pages[layer][page]);
  id = copy;
  sequence.pages[layer][page] = to;
}

void PagedKv::extend(int handle, Position length) {
  Sequence& sequence = sequences_[index(handle)];
  assert(sequence.open && length >= sequence.length);
  const auto wanted = static_cast<std::size_t>((length + kPageTokens - 1) / kPageTokens);
  for (std::size_t layer = first_held_; layer < last_held_; ++layer) {
    auto& ids = sequence.ids[layer];
    auto& pages = sequence.pages[layer];
    if (sequence.length % kPageTokens != 0) own_last_page(sequence, layer, ids.size() - 1);
    while (ids.size() < wanted) {
      ids.push_back(take_page());
      pages.push_back(pages_[static_cast<std::size_t>(ids.back())].bytes);
    }
    // The oldest position that the next new token, at sequence.length, can still see.
    const Position oldest = windows_[layer] > 0 ? sequence.length - windows_[layer] + 1 : 0;
    for (std::size_t p = 0; static_cast<Position>(p + 1) * kPageTokens <= oldest; ++p)
      drop_page(ids[p], pages[p]);
  }
  sequence.length = length;
}

void PagedKv::truncate(int handle, Position length) {
  Sequence& sequence = sequences_[index(handle)];
  const auto kept = static_cast<std::size_t>((length + kPageTokens - 1) / kPageTokens);
  for (std::size_t layer = 0; layer < windows_.size(); ++layer) {
    for (std::size_t p = kept; p < sequence.ids[layer].size(); ++p)
      drop_page(sequence.ids[layer][p], sequence.pages[layer][p]);
    if (sequence.ids[layer].size() > kept) {
      sequence.ids[layer].resize(kept);
      sequence.pages[layer].resize(kept);
    }
  }
  sequence.length = length;
}

std::byte* PagedKv::page(int layer, int sequence, Position position) const {
  return sequences_[index(sequence)]
      .pages[index(layer)][static_cast<std::size_t>(position / kPageTokens)];
}

std::span<std::byte* const> PagedKv::pages(int layer, int sequence) const {
  return sequences_[index(sequence)].pages[index(layer)];
}

}  // namespace farthing::cache
