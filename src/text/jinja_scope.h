// Guards of the interpreter: what a statement opens and closes.
#pragma once

#include "text/jinja_interpreter.h"

namespace farthing::text::jinja {

// Evaluation recurses over the tree; this bounds what macros can stack on top of each other.
constexpr int kMaxEvaluation = 4000;

class Interpreter::Deeper {
 public:
  explicit Deeper(Interpreter& interpreter) : depth_(interpreter.depth_) {
    if (++depth_ > kMaxEvaluation) {
      --depth_;
      fail("the template's macros and expressions are nested too deeply");
    }
  }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --depth_; }

 private:
  int& depth_;
};

// A scope for as long as a block runs; on the heap where a macro may keep it for longer.
class Interpreter::ScopeHolder {
 public:
  ScopeHolder(Interpreter& interpreter, bool closures, Scope* parent)
      : interpreter_(interpreter), outer_(interpreter.scope_), closures_(closures), local_(parent) {
    open(parent);
  }
  ScopeHolder(const ScopeHolder&) = delete;
  ScopeHolder& operator=(const ScopeHolder&) = delete;
  ~ScopeHolder() { interpreter_.scope_ = outer_; }

  // The same for the next turn of a loop: no names again.
  void renew() {
    if (closures_)
      open(local_.parent);
    else
      local_.names.clear();
  }

 private:
  void open(Scope* parent) {
    interpreter_.scope_ = closures_ ? interpreter_.heap.make<Scope>(parent) : &local_;
  }
  Interpreter& interpreter_;
  Scope* outer_;
  bool closures_;
  Scope local_;
};

// Collects what is written meanwhile.
class Interpreter::Capture {
 public:
  explicit Capture(Interpreter& interpreter) : interpreter_(interpreter), outer_(interpreter.out_) {
    interpreter.out_ = &text_;
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { close(); }
  std::string take() {
    close();
    return std::move(text_);
  }

 private:
  void close() {
    if (interpreter_.out_ != &text_) return;
    interpreter_.out_ = outer_;
    interpreter_.open_bytes_ -= text_.size();
  }
  Interpreter& interpreter_;
  std::string* outer_;
  std::string text_;
};

}  // namespace farthing::text::jinja
