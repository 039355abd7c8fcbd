#include <algorithm>

#include "core/text.h"
#include "tune/sensitivity.h"

namespace farthing::tune {

Json sensitivity_json(const Sensitivity& table) {
  const Space& space = table.space();
  Json units = Json::array();
  for (std::size_t u = 0; u < space.units().size(); ++u) {
    const Unit& unit = space.units()[u];
    Json entries = Json::array();
    for (std::size_t a = 0; a < space.alternatives(unit).size(); ++a) {
      const Entry& entry = table.at({u, a});
      if (!entry.offered) continue;
      Json row = {{"scheme", space.alternatives(unit)[a].name},
                  {"kld", table.kld({u, a})},
                  {"measured", entry.measured}};
      if (entry.measured) {
        row["stderr"] = entry.shift.stderr_of_kld;
        row["nll_increase"] = entry.shift.nll_increase;
        row["top1_agreement"] = entry.shift.top1_agreement;
      }
      if (entry.output_error > 0) row["output_error"] = entry.output_error;
      if (!unit.is_cache()) row["bytes"] = space.bytes({u, a});
      entries.push_back(std::move(row));
    }
    units.push_back({{"name", unit.name},
                     {"kind", unit.kind},
                     {"layer", unit.layer < 0 ? Json() : Json(unit.layer)},
                     {"weights", unit.weights},
                     {"alternatives", std::move(entries)}});
  }
  return units;
}

// A line a unit, what hurts most first in each alternative's own column.
std::string sensitivity_text(const Sensitivity& table) {
  const Space& space = table.space();
  const std::vector<Unit>& units = space.units();
  std::size_t width = 4;
  for (const Unit& unit : units) width = std::max(width, unit.name.size());
  std::string text = fmt::format(
      "KL divergence when one unit changes; ~ is read off the unit's "
      "output errors, not measured\n{:<{}}",
      "unit", width);
  std::vector<std::size_t> order;
  for (std::size_t u = 0; u < units.size(); ++u)
    if (!units[u].is_cache()) order.push_back(u);
  if (order.empty()) return text + "\n";
  const std::size_t columns = space.alternatives(units[order[0]]).size();
  for (std::size_t a = 1; a < columns; ++a)
    text += fmt::format(" {:>13}", space.alternatives(units[order[0]])[a].name);
  text += '\n';
  const auto worst = [&](std::size_t u) {
    double most = 0;
    for (std::size_t a = 1; a < columns; ++a) most = std::max(most, table.kld({u, a}));
    return most;
  };
  std::ranges::stable_sort(order, [&](auto a, auto b) { return worst(a) > worst(b); });
  for (const std::size_t u : order) {
    text += fmt::format("{:<{}}", printable(units[u].name, width), width);
    for (std::size_t a = 1; a < columns; ++a) {
      const Entry& entry = table.at({u, a});
      text += entry.offered
                  ? fmt::format(" {:>12.3e}{}", table.kld({u, a}), entry.measured ? ' ' : '~')
                  : fmt::format(" {:>12} ", "-");
    }
    text += '\n';
  }
  for (std::size_t u = 0; u < units.size(); ++u) {
    if (!units[u].is_cache()) continue;
    text += "key-value cache:";
    for (std::size_t a = 0; a < space.alternatives(units[u]).size(); ++a)
      text += fmt::format(" {} {:.3e}", space.alternatives(units[u])[a].name, table.kld({u, a}));
    text += '\n';
  }
  return text;
}

}  // namespace farthing::tune
