#include "core/threads.h"

#include <chrono>

namespace farthing {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// About 20 microseconds: longer than the gap between two layers, far shorter than a time slice.
constexpr int kSpins = 4000;

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::call(int piece) {
  try {
    (*body_)(piece);
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

bool ThreadPool::take_piece(std::uint64_t generation) {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  do {
    if (state >> kPieceBits != generation || (state & kPieceMask) == 0) return false;
  } while (!state_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  call(static_cast<int>(state & kPieceMask) - 1);
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void ThreadPool::run(FunctionRef<void(int)> body) {
  if (workers_.empty()) return body(0);
  body_ = &body;
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t generation = (state_.load(std::memory_order_relaxed) >> kPieceBits) + 1;
  // Sequentially consistent with a worker that is about to sleep: one of the two sees the other.
  state_.store(generation << kPieceBits | static_cast<std::uint64_t>(size()),
               std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) {
    {
      std::lock_guard lock(mutex_);
    }
    wake_.notify_all();
  }
  while (take_piece(generation)) {
  }
  for (int spin = 0; done_.load(std::memory_order_acquire) != size(); ++spin) {
    if (spin < kSpins)
      relax();
    else
      std::this_thread::yield();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::work() {
  std::uint64_t seen = 0;
  const auto current = [this] { return state_.load(std::memory_order_seq_cst) >> kPieceBits; };
  while (true) {
    for (int spin = 0; spin < kSpins && current() == seen; ++spin) relax();
    if (current() == seen) {
      std::unique_lock lock(mutex_);
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return stopping_ || current() != seen; });
      sleeping_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (stopping_) return;
    seen = current();
    while (take_piece(seen)) {
    }
  }
}

}  // namespace farthing
