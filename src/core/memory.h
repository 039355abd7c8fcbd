// Aligned, uninitialised memory, and bytes that are either owned or borrowed.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "core/cursor.h"

namespace farthing {

inline constexpr std::size_t kAlignment = 64;  // one cache line, one AVX-512 vector

// A fixed-size array of trivial T, not initialised. `alignment`: a power of two, 64 or more. Error:
// out of resources.
template <class T>
class AlignedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedArray() = default;
  explicit AlignedArray(std::size_t size, std::size_t alignment = kAlignment) : size_(size) {
    if (size == 0) return;
    const std::uint64_t bytes = checked_multiply(size, sizeof(T), "allocation");
    const std::uint64_t rounded =
        checked_add(bytes, kAlignment - 1, "allocation") / kAlignment * kAlignment;
    data_ = static_cast<T*>(std::aligned_alloc(alignment, rounded));
    if (data_ == nullptr) out_of_resources("cannot allocate {} bytes of memory", bytes);
  }
  AlignedArray(AlignedArray&& other) noexcept { swap(other); }
  AlignedArray& operator=(AlignedArray&& other) noexcept {
    AlignedArray(std::move(other)).swap(*this);
    return *this;
  }
  ~AlignedArray() { std::free(data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }

  // Grows to at least `size` elements, keeping nothing: for scratch that is reused.
  void reserve_scratch(std::size_t size) {
    if (size > size_) *this = AlignedArray(size);
  }

 private:
  void swap(AlignedArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// For bytes that long loops read: those that fill huge pages lie in them, where the system has any,
// which spares the processor most walks through its page tables. Nothing becomes resident that is
// not used. Error: out of resources.
AlignedArray<std::byte> allocate_in_huge_pages(std::size_t bytes);

// Bytes of a tensor: owned, or borrowed from a mapped file that outlives them.
class Bytes {
 public:
  Bytes() = default;
  static Bytes borrow(ByteSpan bytes) {
    Bytes result;
    result.view_ = bytes;
    return result;
  }
  static Bytes own(AlignedArray<std::byte> bytes) {
    Bytes result;
    result.owned_ = std::move(bytes);
    result.view_ = std::as_const(result.owned_).span();
    return result;
  }
  ByteSpan view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  // Only for bytes made by own().
  std::span<std::byte> writable() { return owned_.span(); }

  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(view_.data());
  }

 private:
  AlignedArray<std::byte> owned_;
  ByteSpan view_;
};

}  // namespace farthing
