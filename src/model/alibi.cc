#include "model/alibi.h"

#include <cmath>

namespace farthing::model {

std::vector<float> alibi_slopes(std::int64_t heads) {
  std::vector<float> slopes;
  std::int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  const double base = std::pow(2.0, -8.0 / static_cast<double>(power));
  for (std::int64_t h = 0; h < power; ++h)
    slopes.push_back(static_cast<float>(std::pow(base, static_cast<double>(h + 1))));
  const double extra = std::pow(2.0, -4.0 / static_cast<double>(power));
  for (std::int64_t h = 0; h < heads - power; ++h)
    slopes.push_back(static_cast<float>(std::pow(extra, static_cast<double>(2 * h + 1))));
  return slopes;
}

}  // namespace farthing::model
