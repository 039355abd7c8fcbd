// Reading JSON of which any part may be missing or of another kind: what is not there is not shown.
#pragma once

#include <cmath>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "io/json.h"

namespace farthing::report {

using Path = std::initializer_list<std::string_view>;

// The value at the end of a path of keys, or null.
inline const Json* at(const Json& json, Path path) {
  const Json* value = &json;
  for (const std::string_view key : path) {
    if (!value->is_object()) return nullptr;
    const auto found = value->find(key);
    if (found == value->end()) return nullptr;
    value = &*found;
  }
  return value;
}

inline std::optional<double> number(const Json& json, Path path) {
  const Json* value = at(json, path);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const auto n = value->get<double>();
  return std::isfinite(n) ? std::optional(n) : std::nullopt;
}

inline std::string text(const Json& json, Path path) {
  const Json* value = at(json, path);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

// The array, or object, at a path; an empty one when it is not there.
inline const Json& list(const Json& json, Path path) {
  static const Json kNone = Json::array();
  const Json* value = at(json, path);
  return value != nullptr && value->is_array() ? *value : kNone;
}
inline const Json& map(const Json& json, Path path) {
  static const Json kNone = Json::object();
  const Json* value = at(json, path);
  return value != nullptr && value->is_object() ? *value : kNone;
}

}  // namespace farthing::report
