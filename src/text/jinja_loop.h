// The `loop` variable.
#pragma once

#include "text/jinja_interpreter.h"

namespace farthing::text::jinja {

struct Loop : Object {
  // `recurse` and `scope` are set for recursive loops: what loop(...) runs, and where.
  Loop(Interpreter& i, const Value& iterable, std::function<bool(const Value&)> k)
      : interpreter(i), items(i, iterable), keep(std::move(k)) {
    if (!keep) size = items.size();
  }

  bool next(Value& out);  // the next item that the loop's `if` keeps
  const Value& peek();    // missing at the end
  std::int64_t length();
  Value attribute(const Value& name);  // missing: no such attribute
  Value call(Arguments& arguments);
  Value cycle(Arguments& arguments) const;
  Value changed(Arguments& arguments);

  Interpreter& interpreter;
  Iterator items;
  std::function<bool(const Value&)> keep;
  std::optional<std::int64_t> size;
  Values ahead;  // read before their turn, from `first` on
  std::size_t first = 0;
  Value previous, current, last_changed;
  std::int64_t index0 = -1;
  int depth0 = 0;
  const ForNode* recurse = nullptr;
  Scope* scope = nullptr;

 private:
  bool read(Value& out);
  Value end_;
};

}  // namespace farthing::text::jinja
