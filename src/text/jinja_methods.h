// Tables of methods.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja_runtime.h"

namespace farthing::text::jinja {

struct Method {
  std::string_view name;
  Value (*function)(Runtime&, const Value& self, Arguments&);
};
std::span<const Method> text_methods();

// Parts of a text that others need too.
// Pieces around `separator` (white space when null), at most `limit` cuts (negative: all), cut from
// the right or the left.
std::vector<std::string_view> split_text(std::string_view text, const std::string_view* separator,
                                         std::int64_t limit, bool from_right);
std::string replace_text(Runtime& runtime, std::string_view text, std::string_view from,
                         std::string_view to, std::int64_t limit);
Value join_values(Runtime& runtime, const Value& separator, const Value& items);
std::string pad_text(Runtime& runtime, const Value& text, std::int64_t width, std::string_view fill,
                     int left_share);  // 0 left, 1 right, 2 centred

}  // namespace farthing::text::jinja
