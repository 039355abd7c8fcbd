#include "calibrate/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "calibrate/documents.h"
#include "calibrate/encode.h"
#include "core/error.h"
#include "core/random.h"
#include "core/sha256.h"
#include "core/text.h"

namespace farthing::calibrate {
namespace {

// Enough that a section of nearly any text fills a sample.
constexpr std::int64_t kSectionBytesPerToken = 12;
// Of the built-in texts, where the model has a chat template.
constexpr double kBuiltinChats = 0.2;

using Tokens = std::vector<Token>;

template <class T>
void shuffle(std::vector<T>& items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

// Cuts texts into samples of exactly `length` tokens. What remains of the texts is joined, so that
// short ones count too.
class TextCutter {
 public:
  TextCutter(const Encoder& encoder, std::int64_t length, std::int64_t count)
      : encoder_(encoder), length_(static_cast<std::size_t>(length)), count_(count) {
    restart();
  }

  // one_each: at most one sample of each text, for more variety where there is plenty.
  void cut(const std::vector<std::string>& texts, bool one_each) {
    for (const std::string& text : texts) {
      if (done()) return;
      add(encoder_.encode(text), one_each);
    }
  }
  void restart() {
    samples.clear();
    seen = 0;
    start_sample(rest_);
  }
  bool done() const { return std::ssize(samples) >= count_; }

  std::vector<Tokens> samples;
  std::int64_t seen = 0;  // tokens

 private:
  void start_sample(Tokens& sample) const {
    sample.clear();
    if (const auto first = encoder_.first_token()) sample.push_back(*first);
  }
  // Moves tokens from `from` on into the sample until it is full; true when it is.
  bool fill(Tokens& sample, const Tokens& tokens, std::size_t& from) const {
    const std::size_t take = std::min(length_ - sample.size(), tokens.size() - from);
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(from);
    sample.insert(sample.end(), first, first + static_cast<std::ptrdiff_t>(take));
    from += take;
    return sample.size() == length_;
  }
  void add(const Tokens& tokens, bool one_each) {
    seen += std::ssize(tokens);
    const std::size_t room = length_ - (encoder_.first_token() ? 1 : 0);
    std::size_t from = 0;
    for (; tokens.size() - from >= room && !done(); from += room) {
      if (from > 0 && one_each) return;
      Tokens sample;
      start_sample(sample);
      std::size_t at = from;
      fill(sample, tokens, at);
      samples.push_back(std::move(sample));
    }
    if (from > 0 && one_each) return;
    while (from < tokens.size() && !done()) {
      if (!fill(rest_, tokens, from)) return;
      samples.push_back(rest_);
      start_sample(rest_);
    }
  }

  const Encoder& encoder_;
  std::size_t length_;
  std::int64_t count_;
  Tokens rest_;
};

// What one source is asked for, and what it gave.
struct Share {
  const Encoder& encoder;
  std::int64_t length = 0, count = 0;
  bool must_fill = true;  // else what there is will do
  std::vector<Tokens> samples;
  std::vector<std::string> notes;
};

[[noreturn]] void too_short(const Documents& documents, const Share& share, std::int64_t found,
                            std::int64_t tokens, std::size_t bytes) {
  const double needed = static_cast<double>(bytes) *
                        static_cast<double>(share.count * share.length) /
                        static_cast<double>(std::max<std::int64_t>(tokens, 1));
  bad_input(
      "{}: has {} tokens, enough for {} of the {} samples of {} tokens that it should give; give "
      "more text (about {}), or a smaller --samples or --length",
      documents.name, tokens, found, share.count, share.length,
      human_bytes(static_cast<std::uint64_t>(needed * 1.1)));
}

void take_texts(Documents& documents, Random& random, Share& share) {
  shuffle(documents.texts, random);
  const bool plenty = std::ssize(documents.texts) >= 2 * share.count;
  TextCutter cutter(share.encoder, share.length, share.count);
  cutter.cut(documents.texts, plenty);
  if (plenty && !cutter.done()) {
    cutter.restart();
    cutter.cut(documents.texts, false);
  }
  if (!cutter.done() && (share.must_fill || cutter.samples.empty()))
    too_short(documents, share, std::ssize(cutter.samples), cutter.seen, documents.bytes());
  std::ranges::move(cutter.samples, std::back_inserter(share.samples));
}

// Conversations are kept apart: as many as bring the tokens of `count` full samples.
void take_conversations(Documents& documents, Random& random, Share& share) {
  shuffle(documents.conversations, random);
  const std::int64_t wanted = share.count * share.length;
  std::int64_t tokens = 0, refused = 0, taken = 0;
  std::size_t bytes = 0;
  std::string why, reason;
  for (const Conversation& one : documents.conversations) {
    if (tokens >= wanted) break;
    auto ids = share.encoder.encode(one, reason);
    if (!ids) {
      if (++refused == 1) why = reason;
      continue;
    }
    if (ids->empty()) continue;
    bytes += plain_text(one).size();
    if (std::ssize(*ids) > share.length) ids->resize(static_cast<std::size_t>(share.length));
    tokens += std::ssize(*ids);
    ++taken;
    share.samples.push_back(std::move(*ids));
  }
  if (taken == 0)
    bad_input("{}: the chat template refuses every conversation: {}", documents.name, why);
  if (tokens < wanted && share.must_fill)
    too_short(documents, share, tokens / share.length, tokens, std::max<std::size_t>(bytes, 1));
  if (refused > 0)
    share.notes.push_back(
        fmt::format("{}: {} conversations were left out, which the chat template refuses ({})",
                    documents.name, refused, why));
}

// Samples that were tokenised before are taken as they are, but not beyond `length`.
void take_ids(Documents& documents, Random& random, Share& share) {
  shuffle(documents.ids, random);
  if (!share.must_fill) share.count = std::min(share.count, std::ssize(documents.ids));
  if (std::ssize(documents.ids) < share.count)
    bad_input("{}: has {} tokenised samples, but should give {}; give a smaller --samples",
              documents.name, documents.ids.size(), share.count);
  documents.ids.resize(static_cast<std::size_t>(share.count));
  for (const auto& ids : documents.ids) {
    Tokens& sample = share.samples.emplace_back();
    for (const std::int64_t id : ids) {
      if (std::ssize(sample) == share.length) break;
      if (id < 0 || id >= share.encoder.vocabulary())
        bad_input(
            "{}: has the token id {}, which the tokenizer lacks (0 to {}); was it made for "
            "another model?",
            documents.name, id, share.encoder.vocabulary() - 1);
      sample.push_back(static_cast<Token>(id));
    }
    if (sample.empty()) bad_input("{}: has a sample without tokens", documents.name);
  }
}

void take_source(Documents documents, bool builtin, Random& random, Share& share) {
  if (!documents.ids.empty()) {
    if (!documents.texts.empty() || !documents.conversations.empty())
      bad_input("{}: must hold tokenised samples or texts, not both", documents.name);
    return take_ids(documents, random, share);
  }
  if (!share.encoder.has_template() && !documents.conversations.empty()) {
    if (!builtin)
      share.notes.push_back(
          fmt::format("{}: the model has no chat template, so conversations are read as plain text",
                      documents.name));
    for (const Conversation& one : documents.conversations)
      documents.texts.push_back(plain_text(one));
    documents.conversations.clear();
  }
  if (documents.conversations.empty()) return take_texts(documents, random, share);
  if (documents.texts.empty()) return take_conversations(documents, random, share);
  const auto entries = static_cast<double>(documents.texts.size() + documents.conversations.size());
  const double part =
      builtin ? kBuiltinChats : static_cast<double>(documents.conversations.size()) / entries;
  const std::int64_t all = share.count;
  const auto chats = static_cast<std::int64_t>(std::round(part * static_cast<double>(all)));
  share.count = chats;
  if (chats > 0) take_conversations(documents, random, share);
  share.count = all - chats;
  if (all > chats) take_texts(documents, random, share);
}

// Samples a source by largest remainders, at least one each.
std::vector<std::int64_t> share_out(std::int64_t samples, const std::vector<TextSource>& sources) {
  const std::int64_t spare = samples - std::ssize(sources);
  double sum = 0;
  for (const TextSource& source : sources) sum += source.weight;
  std::vector<std::int64_t> counts;
  std::vector<double> remainders;
  for (const TextSource& source : sources) {
    const double exact = static_cast<double>(spare) * source.weight / sum;
    counts.push_back(1 + static_cast<std::int64_t>(exact));
    remainders.push_back(exact - std::floor(exact));
  }
  for (std::int64_t left = samples - std::reduce(counts.begin(), counts.end()); left > 0; --left) {
    const auto most = std::ranges::max_element(remainders) - remainders.begin();
    ++counts[static_cast<std::size_t>(most)];
    remainders[static_cast<std::size_t>(most)] = -1;
  }
  return counts;
}

void check(const DataRequest& request, std::size_t sources) {
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (request.length < 8 || request.length > kMost)
    usage_error("calibration: length must be from 8 to {} tokens; got {}", kMost, request.length);
  if (request.samples < 1 || request.samples > kMost)
    usage_error("calibration: samples must be from 1 to {}; got {}", kMost, request.samples);
  if (request.samples < static_cast<std::int64_t>(sources))
    usage_error("calibration: {} samples are too few for {} sources; at least one each",
                request.samples, sources);
  for (const TextSource& source : request.sources)
    if (!std::isfinite(source.weight) || source.weight <= 0)
      usage_error("calibration: the weight of {} must be a number above 0; got {}",
                  printable(source.path, 400), source.weight);
}

}  // namespace

TextSource parse_source(std::string_view text) {
  const std::size_t mark = text.rfind('=');
  if (mark == std::string_view::npos || mark == 0) return {std::string(text), 1};
  const std::string_view number = text.substr(mark + 1);
  double weight = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (error != std::errc{} || end != number.data() + number.size())
    return {std::string(text), 1};  // a path with an equals sign
  if (!std::isfinite(weight) || weight <= 0)
    usage_error("the weight of a text must be a number above 0, as in books.txt=0.5; got \"{}\"",
                printable(text));
  return {std::string(text.substr(0, mark)), weight};
}

std::string hash_of(const std::vector<Sample>& samples) {
  Sha256 hash;
  for (const Sample& sample : samples) {
    const auto length = static_cast<std::int32_t>(sample.tokens.size());
    hash.update(std::as_bytes(std::span(&length, 1)));
    hash.update(std::as_bytes(std::span(sample.tokens)));
  }
  return hash.hex();
}

std::int64_t CalibrationData::tokens() const {
  std::int64_t sum = 0;
  for (const Sample& sample : samples) sum += std::ssize(sample.tokens);
  return sum;
}

CalibrationData load_data(const text::Tokenizer& tokenizer, const io::Checkpoint& checkpoint,
                          const DataRequest& request) {
  const std::vector<TextSource> sources = request.sources.empty()
                                              ? std::vector<TextSource>{{std::string(kBuiltin), 1}}
                                              : request.sources;
  check(request, sources.size());
  const Encoder encoder(tokenizer, checkpoint);
  const std::vector<std::int64_t> counts = share_out(request.samples, sources);
  const auto section = static_cast<std::size_t>(request.length * kSectionBytesPerToken);
  Random random(static_cast<std::uint64_t>(request.seed));
  CalibrationData data;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const bool builtin = sources[i].path == kBuiltin;
    Share share{encoder, request.length, counts[i], !request.as_many_as_there_are, {}, {}};
    take_source(builtin ? builtin_documents(section) : read_documents(sources[i].path, section),
                builtin, random, share);
    for (Tokens& tokens : share.samples)
      data.samples.push_back({std::move(tokens), static_cast<int>(i)});
    std::ranges::move(share.notes, std::back_inserter(data.notes));
  }
  shuffle(data.samples, random);
  data.sha256 = hash_of(data.samples);
  return data;
}

}  // namespace farthing::calibrate
