// JSON from files that nobody vouches for. Include only where a value is really read.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace farthing {

// Objects keep the order of the file. Finding a key walks the object: iterate over large ones
// (vocabularies, weight maps) instead of asking them by key.
using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t bytes = 512u << 20;
  int depth = 64;
  std::size_t values = 16'000'000;  // a value costs up to about 100 bytes of memory
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

// A value as a message may show it: its JSON text, cut and made printable.
std::string json_shown(const Json& value);

}  // namespace farthing
