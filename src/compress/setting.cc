#include "compress/setting.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

std::string shown(const Setting& setting) {
  switch (setting.kind) {
    case Setting::Kind::kNull:
      return "nothing";
    case Setting::Kind::kScalar:
      return "\"" + printable(setting.text) + "\"";
    case Setting::Kind::kList:
      return fmt::format("a list of {}", setting.items.size());
    case Setting::Kind::kMap:
      return fmt::format("a map of {}", setting.members.size());
  }
  return "";
}

[[noreturn]] void expected(const Setting& setting, std::string_view what, std::string_view kind) {
  bad_input("{}: {} must be {}; found {}", setting.where, what, kind, shown(setting));
}

// The whole text as a number, or false.
template <class T>
bool read_number(const Setting& setting, T& number) {
  if (setting.kind != Setting::Kind::kScalar || setting.quoted) return false;
  const char* end = setting.text.data() + setting.text.size();
  const auto [stop, error] = std::from_chars(setting.text.data(), end, number);
  return error == std::errc{} && stop == end;
}

}  // namespace

const Setting* Setting::find(std::string_view key) const {
  for (const auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}

bool Setting::operator==(const Setting& other) const {
  return kind == other.kind && text == other.text && items == other.items &&
         members == other.members;
}

Setting scalar_setting(std::string text, std::string where) {
  Setting setting;
  setting.kind = Setting::Kind::kScalar;
  setting.text = std::move(text);
  setting.where = std::move(where);
  return setting;
}

const std::string& text_of(const Setting& setting, std::string_view what) {
  if (setting.kind != Setting::Kind::kScalar) expected(setting, what, "a text");
  return setting.text;
}

double number_of(const Setting& setting, std::string_view what) {
  double number = 0;
  if (!read_number(setting, number) || !(number >= -1e300 && number <= 1e300))
    expected(setting, what, "a number");
  return number;
}

std::int64_t integer_of(const Setting& setting, std::string_view what, std::int64_t least,
                        std::int64_t most) {
  std::int64_t number = 0;
  if (!read_number(setting, number) || number < least || number > most)
    expected(setting, what, fmt::format("an integer from {} to {}", least, most));
  return number;
}

bool flag_of(const Setting& setting, std::string_view what) {
  if (setting.kind == Setting::Kind::kScalar && !setting.quoted) {
    if (setting.text == "true") return true;
    if (setting.text == "false") return false;
  }
  expected(setting, what, "true or false");
}

const std::vector<Setting>& list_of(const Setting& setting, std::string_view what) {
  if (setting.kind != Setting::Kind::kList) expected(setting, what, "a list");
  return setting.items;
}

void check_keys(const Setting& setting, std::string_view what,
                std::span<const std::string_view> known) {
  if (setting.kind != Setting::Kind::kMap) expected(setting, what, "a map of keys to values");
  for (const auto& [key, value] : setting.members) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string nearest = nearest_name(key, known);
    bad_input("{}: {} has no key \"{}\"; known: {}{}", value.where, what, printable(key),
              known.empty() ? "none" : join(known, ", "),
              nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
  }
}

}  // namespace farthing::compress
