#include "compress/pruning_notes.h"

#include <fmt/format.h>

#include <map>

#include "kernels/squeeze.h"

namespace farthing::compress {
namespace {

struct Sum {
  WeightScheme scheme;
  std::int64_t cols = 0;
  double weights = 0, zeros = 0;
};

// Bits of an element of a packed matrix; 0: its bits lie in planes, or zero has no one code.
int element_bits(const WeightScheme& scheme) {
  if (scheme.element == Element::kBf16 || scheme.element == Element::kF16) return 16;
  if (scheme.element != Element::kInt || !scheme.symmetric || !scheme.block.empty()) return 0;
  return scheme.bits == 4 || scheme.bits == 8 ? scheme.bits : 0;
}

// Integers without zeros that take about as much; "" when there are none.
std::string dense_rival(WeightScheme scheme, std::int64_t cols, double bits) {
  const bool grouped = scheme.element == Element::kInt && scheme.strategy == Strategy::kGroup;
  WeightScheme rival{.element = Element::kInt,
                     .strategy = Strategy::kGroup,
                     .group_size = grouped ? scheme.group_size : 64};
  rival = fit_to_row(rival, cols);
  for (rival.bits = 8; rival.bits >= 2; --rival.bits)
    if (const double takes = bits_per_weight(rival, cols); takes <= bits + 0.05)
      return fmt::format("; {} without zeros takes {:.2f}", scheme_name(rival), takes);
  return "";
}

std::string sentence(const Sum& sum, const kernels::Expander& expander) {
  const double zeros = sum.zeros / sum.weights;
  const double dense = bits_per_weight(sum.scheme, sum.cols);
  const double squeezed = squeezed_bits(sum.scheme, sum.cols, zeros);
  const std::string start = fmt::format("{}: {:.1f} % of the pruned matrices' weights are zero",
                                        scheme_name(sum.scheme), 100 * zeros);
  if (squeezed == 0)
    return start + ", but this scheme is not squeezed: it gains no bytes and no time";
  const int bits = element_bits(sum.scheme);
  const double below = expander.break_even[bits == 4 ? 0 : bits == 8 ? 1 : 2];
  if (squeezed >= dense)
    return fmt::format("{}: too few to gain a byte ({:.2f} bits a weight squeezed, {:.2f} dense)",
                       start, squeezed, dense);
  if (1 - zeros <= below)
    return fmt::format("{}: squeezed when loaded, from {:.2f} to {:.2f} bits a weight in memory{}",
                       start, dense, squeezed, dense_rival(sum.scheme, sum.cols, squeezed));
  return fmt::format(
      "{}, which does not pay on this machine ({}): squeezed they would take {:.2f} instead of "
      "{:.2f} bits a weight, but decode {}{}; bench --sparse measures it",
      start, expander.name, squeezed, dense,
      below > 0 ? fmt::format("gains only above {:.0f} % of zeros", 100 * (1 - below))
                : std::string("loses time"),
      dense_rival(sum.scheme, sum.cols, squeezed));
}

}  // namespace

double squeezed_bits(const WeightScheme& scheme, std::int64_t cols, double zeros) {
  const int bits = element_bits(scheme);
  if (bits == 0) return 0;
  return bits_per_weight(scheme, cols) - bits + 1 + (1 - zeros) * bits;
}

std::vector<std::string> pruning_notes(const Plan& plan, std::span<const UnitReport> units,
                                       IsaSet isas) {
  std::map<std::string, Sum> sums;
  for (std::size_t i = 0; i < plan.units.size(); ++i) {
    const PlannedUnit& unit = plan.units[i];
    if (!unit.keep_zeros) continue;
    Sum& sum = sums[scheme_name(unit.scheme)];
    sum.scheme = unit.scheme;
    sum.cols = unit.shape.cols;
    sum.weights += static_cast<double>(units[i].weights);
    sum.zeros += units[i].zeros * static_cast<double>(units[i].weights);
  }
  std::vector<std::string> notes;
  for (const auto& [name, sum] : sums)
    notes.push_back(sentence(sum, kernels::choose_expander(isas)));
  return notes;
}

}  // namespace farthing::compress
