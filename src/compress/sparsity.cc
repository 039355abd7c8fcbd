#include "compress/sparsity.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

// "2:4"; false when it is not two numbers.
bool read_pattern(std::string_view text, Sparsity& sparsity) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto number = [](std::string_view digits, int& out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  return number(text.substr(0, colon), sparsity.kept) &&
         number(text.substr(colon + 1), sparsity.of);
}

// The `count` lowest go. Positions are sorted by score and then by place, so that equal scores are
// settled alike everywhere.
void prune_lowest(std::span<const float> scores, std::int64_t count,
                  std::span<std::uint8_t> pruned) {
  std::vector<std::int32_t> places(scores.size());
  std::iota(places.begin(), places.end(), 0);
  const auto score = [&](std::int32_t i) { return scores[static_cast<std::size_t>(i)]; };
  std::nth_element(places.begin(), places.begin() + count, places.end(),
                   [&](std::int32_t a, std::int32_t b) {
                     return score(a) != score(b) ? score(a) < score(b) : a < b;
                   });
  std::fill(pruned.begin(), pruned.end(), std::uint8_t{0});
  for (std::int64_t i = 0; i < count; ++i)
    pruned[static_cast<std::size_t>(places[static_cast<std::size_t>(i)])] = 1;
}

}  // namespace

std::int64_t Sparsity::kept_of(std::int64_t inputs) const {
  if (is_pattern()) return (inputs + of - 1) / of * kept;
  return inputs - static_cast<std::int64_t>(std::floor(ratio * static_cast<double>(inputs)));
}

Sparsity parse_sparsity(const Setting& setting) {
  Sparsity sparsity;
  if (setting.kind == Setting::Kind::kScalar && setting.text.find(':') != std::string::npos) {
    if (!read_pattern(setting.text, sparsity) || sparsity.kept < 1 ||
        sparsity.of <= sparsity.kept || sparsity.of > 64)
      bad_input(
          "{}: sparsity {} must be N:M, at most N of every M inputs kept, with 0 < N < M and M at "
          "most 64, as 2:4",
          setting.where, printable(setting.text));
    sparsity.ratio = 1.0 - static_cast<double>(sparsity.kept) / sparsity.of;
    return sparsity;
  }
  sparsity.ratio = number_of(setting, "sparsity");
  if (!(sparsity.ratio >= 0 && sparsity.ratio < 1))
    bad_input(
        "{}: sparsity must be a share of the weights from 0 to below 1, or N:M as 2:4; got {}",
        setting.where, printable(setting.text));
  return sparsity;
}

std::string sparsity_text(const Sparsity& sparsity) {
  if (sparsity.is_pattern()) return fmt::format("{}:{}", sparsity.kept, sparsity.of);
  return fmt::format("{:.4g}", sparsity.ratio);
}

void check_pattern(const Sparsity& sparsity, std::int64_t inputs, const std::string& base) {
  if (!sparsity.is_pattern() || inputs % sparsity.of == 0) return;
  bad_input(
      "{}: {} keeps {} of every {} inputs, but its rows have {}, which {} does not divide; give a "
      "ratio, or another pattern",
      base, sparsity_text(sparsity), sparsity.kept, sparsity.of, inputs, sparsity.of);
}

void choose_pruned(const Sparsity& sparsity, std::span<const float> scores,
                   std::span<std::uint8_t> pruned) {
  const auto inputs = std::ssize(scores);
  if (!sparsity.is_pattern())
    return prune_lowest(scores, inputs - sparsity.kept_of(inputs), pruned);
  const auto of = static_cast<std::size_t>(sparsity.of);
  for (std::size_t i = 0; i < scores.size(); i += of)
    prune_lowest(scores.subspan(i, of), sparsity.of - sparsity.kept, pruned.subspan(i, of));
}

}  // namespace farthing::compress
