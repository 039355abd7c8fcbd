// Tables of filters.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja_runtime.h"

namespace farthing::text::jinja {

struct FilterRow {
  std::string_view name;
  FilterFunction function;
};
std::span<const FilterRow> text_filters();
std::span<const FilterRow> sequence_filters();

// Looks up "a.b.0" step by step in an item; missing `path` is the item itself.
class AttributePath {
 public:
  AttributePath(Runtime& runtime, const Value& path, const Value& otherwise = {});
  Value of(Runtime& runtime, const Value& item) const;

 private:
  Values parts_;
  Value otherwise_;
};

// The value that sorting and comparing look at: texts without their case, unless it matters.
Value fold_case(Runtime& runtime, const Value& value, bool case_sensitive);

}  // namespace farthing::text::jinja
