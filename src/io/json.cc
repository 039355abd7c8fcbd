#include "io/json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "io/mapped_file.h"

namespace farthing {
namespace {

// Builds the value while nlohmann's lexer reads. Its own builder looks every key of an ordered
// object up in a list, which takes quadratic time on a vocabulary, and has no limits.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, std::string_view where, const JsonLimits& limits)
      : text_(text), where_(where), limits_(limits) {}

  Json take_result() { return std::move(result_); }

  bool null() override { return put(Json(nullptr)); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_integer(number_integer_t value) override { return put(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put(Json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return put(Json(value)); }
  bool string(string_t& value) override { return put(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // not in JSON text
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool end_object() override {
    refuse_duplicates(open_.back().value.get_ref<const Json::object_t&>());
    return close();
  }
  bool key(string_t& value) override {
    open_.back().key = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    bad_input("{}: not valid JSON at line {}, column {}: {}", where_, line,
              std::max<std::size_t>(before.size() - line_start, 1), reason(error.what()));
  }

 private:
  struct Open {
    Json value;
    std::string key;  // of the member that is being read
  };

  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> the end
  static std::string reason(std::string_view what) {
    if (what.starts_with('[')) what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
    if (what.starts_with("parse error"))
      what.remove_prefix(std::min(what.find(": ") + 2, what.size()));
    return printable(what, 160);
  }

  bool put(Json value) {
    if (++values_ > limits_.values)
      bad_input("{}: more than {} JSON values, which is the limit", where_, limits_.values);
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (Json& parent = open_.back().value; parent.is_array()) {
      parent.get_ref<Json::array_t&>().push_back(std::move(value));
    } else {
      auto& members = static_cast<Json::object_t::Container&>(parent.get_ref<Json::object_t&>());
      members.emplace_back(std::move(open_.back().key), std::move(value));
    }
    return true;
  }

  bool open(Json value) {
    if (open_.size() >= static_cast<std::size_t>(limits_.depth))
      bad_input("{}: JSON nested deeper than {} levels, which is the limit", where_, limits_.depth);
    open_.push_back({std::move(value), {}});
    return true;
  }

  bool close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    return put(std::move(value));
  }

  void refuse_duplicates(const Json::object_t& members) const {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const auto& [key, value] : members) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end())
      bad_input("{}: the JSON key \"{}\" occurs twice in one object", where_, printable(*twice));
  }

  std::string_view text_, where_;
  JsonLimits limits_;
  std::vector<Open> open_;
  std::size_t values_ = 0;
  Json result_;
};

[[noreturn]] void wrong_type(const Json& value, std::string_view key, std::string_view expected,
                             std::string_view where) {
  bad_input("{}: \"{}\" must be {}; found {}", where, key, expected, json_shown(value));
}

const Json& require(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object())
    bad_input("{}: must be a JSON object; found {}", where, json_shown(object));
  const auto found = object.find(key);
  if (found == object.end()) bad_input("{}: \"{}\" is missing", where, key);
  return *found;
}

bool absent(const Json& object, std::string_view key) {
  if (!object.is_object()) return false;  // require() then says so
  const auto found = object.find(key);
  return found == object.end() || found->is_null();
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where, JsonLimits limits) {
  if (text.size() > limits.bytes)
    bad_input("{}: {} of JSON, the limit is {}", where, human_bytes(text.size()),
              human_bytes(limits.bytes));
  // nlohmann skips a byte-order mark and takes NUL for the end; neither is JSON.
  if (text.starts_with("\xEF\xBB\xBF"))
    bad_input("{}: starts with a byte-order mark, which JSON does not allow; save it without",
              where);
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    bad_input("{}: not valid JSON: a zero byte at position {}", where, nul);
  Builder builder(text, where, limits);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take_result();
}

Json read_json_file(const std::string& path, JsonLimits limits) {
  return parse_json(io::read_text_file(path, limits.bytes), printable(path, 400), limits);
}

std::string json_shown(const Json& value) {
  if (value.is_object() || value.is_array())
    return fmt::format("{} of {}", value.is_object() ? "an object" : "an array", value.size());
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

std::int64_t json_int(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = require(object, key, where);
  if (!value.is_number_integer()) wrong_type(value, key, "an integer", where);
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)
    wrong_type(value, key, "an integer of 64 bits", where);
  return value.get<std::int64_t>();
}

std::int64_t json_int(const Json& object, std::string_view key, std::int64_t otherwise,
                      std::string_view where) {
  return absent(object, key) ? otherwise : json_int(object, key, where);
}

double json_number(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = require(object, key, where);
  if (!value.is_number()) wrong_type(value, key, "a number", where);
  return value.get<double>();
}

double json_number(const Json& object, std::string_view key, double otherwise,
                   std::string_view where) {
  return absent(object, key) ? otherwise : json_number(object, key, where);
}

bool json_bool(const Json& object, std::string_view key, bool otherwise, std::string_view where) {
  if (absent(object, key)) return otherwise;
  const Json& value = require(object, key, where);
  if (!value.is_boolean()) wrong_type(value, key, "true or false", where);
  return value.get<bool>();
}

std::string json_text(const Json& object, std::string_view key, std::string_view where) {
  const Json& value = require(object, key, where);
  if (!value.is_string()) wrong_type(value, key, "a string", where);
  return value.get<std::string>();
}

std::string json_text(const Json& object, std::string_view key, std::string_view otherwise,
                      std::string_view where) {
  return absent(object, key) ? std::string(otherwise) : json_text(object, key, where);
}

const Json* json_find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace farthing
