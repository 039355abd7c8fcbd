#include "evaluate/likelihood.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "evaluate/log_sum.h"

namespace farthing::evaluate {
namespace {

constexpr std::size_t kBatchTokens = 1024;  // that a group of questions computes, about

using Tokens = std::span<const Token>;

// What the model reads of a continuation: all but the last token, which is only predicted.
Tokens read_part(const Continuation& c) { return Tokens(c.tokens).first(c.tokens.size() - 1); }
// Its first token whose logits predict a scored one.
std::size_t first_row(const Continuation& c) {
  return c.tokens.size() - 1 - static_cast<std::size_t>(c.scored);
}

std::size_t common_prefix(Tokens a, Tokens b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Tokens that every continuation reads alike and whose logits none of them needs.
std::size_t common_prefix(const Question& question) {
  std::size_t length = first_row(question.front());
  for (const Continuation& c : question)
    length =
        std::min({length, first_row(c), common_prefix(read_part(question.front()), read_part(c))});
  return length;
}
std::size_t common_prefix(std::span<const Question> group) {
  std::size_t length = common_prefix(group.front());
  const Tokens first = read_part(group.front().front());
  for (const Question& q : group)
    length = std::min({length, common_prefix(q), common_prefix(first, read_part(q.front()))});
  return length;
}

// A batch in the making.
struct Slices {
  std::vector<Token> tokens;
  std::vector<cache::SequenceSlice> slices;
  std::vector<std::int64_t> wanted;

  // Tokens from..to of a sequence that will be `known` long; rows from `first_wanted` on want
  // logits.
  void add(int sequence, Tokens all, std::size_t from, std::size_t to, std::size_t first_wanted,
           cache::Position known) {
    if (from == to) return;
    const auto row = static_cast<std::int64_t>(tokens.size());
    slices.push_back({sequence, row, static_cast<std::int64_t>(to - from),
                      static_cast<cache::Position>(from), known});
    for (std::size_t t = std::max(from, first_wanted); t < to; ++t)
      wanted.push_back(row + static_cast<std::int64_t>(t - from));
    const Tokens part = all.subspan(from, to - from);
    tokens.insert(tokens.end(), part.begin(), part.end());
  }
};

struct Scored {
  double log_probability = 0;
  bool first_choice = false;
};

class Scorer {
 public:
  Scorer(Runtime& runtime, const Runner& runner)
      : runtime_(runtime), model_(*runner.model), kv_(runner.model->make_cache(runner.kv)) {}

  // Likelihoods of a group's continuations, question by question.
  std::vector<std::vector<Likelihood>> score(std::span<const Question> group);

 private:
  // What a question begins with is in the cache.
  struct Beginning {
    int sequence = -1;       // -1: nothing
    std::size_t tokens = 0;  // of it
  };
  // The longest continuation, unless what is cached for it would not serve the shortest (LongRoPE):
  // then 0, and nothing is shared.
  cache::Position shared_length(std::span<const Question> group) const;
  // First what the whole group begins with, then the rest of what each question does.
  std::vector<Beginning> run_beginnings(std::span<const Question> group, cache::Position known);
  // One entry a scored token, in order.
  std::vector<Scored> run_ends(std::span<const Question> group,
                               std::span<const Beginning> beginnings, cache::Position known);

  int open_after(int sequence) {
    return opened_.emplace_back(sequence < 0 ? kv_.open() : kv_.fork(sequence));
  }
  void run(const Slices& slices, model::Model::LogitSink sink) {
    if (slices.tokens.empty()) return;
    model_.forward(runtime_, {slices.tokens, slices.slices, slices.wanted}, kv_, sink);
  }
  void run(const Slices& slices) {
    run(slices, [](std::int64_t, MatrixView<const float>) {});
  }

  Runtime& runtime_;
  model::Model& model_;
  cache::PagedKv kv_;
  std::vector<int> opened_;  // sequences of the group
};

cache::Position Scorer::shared_length(std::span<const Question> group) const {
  std::size_t shortest = read_part(group.front().front()).size(), longest = shortest;
  for (const Question& q : group)
    for (const Continuation& c : q) {
      shortest = std::min(shortest, read_part(c).size());
      longest = std::max(longest, read_part(c).size());
    }
  const auto length = static_cast<cache::Position>(longest);
  return model_.cache_serves(static_cast<cache::Position>(shortest), length) ? length : 0;
}

std::vector<Scorer::Beginning> Scorer::run_beginnings(std::span<const Question> group,
                                                      cache::Position known) {
  std::vector<Beginning> beginnings(group.size());
  if (known == 0) return beginnings;
  Beginning common;
  if (group.size() > 1) common.tokens = common_prefix(group);
  if (common.tokens > 0) {
    Slices slices;
    common.sequence = open_after(-1);
    slices.add(common.sequence, read_part(group.front().front()), 0, common.tokens, common.tokens,
               known);
    run(slices);
  }
  Slices slices;
  for (std::size_t q = 0; q < group.size(); ++q) {
    beginnings[q] = common;
    const std::size_t tokens = common_prefix(group[q]);
    if (tokens == common.tokens) continue;
    beginnings[q] = {open_after(common.sequence), tokens};
    slices.add(beginnings[q].sequence, read_part(group[q].front()), common.tokens, tokens, tokens,
               known);
  }
  run(slices);
  return beginnings;
}

std::vector<Scored> Scorer::run_ends(std::span<const Question> group,
                                     std::span<const Beginning> beginnings, cache::Position known) {
  Slices slices;
  std::vector<Token> truths;  // what the rows that want logits predict
  for (std::size_t q = 0; q < group.size(); ++q)
    for (const Continuation& c : group[q]) {
      slices.add(open_after(beginnings[q].sequence), read_part(c), beginnings[q].tokens,
                 c.tokens.size() - 1, first_row(c), known);
      truths.insert(truths.end(), c.tokens.end() - static_cast<std::ptrdiff_t>(c.scored),
                    c.tokens.end());
    }
  std::vector<Scored> rows(truths.size());
  run(slices, [&](std::int64_t first, MatrixView<const float> logits) {
    runtime_.parallel(logits.rows, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const auto at = static_cast<std::size_t>(first + r);
        const auto truth = static_cast<std::size_t>(truths[at]);
        const LogSum sum = log_sum(logits.row(r));
        rows[at] = {static_cast<double>(logits.row(r)[truth]) - sum.log_sum, sum.best == truth};
      }
    });
  });
  return rows;
}

std::vector<std::vector<Likelihood>> Scorer::score(std::span<const Question> group) {
  const cache::Position known = shared_length(group);
  const std::vector<Beginning> beginnings = run_beginnings(group, known);
  const std::vector<Scored> rows = run_ends(group, beginnings, known);
  for (const int sequence : opened_) kv_.close(sequence);
  opened_.clear();

  std::vector<std::vector<Likelihood>> result;
  auto row = rows.begin();
  for (const Question& q : group) {
    auto& answers = result.emplace_back();
    for (const Continuation& c : q) {
      Likelihood& l = answers.emplace_back(Likelihood{.log_likelihood = 0, .greedy = true});
      for (std::int64_t t = 0; t < c.scored; ++t, ++row) {
        l.log_likelihood += row->log_probability;
        l.greedy = l.greedy && row->first_choice;
      }
      if (std::isnan(l.log_likelihood))
        bad_input(
            "the logits of the model are not numbers: its weights are damaged, or overflow in the "
            "type that they run in (--dtype fp32 has the widest range)");
    }
  }
  return result;
}

// Tokens computed for a question that follows `before`.
std::size_t cost(const Question& question, const Question* before) {
  const std::size_t own = common_prefix(question);
  std::size_t tokens = own;
  for (const Continuation& c : question) tokens += c.tokens.size() - 1 - own;
  if (before == nullptr) return tokens;
  return tokens -
         std::min(own, common_prefix(read_part(before->front()), read_part(question.front())));
}

}  // namespace

std::vector<std::vector<Likelihood>> likelihoods(Runtime& runtime, const Runner& runner,
                                                 std::span<const Question> questions,
                                                 std::string_view what, Progress& progress) {
  Scorer scorer(runtime, runner);
  std::vector<std::vector<Likelihood>> result;
  for (std::size_t first = 0; first < questions.size();) {
    if (progress.cancelled()) throw Error(Fault::kInterrupted, "interrupted");
    std::size_t end = first + 1, tokens = cost(questions[first], nullptr);
    while (end < questions.size() &&
           (tokens += cost(questions[end], &questions[first])) <= kBatchTokens)
      ++end;
    for (auto& answers : scorer.score(questions.subspan(first, end - first)))
      result.push_back(std::move(answers));
    first = end;
    progress.update(what, static_cast<std::int64_t>(first),
                    static_cast<std::int64_t>(questions.size()));
  }
  return result;
}

}  // namespace farthing::evaluate
