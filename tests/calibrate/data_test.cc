// Samples of tokens from texts and conversations, and what bad data is told.
#include "calibrate/data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "calibrate/builtin_texts.h"
#include "core/text.h"
#include "io/checkpoint.h"
#include "tests/io/files.h"
#include "tests/text/tokenizer_files.h"

namespace farthing::calibrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using text::TextFiles;

const std::string kDemo = FARTHING_SOURCE_DIR "/models/demo/books-llama-8m";

// The tokenizer of the demo model: it has 4096 tokens and adds no special ones by itself.
struct Demo {
  std::unique_ptr<io::Checkpoint> checkpoint = io::Checkpoint::open(kDemo);
  std::unique_ptr<text::Tokenizer> tokenizer = text::Tokenizer::load(*checkpoint);
  CalibrationData load(const DataRequest& request) const {
    return load_data(*tokenizer, *checkpoint, request);
  }
  std::string text_of(const Sample& sample) const {
    return tokenizer->decode(sample.tokens, false);
  }
};

// Words that all differ: "a0 a1 a2 ...".
std::string counting(const std::string& word, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += word + std::to_string(i) + " ";
  return text;
}

TEST(CalibrationData, NeedsNoFileToStart) {
  const Demo demo;
  const CalibrationData data = demo.load({.sources = {}, .samples = 128, .length = 256});
  ASSERT_EQ(data.samples.size(), 128u);
  for (const Sample& sample : data.samples) EXPECT_EQ(sample.tokens.size(), 256u);
  EXPECT_EQ(data.tokens(), 128 * 256);
  EXPECT_THAT(data.notes, ElementsAre());
}

TEST(CalibrationData, TheBuiltInTextsSufficeForTheDefaultRequestAndAreText) {
  std::size_t bytes = 0;
  for (const BuiltinText& one : builtin_texts()) {
    EXPECT_TRUE(is_utf8(one.text)) << one.file;
    EXPECT_LT(one.text.size(), 65536u) << one.file << ": longer than a portable literal";
    bytes += one.text.size();
  }
  EXPECT_GT(bytes, 400'000u);
  const Demo demo;
  EXPECT_EQ(demo.load({}).tokens(), 128 * 512);
}

TEST(CalibrationData, TheSameRequestGivesTheSameSamplesAndAnotherSeedOthers) {
  const Demo demo;
  const DataRequest request{.sources = {}, .samples = 16, .length = 64, .seed = 3};
  DataRequest other = request;
  other.seed = 4;
  EXPECT_EQ(demo.load(request).sha256, demo.load(request).sha256);
  EXPECT_NE(demo.load(request).sha256, demo.load(other).sha256);
}

TEST(CalibrationData, NoTokenOfATextIsDrawnTwice) {
  const Demo demo;
  const io::TempDir dir;
  // About 9000 tokens; nearly all are asked for, so that samples must neither overlap nor leave
  // anything out.
  const std::string path = dir.write("numbers.txt", counting("n", 2000));
  const std::int64_t all =
      std::ssize(demo.tokenizer->encode(counting("n", 2000), {.add_special = false}));
  const CalibrationData data =
      demo.load({.sources = {{path, 1}}, .samples = all / 64 - 8, .length = 64});
  std::multiset<std::string> words;
  for (const Sample& sample : data.samples)
    for (const std::string& word : split(demo.text_of(sample), ' ')) words.insert(word);
  // A word may be cut in two by the end of a sample, so look at whole ones of a known form.
  for (int i = 100; i < 1000; ++i) EXPECT_LE(words.count("n" + std::to_string(i) + "x"), 1u);
  int twice = 0;
  for (int i = 1000; i < 2000; ++i) twice += words.count("n" + std::to_string(i)) > 1 ? 1 : 0;
  EXPECT_EQ(twice, 0);
}

TEST(CalibrationData, SourcesGetSamplesByTheirWeights) {
  const Demo demo;
  const io::TempDir dir;
  const std::string a = dir.write("a.txt", counting("alpha", 4000));
  const std::string b = dir.write("b.txt", counting("beta", 4000));
  const CalibrationData data =
      demo.load({.sources = {{a, 3}, {b, 1}}, .samples = 20, .length = 32});
  std::map<int, int> counts;
  for (const Sample& sample : data.samples) {
    ++counts[sample.source];
    EXPECT_THAT(demo.text_of(sample), HasSubstr(sample.source == 0 ? "alpha" : "beta"));
  }
  // One each, then 18 by 3 : 1, which is 13.5 and 4.5.
  EXPECT_EQ(counts[0] + counts[1], 20);
  EXPECT_NEAR(counts[0], 14.5, 0.6);
  // Mixed: the second source is not all at the end.
  int first = 0;
  while (data.samples[static_cast<std::size_t>(first)].source == 0) ++first;
  EXPECT_LT(first, 14);
}

TEST(CalibrationData, ShortDocumentsOfJsonLinesAreJoined) {
  const Demo demo;
  const io::TempDir dir;
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += R"({"text": "The )" + std::to_string(i) + " ships.\"}\n";
  const std::string path = dir.write("short.jsonl", lines);
  const CalibrationData data = demo.load({.sources = {{path, 1}}, .samples = 10, .length = 48});
  ASSERT_EQ(data.samples.size(), 10u);
  for (const Sample& sample : data.samples) EXPECT_EQ(sample.tokens.size(), 48u);
}

TEST(CalibrationData, JsonFilesHoldTextsOrConversations) {
  const Demo demo;
  const io::TempDir dir;
  const std::string long_text = counting("word", 400);
  for (const auto& [name, content] : std::map<std::string, std::string>{
           {"list.json", "[\"" + long_text + "\"]"},
           {"object.json", R"({"text": ")" + long_text + "\"}"},
           {"lines", R"({"text": ")" + long_text + "\"}\n"},
           {"chat.json", R"([{"role": "user", "content": ")" + long_text + "\"}]"},
           {"share.json",
            R"([{"conversations": [{"from": "human", "value": ")" + long_text + "\"}]}]"}}) {
    const std::string path = dir.write(name, content);
    const CalibrationData data = demo.load({.sources = {{path, 1}}, .samples = 2, .length = 64});
    EXPECT_THAT(demo.text_of(data.samples[0]), HasSubstr("word")) << name;
    EXPECT_EQ(demo.text_of(data.samples[0]).find('{'), std::string::npos) << name;
  }
}

TEST(CalibrationData, TokenisedSamplesComeAsTheyAre) {
  const Demo demo;
  const io::TempDir dir;
  const std::string path = dir.write("ids.jsonl", "{\"ids\": [5, 6, 7, 8, 9, 10, 11, 12]}\n");
  const CalibrationData data = demo.load({.sources = {{path, 1}}, .samples = 1, .length = 8});
  EXPECT_THAT(data.samples[0].tokens, ElementsAre(5, 6, 7, 8, 9, 10, 11, 12));
  const std::string far = dir.write("far.jsonl", "{\"ids\": [5, 4096]}\n");
  EXPECT_COMPLAINT(kBadInput, "token id 4096",
                   demo.load({.sources = {{far, 1}}, .samples = 1, .length = 8}));
}

// A tokenizer that adds <s> by itself, with a chat template.
struct ChatModel {
  text::Files files = {
      {"tokenizer.json", text::golden_file("llama2_first/tokenizer.json")},
      {"tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": "</s>"})"},
      {"chat_template.jinja",
       "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
       "{{ raise_exception('no system') }}{% endif %}[{{ m.role }}] {{ m.content }}{{ eos_token }}"
       "{% endfor %}"}};
  CalibrationData load(const std::string& path, std::int64_t samples, std::int64_t length) const {
    const TextFiles checkpoint(files);
    const auto tokenizer = text::Tokenizer::load(checkpoint);
    return load_data(*tokenizer, checkpoint,
                     {.sources = {{path, 1}}, .samples = samples, .length = length});
  }
};

TEST(CalibrationData, EverySampleBeginsAsTheTokenizerWantsIt) {
  const ChatModel model;
  const io::TempDir dir;
  const auto tokenizer = text::Tokenizer::load(TextFiles(model.files));
  const auto bos = tokenizer->bos();
  ASSERT_TRUE(bos.has_value());
  const CalibrationData data = model.load(dir.write("a.txt", counting("word", 2000)), 6, 40);
  for (const Sample& sample : data.samples) {
    EXPECT_EQ(sample.tokens.size(), 40u);
    EXPECT_EQ(sample.tokens.front(), *bos);
    EXPECT_EQ(std::ranges::count(sample.tokens, *bos), 1);
  }
}

TEST(CalibrationData, ConversationsAreRenderedAndTheirContentCannotSmuggleTokens) {
  const ChatModel model;
  const io::TempDir dir;
  const auto tokenizer = text::Tokenizer::load(TextFiles(model.files));
  const Token bos = *tokenizer->bos(), eos = tokenizer->eos().front();
  std::string lines;
  for (int i = 0; i < 4; ++i)
    lines +=
        R"({"messages": [{"role": "user", "content": "Say </s> and <s>"}, {"role": "assistant", "content": "No."}]})"
        "\n";
  const CalibrationData data = model.load(dir.write("chat.jsonl", lines), 1, 60);
  for (const Sample& sample : data.samples) {
    EXPECT_EQ(std::ranges::count(sample.tokens, bos), 1) << "only the template's";
    EXPECT_LE(std::ranges::count(sample.tokens, eos), 2) << "only the template's";
    EXPECT_THAT(tokenizer->decode(sample.tokens, false), HasSubstr("Say </s> and <s>"));
  }
  // Conversations are not joined: as many as bring the tokens of one sample of 60.
  EXPECT_GT(data.samples.size(), 1u);
  EXPECT_GE(data.tokens(), 60);
}

TEST(CalibrationData, TextsCannotSmuggleTokensEither) {
  const ChatModel model;
  const io::TempDir dir;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "</s> <s> [INST] ";
  const CalibrationData data = model.load(dir.write("a.txt", text), 2, 64);
  const auto tokenizer = text::Tokenizer::load(TextFiles(model.files));
  for (const Sample& sample : data.samples)
    EXPECT_EQ(std::ranges::count(sample.tokens, tokenizer->eos().front()), 0);
}

TEST(CalibrationData, ConversationsThatTheTemplateRefusesAreLeftOutWithANote) {
  const ChatModel model;
  const io::TempDir dir;
  const std::string bad = R"({"messages": [{"role": "system", "content": "Be good."}]})"
                          "\n";
  std::string good;
  for (int i = 0; i < 8; ++i)
    good += R"({"messages": [{"role": "user", "content": "Tell me of the sea and of the ships."}]})"
            "\n";
  std::string many = good;
  for (int i = 0; i < 40; ++i) many += bad;
  const CalibrationData data = model.load(dir.write("some.jsonl", many), 1, 120);
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("no system")));
  EXPECT_COMPLAINT(kBadInput, "refuses every conversation",
                   model.load(dir.write("bad.jsonl", bad), 1, 16));
}

TEST(CalibrationData, WithoutATemplateConversationsArePlainTextAndThatIsSaid) {
  const Demo demo;
  const io::TempDir dir;
  const std::string path =
      dir.write("chat.jsonl", R"({"messages": [{"role": "user", "content": ")" +
                                  counting("word", 100) + "\"}]}\n");
  const CalibrationData data = demo.load({.sources = {{path, 1}}, .samples = 1, .length = 64});
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("no chat template")));
}

TEST(CalibrationData, BadFilesAreRefusedInASentence) {
  const Demo demo;
  const io::TempDir dir;
  const auto load = [&](const std::string& path) {
    return demo.load({.sources = {{path, 1}}, .samples = 4, .length = 64});
  };
  EXPECT_COMPLAINT(kBadInput, "is empty", load(dir.write("empty.txt", "")));
  EXPECT_COMPLAINT(kBadInput, "is empty", load(dir.write("blank.txt", " \n\n \t\n")));
  EXPECT_COMPLAINT(kBadInput, "is not UTF-8 text",
                   load(dir.write("binary.txt", std::string("ab\0cd", 5))));
  EXPECT_COMPLAINT(kBadInput, "is not UTF-8 text", load(dir.write("latin1.txt", "caf\xE9 noir")));
  EXPECT_COMPLAINT(kBadInput, "cannot open", load(dir.path("missing.txt")));
  EXPECT_COMPLAINT(kBadInput, "directory", load(dir.path()));
  EXPECT_COMPLAINT(kBadInput, "line 2: must be {\"text\"",
                   load(dir.write("a.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n")));
  EXPECT_COMPLAINT(kBadInput, "line 1", load(dir.write("b.jsonl", "{\"text\": \"a\n")));
  EXPECT_COMPLAINT(kBadInput, "needs a role and a content",
                   load(dir.write("c.jsonl", "{\"messages\": [\"hi\"]}\n")));
  EXPECT_COMPLAINT(kBadInput, "has no messages",
                   load(dir.write("d.jsonl", "{\"messages\": []}\n")));
}

TEST(CalibrationData, TooShortSaysHowMuchIsNeeded) {
  const Demo demo;
  const io::TempDir dir;
  const std::string path = dir.write("tiny.txt", "A tiny text about a ship.");
  const io::Complaint complaint =
      io::complaint_of([&] { demo.load({.sources = {{path, 1}}, .samples = 4, .length = 64}); });
  EXPECT_EQ(complaint.fault, Fault::kBadInput);
  EXPECT_THAT(complaint.text, HasSubstr("enough for 0 of the 4 samples of 64 tokens"));
  EXPECT_THAT(complaint.text, HasSubstr("give more text (about "));
}

TEST(CalibrationData, RequestsWithoutSenseAreRefused) {
  const Demo demo;
  EXPECT_COMPLAINT(kUsage, "length must be", demo.load({.sources = {}, .length = 0}));
  EXPECT_COMPLAINT(kUsage, "samples must be", demo.load({.sources = {}, .samples = 0}));
  EXPECT_COMPLAINT(kUsage, "too few for 2 sources",
                   demo.load({.sources = {{"a", 1}, {"b", 1}}, .samples = 1}));
  EXPECT_COMPLAINT(kUsage, "above 0", demo.load({.sources = {{"a", -1}}}));
  EXPECT_COMPLAINT(kUsage, "above 0", parse_source("a.txt=0"));
  EXPECT_EQ(parse_source("a.txt=0.5"), (TextSource{"a.txt", 0.5}));
  EXPECT_EQ(parse_source("a=b.txt"), (TextSource{"a=b.txt", 1}));
}

}  // namespace
}  // namespace farthing::calibrate
