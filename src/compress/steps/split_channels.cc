// Sorts the channels of every MLP by what an error in them does, and stores gate and up in parts of
// their rows, so that the few channels that matter most may have a precision of their own. The
// order of channels is free: rows of gate and up and columns of down move together.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "compress/row_parts.h"
#include "compress/steps/rows.h"
#include "compress/steps/structured.h"
#include "compress/structure.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::compress {
namespace {

using model::Slot;

constexpr std::array<std::string_view, 1> kKeys = {"at"};
constexpr std::int64_t kRows = 64;  // that parts have multiples of: whole tiles of all kernels
constexpr std::size_t kMostParts = 16;

class SplitChannels final : public Step {
 public:
  explicit SplitChannels(std::vector<double> at) : at_(std::move(at)) {}

  bool restructures() const override { return true; }
  bool keeps_function() const override { return true; }

  std::unique_ptr<io::Checkpoint> restructure(const Survey& survey,
                                              std::vector<std::string>& notes) override {
    const model::ModelConfig& c = survey.map.config();
    if (survey.map.find(Slot::kGateUp, 0))
      unsupported("{}: keeps gate and up in one matrix, whose rows split_channels cannot cut",
                  printable(survey.map.checkpoint().path(), 400));
    if (!survey.map.find(Slot::kEmbedding))
      bad_input("split_channels must stand before split_vocabulary, whose parts it cannot read");
    const std::vector<std::int64_t> at = rows_of(c.intermediate);
    Structure structure;
    structure.channels.assign(static_cast<std::size_t>(c.layers), {});
    for (auto& order : structure.channels) order.resize(static_cast<std::size_t>(c.intermediate));
    for (auto& order : structure.channels) std::iota(order.begin(), order.end(), 0);
    apply_structure(survey.map, structure);  // what cannot be done shows before the work
    const std::vector<std::vector<double>> scores = channel_scores(survey);
    for (std::size_t layer = 0; layer < scores.size(); ++layer)
      std::ranges::stable_sort(structure.channels[layer], std::greater{}, [&](std::int32_t j) {
        return scores[layer][static_cast<std::size_t>(j)];
      });
    return cut(survey.map, apply_structure(survey.map, structure), at, notes);
  }

 private:
  std::vector<std::int64_t> rows_of(std::int64_t channels) const {
    std::vector<std::int64_t> at;
    for (const double share : at_) {
      const std::int64_t row =
          std::llround(share * static_cast<double>(channels) / kRows) * kRows;
      if (row > (at.empty() ? 0 : at.back()) && row < channels) at.push_back(row);
    }
    return at;
  }

  static std::unique_ptr<io::Checkpoint> cut(const model::TensorMap& map,
                                             std::unique_ptr<io::Checkpoint> sorted,
                                             const std::vector<std::int64_t>& at,
                                             std::vector<std::string>& notes) {
    std::vector<RowCuts> cuts;
    for (int layer = 0; layer < map.config().layers; ++layer)
      for (const Slot slot : {Slot::kGate, Slot::kUp})
        if (const auto unit = map.find(slot, layer)) cuts.push_back({*unit, at});
    notes.push_back(at.empty()
                        ? fmt::format("split_channels: {} channels are too few for parts of {}",
                                      map.config().intermediate, kRows)
                        : fmt::format("split_channels: the channels of every MLP are sorted and "
                                      "cut at {}",
                                      fmt::join(at, ", ")));
    const io::Checkpoint& below = *sorted;
    auto made = std::make_unique<io::DerivedCheckpoint>(std::move(sorted), below.config());
    take_in_parts(below, cuts, "", *made);
    return made;
  }

  std::vector<double> at_;  // shares of the channels
};

std::unique_ptr<Step> make(const Setting& settings) {
  std::vector<double> at = {0.125, 0.5};
  if (const Setting* list = settings.find("at")) {
    at.clear();
    for (const Setting& share : list_of(*list, "at of split_channels"))
      at.push_back(number_of(share, "a share in at of split_channels"));
    const bool shares =
        std::ranges::all_of(at, [](double share) { return share > 0 && share < 1; });
    if (at.empty() || at.size() >= kMostParts || !shares ||
        std::ranges::adjacent_find(at, std::greater_equal{}) != at.end())
      bad_input("{}: at of split_channels must be 1 to {} shares above 0 and below 1, in ascending "
                "order; got {}",
                list->where, kMostParts - 1, fmt::join(at, ", "));
  }
  return std::make_unique<SplitChannels>(std::move(at));
}

}  // namespace

StepRow split_channels_step() {
  return {.name = "split_channels",
          .summary = "give the MLP channels that matter most a precision of their own",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
