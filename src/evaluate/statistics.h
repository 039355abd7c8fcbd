// Means with their errors, and whether two models differ on the same items.
#pragma once

#include <cstdint>
#include <span>

namespace farthing::evaluate {

struct Estimate {
  double value = 0, stderr_of_value = 0;
};

// The mean and the standard error of it, from the sample's own spread (n - 1); 0 for one value.
Estimate mean_of(std::span<const double> values);

// The 95 % interval of a mean under the normal approximation.
struct Interval {
  double low = 0, high = 0;
};
Interval interval_of(Estimate estimate);

// The 95 % interval of the change of accuracy, (gained - lost) / documents, of two models on the
// same documents: Wald's, with half a document more in each of the four cells (Agresti and Min,
// Statistics in Medicine 24, 2005), which keeps its width where nothing changed.
Interval paired_change_interval(std::int64_t lost, std::int64_t gained, std::int64_t documents);

// Two-sided exact p-value of McNemar's test (Psychometrika 12, 1947): `lost` items only the first
// model has right, `gained` only the second; under the null hypothesis each is as likely. 1 when
// nothing changed.
double mcnemar_p(std::int64_t lost, std::int64_t gained);

}  // namespace farthing::evaluate
