#include "bench/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "bench/table.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::bench {
namespace {

constexpr double kChance = 0.01, kEffect = 0.02;
constexpr std::size_t kMostSamples = 50;

// ways[u]: how many choices of n out of n + m ranks beat the others u times in all. The i-th chosen
// rank (counted from 0) at position p beats the p - i that are not chosen below it.
std::vector<double> ways_by_wins(std::size_t n, std::size_t m) {
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(n * m + 1, 0));
  ways[0][0] = 1;
  for (std::size_t p = 0; p < n + m; ++p)
    for (std::size_t i = std::min(p + 1, n); i-- > 0;)  // descending: a position is chosen once
      for (std::size_t u = 0; u + p - i <= n * m; ++u) ways[i + 1][u + p - i] += ways[i][u];
  return ways[n];
}

struct Side {
  double median = 0, share = 0;
  std::vector<double> speeds, shares;
};

std::vector<double> numbers(const Json& row, std::string_view key, std::string_view where) {
  std::vector<double> values;
  const Json* samples = json_find(row, "samples");
  const Json* list = samples == nullptr ? nullptr : json_find(*samples, key);
  if (list == nullptr) return values;
  if (!list->is_array() || list->size() > kMostSamples)
    bad_input("{}: samples.{} must be an array of at most {} numbers", where, key, kMostSamples);
  for (const Json& value : *list) {
    if (!value.is_number())
      bad_input("{}: samples.{} must hold numbers; found {}", where, key, json_shown(value));
    values.push_back(value.get<double>());
  }
  return values;
}

Side side_of(const Json& row, std::string_view where) {
  const Json* speed = json_find(row, "tokens_per_s");
  if (speed == nullptr || !speed->is_object())
    bad_input("{}: every row needs tokens_per_s with median, min and max", where);
  Side side{.median = json_number(*speed, "median", where),
            .share = json_number(row, "share_of_roof", 0, where),
            .speeds = numbers(row, "tokens_per_s", where),
            .shares = numbers(row, "share_of_roof", where)};
  if (side.speeds.empty())  // another tool's file: its ends stand for its samples
    side.speeds = {json_number(*speed, "min", where), side.median,
                   json_number(*speed, "max", where)};
  if (!(side.median > 0) || !std::isfinite(side.median))
    bad_input("{}: the median of tokens_per_s must be a positive number", where);
  return side;
}

struct Keyed {
  std::string test, names;
  const Json* row = nullptr;
  bool operator==(const Keyed& other) const { return test == other.test && names == other.names; }
};

Keyed key_of(const Json& row, std::string_view where) {
  if (!row.is_object()) bad_input("{}: every row must be an object", where);
  Keyed key{.test = printable(json_text(row, "test", where)), .names = {}, .row = &row};
  for (const char* name : {"scheme", "activations"}) {
    const std::string value = json_text(row, name, "", where);
    if (!value.empty()) key.names += (key.names.empty() ? "" : " ") + printable(value);
  }
  for (const char* name : {"kv", "isa"})
    if (const std::string value = json_text(row, name, "", where); !value.empty())
      key.names += fmt::format(" {} {}", name, printable(value));
  for (const char* name : {"batch", "context"})
    key.names += fmt::format(" {} {}", name, json_int(row, name, 0, where));
  return key;
}

std::vector<Keyed> rows_of(const Json& result, std::string_view where) {
  const Json* rows = result.is_object() ? json_find(result, "rows") : nullptr;
  if (rows == nullptr || !rows->is_array() || json_int(result, "schema", 0, where) != 1)
    bad_input("{}: must be a result of farthing bench --json (schema 1 with rows)", where);
  std::vector<Keyed> keyed;
  for (const Json& row : *rows) keyed.push_back(key_of(row, where));
  return keyed;
}

void check_machines(const Json& a, const Json& b, std::string_view path_a,
                    std::string_view path_b) {
  const auto name = [](const Json& result, std::string_view where) {
    const Json* machine = json_find(result, "machine");
    if (machine == nullptr || !machine->is_object())
      bad_input("{}: must name the machine it was measured on", where);
    return fmt::format("{} with {} threads", printable(json_text(*machine, "cpu", where)),
                       json_int(*machine, "threads", where));
  };
  const std::string one = name(a, path_a), other = name(b, path_b);
  if (one != other)
    bad_input(
        "results of one machine and number of threads can be compared; {} is of {}, {} of {}: "
        "measure both in one place",
        path_a, one, path_b, other);
}

// -1, 0, 1: b is below, the same within noise, above.
int direction(double a, double b, double chance) {
  if (chance >= kChance || std::abs(b / a - 1) < kEffect) return 0;
  return b > a ? 1 : -1;
}

Compared compare_rows(const Keyed& key, const Side& a, const Side& b) {
  Compared result{.test = key.test,
                  .names = key.names,
                  .a = a.median,
                  .b = b.median,
                  .share_a = a.share,
                  .share_b = b.share,
                  .speed_chance = same_chance(a.speeds, b.speeds),
                  .share_chance = same_chance(a.shares, b.shares)};
  const int speed = direction(a.median, b.median, result.speed_chance);
  const bool shares = !a.shares.empty() && !b.shares.empty() && a.share > 0;
  const int share = shares ? direction(a.share, b.share, result.share_chance) : speed;
  if (share != 0)
    result.verdict = speed == -share ? Verdict::kUnclear
                     : share > 0     ? Verdict::kFaster
                                     : Verdict::kSlower;
  else
    result.verdict = speed != 0 ? Verdict::kMachineMoved : Verdict::kSame;
  return result;
}

}  // namespace

double same_chance(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  double wins = 0;
  for (double x : a)
    for (double y : b) wins += x > y ? 1 : x == y ? 0.5 : 0;
  const std::vector<double> ways = ways_by_wins(a.size(), b.size());
  const double most = static_cast<double>(a.size() * b.size());
  const double far = std::abs(wins - most / 2);
  double all = 0, as_far = 0;
  for (std::size_t u = 0; u < ways.size(); ++u) {
    all += ways[u];
    if (std::abs(static_cast<double>(u) - most / 2) >= far) as_far += ways[u];
  }
  return as_far / all;
}

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFaster:
      return "faster";
    case Verdict::kSlower:
      return "slower";
    case Verdict::kSame:
      return "same within noise";
    case Verdict::kMachineMoved:
      return "the machine moved";
    case Verdict::kUnclear:
      return "unclear";
  }
  return "";
}

Comparison compare_results(const Json& a, const Json& b, std::string_view path_a,
                           std::string_view path_b) {
  const std::vector<Keyed> rows_a = rows_of(a, path_a);
  std::vector<Keyed> rows_b = rows_of(b, path_b);
  check_machines(a, b, path_a, path_b);
  Comparison result;
  for (const Keyed& row : rows_a) {
    const auto other = std::ranges::find(rows_b, row);
    if (other == rows_b.end()) {
      result.only_a.push_back(row.test + " " + row.names);
      continue;
    }
    result.rows.push_back(
        compare_rows(row, side_of(*row.row, path_a), side_of(*other->row, path_b)));
    rows_b.erase(other);
  }
  for (const Keyed& row : rows_b) result.only_b.push_back(row.test + " " + row.names);
  return result;
}

Json comparison_json(const Comparison& comparison) {
  Json rows = Json::array();
  for (const Compared& row : comparison.rows)
    rows.push_back({{"test", row.test},
                    {"names", row.names},
                    {"a", row.a},
                    {"b", row.b},
                    {"ratio", row.b / row.a},
                    {"share_a", row.share_a},
                    {"share_b", row.share_b},
                    {"speed_chance", row.speed_chance},
                    {"share_chance", row.share_chance},
                    {"verdict", verdict_name(row.verdict)}});
  return {
      {"schema", 1}, {"rows", rows}, {"only_a", comparison.only_a}, {"only_b", comparison.only_b}};
}

std::string comparison_text(const Comparison& comparison) {
  Table table({{"test", false},
               {"", false},
               {"A tok/s"},
               {"B tok/s"},
               {"B / A"},
               {"share A"},
               {"share B"},
               {"verdict on B", false}});
  for (const Compared& row : comparison.rows)
    table.add({row.test, row.names, fmt::format("{:.1f}", row.a), fmt::format("{:.1f}", row.b),
               fmt::format("{:.3f}", row.b / row.a), fmt::format("{:.0f} %", 100 * row.share_a),
               fmt::format("{:.0f} %", 100 * row.share_b), std::string(verdict_name(row.verdict))});
  std::string text = table.text();
  for (const std::string& row : comparison.only_a) text += "only in A: " + row + "\n";
  for (const std::string& row : comparison.only_b) text += "only in B: " + row + "\n";
  return text;
}

}  // namespace farthing::bench
