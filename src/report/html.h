// Pieces of HTML. Everything that comes from a file passes through escape().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "report/report.h"

namespace farthing::report {

// Text fit for an element or a quoted attribute: markup escaped, control characters and those that
// turn the direction of writing made visible, and cut after `limit` bytes.
std::string escape(std::string_view untrusted, std::size_t limit = 4000);

struct Column {
  std::string_view title;
  bool number = false;
};
// Cells are HTML already.
std::string table(const std::vector<Column>& columns,
                  const std::vector<std::vector<std::string>>& rows);
// A bar of a share 0..1 behind a text.
std::string bar(double share, std::string_view text);
// A place for the chart that page.js draws from the page's data of this name.
std::string chart(std::string_view name, std::string_view label);

// A part of the page: "" when there is nothing to show.
struct Section {
  std::string_view id, title;
  std::string (*body)(const Report& report);
};
std::string pareto_section(const Report& report);
std::string layers_section(const Report& report);
std::string divergence_section(const Report& report);
std::string training_section(const Report& report);
std::string tasks_section(const Report& report);
std::string flips_section(const Report& report);
std::string answers_section(const Report& report);
std::string speed_section(const Report& report);
std::string memory_section(const Report& report);
std::string calibration_section(const Report& report);
std::string contract_section(const Report& report);
std::string recipe_section(const Report& report);

// What page.js draws: numbers, and names that it writes as text.
Json chart_data(const Report& report);

}  // namespace farthing::report
