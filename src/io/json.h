// JSON from files that nobody vouches for. Include only where a value is really read.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace farthing {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t bytes = 512u << 20;
  int depth = 64;
};

// Parses strict JSON. Error: bad input naming `where`, for text that is not UTF-8 or not JSON, has
// duplicate keys, is nested deeper or longer than the limits, or carries anything after the value.
Json parse_json(std::string_view text, std::string_view where, JsonLimits limits = {});
Json read_json_file(const std::string& path, JsonLimits limits = {});

// The value of a key with its type checked. Error: bad input naming `where`, the key, what was
// expected and what was found. The forms with `otherwise` return it when the key is absent or null.
std::int64_t json_int(const Json& object, std::string_view key, std::string_view where);
std::int64_t json_int(const Json& object, std::string_view key, std::int64_t otherwise,
                      std::string_view where);
double json_number(const Json& object, std::string_view key, std::string_view where);
double json_number(const Json& object, std::string_view key, double otherwise,
                   std::string_view where);
bool json_bool(const Json& object, std::string_view key, bool otherwise, std::string_view where);
std::string json_text(const Json& object, std::string_view key, std::string_view where);
std::string json_text(const Json& object, std::string_view key, std::string_view otherwise,
                      std::string_view where);
// The object or array under a key, or null when it is absent.
const Json* json_find(const Json& object, std::string_view key);

}  // namespace farthing
