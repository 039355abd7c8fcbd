// A pool of threads that share one loop at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace farthing {

// Borrows a callable for the length of a call (std::function would allocate).
template <class Signature>
class FunctionRef;
template <class R, class... A>
class FunctionRef<R(A...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, FunctionRef>)
  FunctionRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, A... a) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(a...);
        }) {}
  R operator()(A... a) const { return call_(object_, a...); }

 private:
  void* object_;
  R (*call_)(void*, A...);
};

// `threads` includes the caller. A loop is cut into pieces that whoever is free takes, the caller
// too, and the caller waits only for pieces that were taken: a thread that the system does not let
// run (a container with less CPU than threads) delays nobody. Idle workers spin for a bounded time,
// then sleep.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(piece) once for each piece 0 .. size() - 1, on any thread, and waits for all. The
  // first exception thrown is thrown again here. Not reentrant.
  void run(FunctionRef<void(int)> body);

 private:
  void work();
  bool take_piece(std::uint64_t generation);  // and runs it
  void call(int piece);

  // A generation of work in the upper bits, the pieces not yet taken in the lower ones: taking a
  // piece proves that its generation is still the current one.
  static constexpr int kPieceBits = 16;
  static constexpr std::uint64_t kPieceMask = (std::uint64_t{1} << kPieceBits) - 1;

  std::vector<std::thread> workers_;
  const FunctionRef<void(int)>* body_ = nullptr;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<int> done_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::exception_ptr failure_;
};

}  // namespace farthing
