#include "calibrate/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/error.h"
#include "core/text.h"

namespace farthing::calibrate {
namespace {

// As the reports on contaminated benchmarks count it (GPT-3, appendix C).
constexpr std::size_t kOverlapRun = 13;
constexpr std::size_t kRepeatRun = 16;

using Runs = std::unordered_set<std::uint64_t>;

// Calls body(hash, first) for every run of `length` tokens.
template <class Body>
void for_each_run(std::span<const Token> tokens, std::size_t length, const Body& body) {
  constexpr std::uint64_t kBase = 0x9E3779B97F4A7C15u;
  std::uint64_t hash = 0, leading = 1;
  for (std::size_t i = 1; i < length; ++i) leading *= kBase;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i >= length) hash -= leading * static_cast<std::uint64_t>(tokens[i - length] + 1);
    hash = hash * kBase + static_cast<std::uint64_t>(tokens[i] + 1);
    if (i + 1 >= length) body(hash ^ hash >> 29, i + 1 - length);
  }
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Of the tokens that lie in runs: those whose run occurred before.
double repeated_share(const CalibrationData& data) {
  Runs seen;
  std::int64_t repeats = 0, all = 0;
  for (const Sample& sample : data.samples)
    for_each_run(sample.tokens, kRepeatRun, [&](std::uint64_t hash, std::size_t) {
      ++all;
      if (!seen.insert(hash).second) ++repeats;
    });
  return share(repeats, all);
}

enum class Kind : std::uint8_t { kWord, kFragment, kUnknown };

// Of every id of the vocabulary that the data has.
class TokenKinds {
 public:
  explicit TokenKinds(const text::Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    for (const std::string_view name : {"<unk>", "[UNK]", "<UNK>", "<|unk|>"})
      if (const auto id = tokenizer.find(name)) unknown_.push_back(*id);
  }
  Kind of(Token id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= known_.size()) known_.resize(index + 1);
    if (!known_[index]) known_[index] = find(id);
    return *known_[index];
  }

 private:
  Kind find(Token id) const {
    if (std::ranges::find(unknown_, id) != unknown_.end()) return Kind::kUnknown;
    const std::string text = tokenizer_.token_text(id);
    if (text.size() == 6 && text.starts_with("<0x") && text.back() == '>')  // SentencePiece's bytes
      return text[3] >= '8' ? Kind::kFragment : Kind::kWord;
    if (tokenizer_.is_special(id)) return Kind::kWord;
    const std::array<Token, 1> one = {id};
    return is_utf8(tokenizer_.decode_bytes(one, false)) ? Kind::kWord : Kind::kFragment;
  }
  const text::Tokenizer& tokenizer_;
  std::vector<Token> unknown_;
  std::vector<std::optional<Kind>> known_;
};

void count_kinds(const text::Tokenizer& tokenizer, const CalibrationData& data,
                 DataReport& report) {
  TokenKinds kinds(tokenizer);
  std::int64_t fragments = 0, unknown = 0;
  std::vector<bool> seen(static_cast<std::size_t>(std::max<std::int64_t>(tokenizer.size(), 1)));
  for (const Sample& sample : data.samples)
    for (const Token id : sample.tokens) {
      const Kind kind = kinds.of(id);
      fragments += kind == Kind::kFragment ? 1 : 0;
      unknown += kind == Kind::kUnknown ? 1 : 0;
      if (static_cast<std::size_t>(id) >= seen.size())
        seen.resize(static_cast<std::size_t>(id) + 1);
      seen[static_cast<std::size_t>(id)] = true;
    }
  report.vocabulary = tokenizer.size();
  report.distinct = std::ranges::count(seen, true);
  report.fragments = share(fragments, report.tokens);
  report.unknown = share(unknown, report.tokens);
}

void compare_with_text(const text::Tokenizer& tokenizer, const CalibrationData& data,
                       std::string_view text, DataReport& report) {
  const std::vector<Token> wanted =
      tokenizer.encode(text, {.add_special = false, .parse_special = false});
  Runs runs;
  std::unordered_set<Token> ids;
  for (const Sample& sample : data.samples) {
    ids.insert(sample.tokens.begin(), sample.tokens.end());
    for_each_run(sample.tokens, kOverlapRun,
                 [&](std::uint64_t hash, std::size_t) { runs.insert(hash); });
  }
  std::int64_t all = 0, both = 0;
  for_each_run(wanted, kOverlapRun, [&](std::uint64_t hash, std::size_t) {
    ++all;
    both += runs.contains(hash) ? 1 : 0;
  });
  report.overlap = share(both, all);
  report.known_text =
      share(std::ranges::count_if(wanted, [&](Token id) { return ids.contains(id); }),
            std::ssize(wanted));
}

class Findings {
 public:
  explicit Findings(DataReport& report) : report_(report) {}
  template <class... T>
  void add(Level level, std::string_view topic, fmt::format_string<T...> text, T&&... values) {
    report_.findings.push_back(
        {level, std::string(topic), fmt::format(text, std::forward<T>(values)...)});
  }

 private:
  DataReport& report_;
};

void judge_text(const DataReport& r, Findings& found) {
  if (r.unknown > 0.5)
    found.add(
        Level::kFatal, "unknown",
        "{:.0f} % of the tokens are the tokenizer's unknown token, so the statistics would be "
        "those of one token; give text in a language that the model was made for",
        100 * r.unknown);
  else if (r.unknown > 0.02)
    found.add(Level::kWarning, "unknown",
              "{:.1f} % of the tokens are the tokenizer's unknown token; is the text in a language "
              "that the model was made for?",
              100 * r.unknown);
  if (r.fragments > 0.2)
    found.add(Level::kWarning, "fragments",
              "{:.0f} % of the tokens are parts of characters, as in text of another language than "
              "the tokenizer was made for; layers would be fitted to what the model hardly meets",
              100 * r.fragments);
  if (r.repeated > 0.9)
    found.add(
        Level::kFatal, "repeats",
        "{:.0f} % of the data repeats what came before: {} tokens are worth {}; give other text",
        100 * r.repeated, r.tokens,
        static_cast<std::int64_t>(static_cast<double>(r.tokens) * (1 - r.repeated)));
  else if (r.repeated > 0.1)
    found.add(Level::kWarning, "repeats",
              "{:.0f} % of the data repeats what came before, so it is worth less than its size",
              100 * r.repeated);
  if (r.distinct < 32)
    found.add(Level::kWarning, "coverage",
              "the data has only {} different tokens of {}; layers would be fitted to these few",
              r.distinct, r.vocabulary);
  if (r.overlap && *r.overlap > 0.01)
    found.add(Level::kWarning, "overlap",
              "the data holds {:.1f} % of the evaluation text's runs of {} tokens: a perplexity "
              "measured on it would flatter the model; calibrate on other text",
              100 * *r.overlap, kOverlapRun);
}

void judge_lengths(const DataReport& r, const model::ModelConfig& config, Findings& found) {
  if (config.max_positions > 0 && r.longest > config.max_positions)
    found.add(
        Level::kFatal, "length",
        "the longest sample has {} tokens, more than the {} positions that the model was made "
        "for; give a smaller --length",
        r.longest, config.max_positions);
  if (r.median < 64)
    found.add(Level::kWarning, "length",
              "half of the samples have at most {} tokens; the first tokens of a text are unlike "
              "those in its middle, so give longer texts or a greater --length",
              r.median);
}

void judge_ranks(const DataReport& r, const model::ModelConfig& config, Findings& found) {
  struct Width {
    const char* what;
    std::int64_t inputs, tokens;
  };
  const std::int64_t routed =
      config.experts > 0 ? r.tokens * config.experts_per_token / config.experts : r.tokens;
  const Width widths[] = {{"attention inputs", config.hidden, r.tokens},
                          {"attention outputs", config.q_width(), r.tokens},
                          {"MLP outputs", config.intermediate, r.tokens},
                          {"an expert's outputs", config.expert_intermediate, routed}};
  for (const Width& w : widths) {
    if (w.inputs == 0) continue;
    if (w.tokens < w.inputs)
      found.add(Level::kWarning, "rank",
                "{} have {} features, but {} tokens bring statistics of at most that rank: methods "
                "that need them (gptq) would follow their damping; give at least {} tokens",
                w.what, w.inputs, w.tokens, 4 * w.inputs);
    else if (w.tokens < 4 * w.inputs)
      found.add(Level::kNote, "rank",
                "{} have {} features and the data {} tokens; about {} would be comfortable", w.what,
                w.inputs, w.tokens, 4 * w.inputs);
  }
  if (config.experts > 0 && routed < config.hidden)
    found.add(
        Level::kWarning, "experts",
        "an expert sees {} tokens on average, fewer than its {} inputs: many would be rounded "
        "without statistics",
        routed, config.hidden);
}

void sort_findings(DataReport& report) {
  std::ranges::stable_sort(report.findings, std::greater{}, &Finding::level);
}

}  // namespace

std::string_view level_name(Level level) {
  constexpr std::string_view kNames[] = {"good", "note", "warning", "fatal"};
  return kNames[static_cast<std::size_t>(level)];
}

Level DataReport::worst() const {
  Level worst = Level::kGood;
  for (const Finding& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

DataReport examine(const text::Tokenizer& tokenizer, const CalibrationData& data,
                   const model::ModelConfig& config, std::string_view eval_text) {
  DataReport report;
  report.samples = std::ssize(data.samples);
  report.tokens = data.tokens();
  if (report.tokens == 0) bad_input("the calibration data holds no tokens");
  std::vector<std::int64_t> lengths;
  for (const Sample& sample : data.samples) lengths.push_back(std::ssize(sample.tokens));
  std::ranges::sort(lengths);
  report.shortest = lengths.front(), report.longest = lengths.back();
  report.median = lengths[lengths.size() / 2];
  report.repeated = repeated_share(data);
  count_kinds(tokenizer, data, report);
  if (!eval_text.empty()) compare_with_text(tokenizer, data, eval_text, report);
  Findings found(report);
  judge_text(report, found);
  judge_lengths(report, config, found);
  judge_ranks(report, config, found);
  sort_findings(report);
  return report;
}

void examine_statistics(const std::vector<InputStatistics>& statistics, DataReport& report) {
  Findings found(report);
  std::int64_t starved = 0, experts = 0;
  std::string example;
  for (const InputStatistics& s : statistics) {
    if (s.expert >= 0) {
      ++experts;
      if (s.tokens >= s.width) continue;
      if (starved++ == 0) example = fmt::format("{}, {} tokens", s.layer, s.tokens);
      continue;
    }
    if (s.rank * 2 < s.width)
      found.add(
          Level::kWarning, "rank",
          "{}: the statistics of {} inputs have rank {} from {} tokens; give other text or more",
          s.layer, s.width, s.rank, s.tokens);
  }
  if (starved > 0)
    found.add(
        Level::kWarning, "experts",
        "{} of {} experts saw fewer tokens than they have inputs (the first: {}); these would "
        "be rounded without statistics",
        starved, experts, example);
  sort_findings(report);
}

void refuse_unfit(const DataReport& report) {
  for (const Finding& finding : report.findings)
    if (finding.level == Level::kFatal) bad_input("calibration data: {}", finding.sentence);
}

}  // namespace farthing::calibrate
