// How long work reports itself; the command line draws it on a terminal, a library user may ignore
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace farthing {

class Progress {
 public:
  virtual ~Progress() = default;
  // `done` of `total` units of `what` ("blocks", "windows", "tokens").
  virtual void update(std::string_view what, std::int64_t done, std::int64_t total) = 0;
  // One line worth reading even in a pipe: a substitution made, a fallback taken.
  virtual void note(std::string_view line) = 0;
  // True once the user asked to stop (Ctrl-C): long loops then throw Fault::kInterrupted.
  virtual bool cancelled() const { return false; }
};

class SilentProgress final : public Progress {
 public:
  void update(std::string_view, std::int64_t, std::int64_t) override {}
  void note(std::string_view) override {}
};

}  // namespace farthing
