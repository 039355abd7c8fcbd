// A value of a recipe with the place it was written at, so that a message can point there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace farthing::compress {

struct SettingMember;

struct Setting {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;     // of a scalar, quotes removed
  bool quoted = false;  // "8" is a text, 8 a number
  std::string where;    // "recipe.yaml:7", "--layers"
  std::vector<Setting> items;
  std::vector<SettingMember> members;  // in the order of the file

  const Setting* find(std::string_view key) const;
  bool operator==(const Setting& other) const;  // by content, not by place
};

// A struct of its own: clang cannot make a std::pair of what is not defined yet.
struct SettingMember {
  std::string key;
  Setting value;
  bool operator==(const SettingMember&) const = default;
};

Setting scalar_setting(std::string text, std::string where);

struct YamlLimits {
  std::size_t bytes = 4u << 20;
  int depth = 32;
  std::size_t values = 1'000'000;
};

// Parses one YAML document (JSON is YAML too). Anchors and aliases are refused: what is written is
// what is meant. Error: bad input with file and line, for text that is not YAML, beyond the limits,
// or has a key twice.
Setting parse_yaml(std::string_view text, std::string_view where, YamlLimits limits = {});

// The kinds that a reader expects. Error: bad input with the place, `what` and what was found.
const std::string& text_of(const Setting& setting, std::string_view what);
double number_of(const Setting& setting, std::string_view what);
std::int64_t integer_of(const Setting& setting, std::string_view what, std::int64_t least,
                        std::int64_t most);
bool flag_of(const Setting& setting, std::string_view what);
const std::vector<Setting>& list_of(const Setting& setting, std::string_view what);
// Error: bad input when a key is not among `known`; names the nearest.
void check_keys(const Setting& setting, std::string_view what,
                std::span<const std::string_view> known);

}  // namespace farthing::compress
