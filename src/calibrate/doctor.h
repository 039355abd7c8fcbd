// The data doctor: what calibration data is worth for one model, before hours are spent on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/data.h"
#include "model/config.h"

namespace farthing::calibrate {

enum class Level : std::uint8_t { kGood, kNote, kWarning, kFatal };
std::string_view level_name(Level level);

struct Finding {
  Level level = Level::kGood;
  std::string topic;     // "repeats", "rank", ...: for JSON
  std::string sentence;  // what was found, and what it would do
};

struct DataReport {
  std::int64_t samples = 0, tokens = 0;
  std::int64_t shortest = 0, median = 0, longest = 0;  // tokens of a sample
  std::int64_t vocabulary = 0, distinct = 0;           // ids: of the tokenizer, in the data
  // Shares of the tokens, 0 to 1.
  double repeated = 0;   // in runs of 16 that occurred before
  double fragments = 0;  // parts of characters that the tokenizer has no token for
  double unknown = 0;    // the tokenizer's token for what it does not know
  // Against the evaluation text, when there is one.
  std::optional<double> overlap;     // share of its runs of 13 tokens that the data holds too
  std::optional<double> known_text;  // share of its tokens whose id occurs in the data
  std::vector<Finding> findings;     // worst first

  Level worst() const;
};

// Looks at the samples alone; no model runs. `config` says widths, experts and positions;
// `eval_text` may be empty.
DataReport examine(const text::Tokenizer& tokenizer, const CalibrationData& data,
                   const model::ModelConfig& config, std::string_view eval_text = {});

// What statistics of a linear's input say, once there are some: `tokens` rows went into them, and
// the numerical rank of their (width, width) matrix is `rank`.
struct InputStatistics {
  std::string layer;
  std::int64_t width = 0, tokens = 0, rank = 0;
  int expert = -1;
};
// Adds findings about ranks, dead inputs and starved experts.
void examine_statistics(const std::vector<InputStatistics>& statistics, DataReport& report);

// Error: bad input with the sentence of the first fatal finding.
void refuse_unfit(const DataReport& report);

}  // namespace farthing::calibrate
