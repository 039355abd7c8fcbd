// Stores the embedding and the head in parts of their rows, so that each part may have a precision
// of its own. Vocabularies are learnt by merging what is frequent first, so that the first rows are
// those of frequent tokens, where an error is met (and predicted) most often.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "compress/steps/rows.h"
#include "core/error.h"
#include "core/text.h"
#include "io/derived_checkpoint.h"

namespace farthing::compress {
namespace {

using model::Slot;

constexpr std::array<std::string_view, 1> kKeys = {"at"};
constexpr std::int64_t kLeastRows = 256;  // of a part, where the step chooses
constexpr int kMostHalves = 6;
constexpr std::size_t kMostParts = 64;

// The first rows of all parts but the first: halves of halves of the vocabulary, so that a part has
// as many rows as all before it, and about as many occurrences in a text as each of them (the
// frequency of a token falls as its rank rises: Zipf, 1935).
std::vector<std::int64_t> halves(std::int64_t vocab) {
  std::vector<std::int64_t> at;
  for (std::int64_t rows = vocab / 2; std::ssize(at) < kMostHalves && rows >= kLeastRows; rows /= 2)
    at.push_back(rows);
  std::ranges::reverse(at);
  return at;
}

// A matrix or a bias (vocabulary, ...) in parts; borrowed.
void take_rows(const io::TensorInfo& whole, const std::string& base,
               const std::vector<std::int64_t>& at, io::DerivedCheckpoint& made) {
  const std::int64_t all = whole.shape.empty() ? 0 : whole.shape[0];
  if (at.back() >= all)
    bad_input("{}: {} has {} rows and cannot be cut at row {}", printable(made.path(), 400),
              printable(whole.name), all, at.back());
  const std::size_t row_bytes = whole.bytes.size() / static_cast<std::size_t>(all);
  for (std::size_t part = 0; part <= at.size(); ++part) {
    const std::int64_t first = part == 0 ? 0 : at[part - 1];
    const std::int64_t last = part == at.size() ? all : at[part];
    io::TensorInfo rows = whole;
    rows.shape[0] = last - first;
    rows.bytes = whole.bytes.subspan(static_cast<std::size_t>(first) * row_bytes,
                                     static_cast<std::size_t>(last - first) * row_bytes);
    made.take(rows,
              model::part_name(base, static_cast<int>(part)) + whole.name.substr(base.size()));
  }
}

class SplitVocabulary final : public Step {
 public:
  explicit SplitVocabulary(std::vector<std::int64_t> at) : at_(std::move(at)) {}

  bool restructures() const override { return true; }
  bool keeps_function() const override { return true; }

  std::unique_ptr<io::Checkpoint> restructure(const Survey& survey,
                                              std::vector<std::string>& notes) override {
    const model::TensorMap& map = survey.map;
    const model::ModelConfig& config = map.config();
    const std::vector<std::int64_t> at = at_.empty() ? halves(config.vocab) : at_;
    std::vector<std::string> cut;  // bases
    for (const Slot slot : {Slot::kEmbedding, Slot::kHead})
      if (const auto unit = map.find(slot); unit && !(slot == Slot::kHead && config.tied))
        cut.push_back(unit->base);
    const std::string copy = map.expected_name(Slot::kHead) + ".weight";  // of a tied head
    auto made =
        std::make_unique<io::DerivedCheckpoint>(map.checkpoint(), map.checkpoint().config());
    for (const io::TensorInfo& tensor : map.checkpoint().tensors()) {
      const auto base = std::ranges::find_if(cut, [&](const std::string& one) {
        return tensor.name == one + ".weight" || tensor.name == one + ".bias";
      });
      if (base != cut.end() && !at.empty())
        take_rows(tensor, *base, at, *made);
      else if (base != cut.end() || !config.tied || tensor.name != copy)
        made->take(tensor, tensor.name);
    }
    if (at.empty())
      notes.push_back(fmt::format("split_vocabulary: {} tokens are too few for parts of {} rows",
                                  config.vocab, kLeastRows));
    else
      notes.push_back(fmt::format("split_vocabulary: the rows of {} lie in {} parts",
                                  cut.size() > 1 ? "embedding and head" : "the embedding",
                                  at.size() + 1));
    return made;
  }

 private:
  std::vector<std::int64_t> at_;
};

std::unique_ptr<Step> make(const Setting& settings) {
  std::vector<std::int64_t> at;
  if (const Setting* list = settings.find("at")) {
    for (const Setting& row : list_of(*list, "at of split_vocabulary"))
      at.push_back(integer_of(row, "a row in at of split_vocabulary", 1, 1 << 30));
    if (at.empty() || at.size() >= kMostParts ||
        std::ranges::adjacent_find(at, std::greater_equal{}) != at.end())
      bad_input("{}: at of split_vocabulary must name the first rows of 1 to {} further parts, in "
                "ascending order; got {}",
                list->where, kMostParts - 1, fmt::join(at, ", "));
  }
  return std::make_unique<SplitVocabulary>(std::move(at));
}

}  // namespace

StepRow split_vocabulary_step() {
  return {.name = "split_vocabulary",
          .summary = "give parts of the rows of embedding and head a precision of their own",
          .keys = kKeys,
          .rounds = false,
          .make = make};
}

}  // namespace farthing::compress
