// Task files as users have them, and as they should not be.
#include <gmock/gmock.h>

#include "evaluate/generation.h"
#include "evaluate/tasks/task.h"
#include "tests/io/files.h"

namespace farthing::evaluate {
namespace {

using testing::HasSubstr;

Task read(const std::string& text, TaskOptions options = {}) {
  const io::TempDir dir;
  return read_task({.name = "t", .path = dir.write("t.jsonl", text)}, options);
}

std::string refused(const std::string& text, TaskOptions options = {}) {
  try {
    read(text, options);
  } catch (const Error& e) {
    EXPECT_EQ(e.fault, Fault::kBadInput);
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return "";
}

const std::string kChoice = R"({"query": "a", "choices": ["b", "c"], "gold": 1})";

TEST(TaskFiles, PromptsAreThoseOfTheHarness) {
  const Item boolq = read(R"({"passage": "P.", "question": "is it", "answer": true})").items[0];
  EXPECT_EQ(boolq.contexts[0], "P.\nQuestion: is it?\nAnswer:");
  EXPECT_EQ(boolq.continuations[1], " yes");
  EXPECT_EQ(boolq.gold, 1u);
  const Item hellaswag = read(R"({"activity_label": "A", "ctx_a": "x [title] y [a [b] c.", )"
                              R"("ctx_b": "the BOY", "endings": ["p  q", "r"], "label": "1"})")
                             .items[0];
  EXPECT_EQ(hellaswag.contexts[0], "A: x. y c. The boy");
  EXPECT_EQ(hellaswag.choices[0], "p q");
  const Item delimiter =
      read(R"({"query": "Q", "choices": ["b", "c"], "gold": 0, "delimiter": "\nAnswer: "})")
          .items[0];
  EXPECT_EQ(delimiter.continuations[0], "\nAnswer: b");
}

TEST(TaskFiles, TakeALimitAndExamples) {
  const io::TempDir dir;
  const std::string examples = dir.write("e.jsonl", kChoice + "\n\n" + kChoice + "\n");
  const Task task = read(kChoice + "\n" + kChoice + "\n" + kChoice,
                         {.limit = 2, .shots = 2, .examples = examples});
  EXPECT_EQ(task.items.size(), 2u);
  EXPECT_EQ(task.documents, 3);
  EXPECT_EQ(task.items[0].contexts[0], "a c\n\na c\n\na");
  EXPECT_THAT(refused(kChoice, {.shots = 3, .examples = examples}), HasSubstr("has 2 examples"));
}

TEST(TaskFiles, AreRefusedInOneSentenceThatNamesTheLine) {
  EXPECT_THAT(refused(""), HasSubstr("no document"));
  EXPECT_THAT(refused("\n \n"), HasSubstr("no document"));
  EXPECT_THAT(refused(kChoice + "\nnonsense"), HasSubstr("line 2"));
  EXPECT_THAT(refused("[1]"), HasSubstr("must be an object"));
  EXPECT_THAT(refused(R"({"question": "q", "answer": "4"})"), HasSubstr("no form of task"));
  EXPECT_THAT(refused(kChoice + "\n" + R"({"context": "a", "continuation": "b"})"),
              HasSubstr("holds one task"));
  for (const char* gold :
       {"2", "-1", "1.5", "\"\"", "\"x\"", "null", "[0]", "99999999999999999999"})
    EXPECT_THAT(
        refused(R"({"query": "a", "choices": ["b", "c"], "gold": )" + std::string(gold) + "}"),
        HasSubstr("number of the right choice"))
        << gold;
  EXPECT_THAT(refused(R"({"query": "a", "choices": ["b", "c"], "gold": -1})"),
              HasSubstr("split without answers"));
  EXPECT_THAT(refused(R"({"query": "a", "choices": ["b"], "gold": 0})"), HasSubstr("two texts"));
  EXPECT_THAT(refused(R"({"query": "a", "choices": ["b", ""], "gold": 0})"), HasSubstr("is empty"));
  EXPECT_THAT(refused(R"({"query": "a", "choices": ["b", 7], "gold": 0})"), HasSubstr("got 7"));
  EXPECT_THAT(refused(R"({"query": 5, "choices": ["b", "c"], "gold": 0})"), HasSubstr("query"));
  EXPECT_THAT(refused("{\"query\": \"\xff\", \"choices\": [\"b\", \"c\"], \"gold\": 0}"),
              HasSubstr("line 1"));
  EXPECT_THAT(refused("{\"query\": \"" + std::string(1 << 20, 'a') + "\"}"), HasSubstr("1 MiB"));
  EXPECT_THAT(refused(R"({"sentence": "no blank", "option1": "a", "option2": "b", "answer": "1"})"),
              HasSubstr("blank"));
  EXPECT_THAT(refused(R"({"sentence": "a _ b", "option1": "a", "option2": "b", "answer": "3"})"),
              HasSubstr("1 to 2"));
  EXPECT_THAT(refused(R"({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]},)"
                      R"( "answerKey": "C"})"),
              HasSubstr("one of the labels"));
  EXPECT_THAT(
      refused(R"({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B", "C"]},)"
              R"( "answerKey": "C"})"),
      HasSubstr("2 choices and 3 labels"));
  EXPECT_THAT(refused(R"({"question": "q", "choices": ["a"], "answerKey": "A"})"),
              HasSubstr("\"text\" and \"label\""));
  EXPECT_THAT(refused(R"({"question": "q", "choices": ["a", "b"], "answer": 0, "subject": "s"})"),
              HasSubstr("4 choices"));
  EXPECT_THAT(refused(R"({"text": "oneword"})"), HasSubstr("space"));
}

TEST(TaskFiles, ManyOpenBracketsTakeLinearTime) {
  const std::string brackets(200000, '[');
  EXPECT_EQ(read(R"({"activity_label": "A", "ctx_a": ")" + brackets +
                 R"(", "endings": ["p", "r"], "label": 0})")
                .items[0]
                .contexts[0],
            "A: " + brackets);
}

TEST(TaskFiles, AreNamed) {
  EXPECT_EQ(named_file("/data/arc_easy.jsonl").name, "arc_easy");
  EXPECT_EQ(named_file("mine=/data/arc_easy.jsonl").path, "/data/arc_easy.jsonl");
  EXPECT_THROW(named_file("=x"), Error);
  EXPECT_THROW(named_file("x="), Error);
  EXPECT_THROW(check_names_differ({{"a", "1"}, {"a", "2"}}, "tasks"), Error);
}

TEST(Prompts, AreLinesOrJsonLines) {
  const io::TempDir dir;
  EXPECT_EQ(read_prompts(dir.write("p.txt", "one\n\ntwo\n")).size(), 2u);
  EXPECT_EQ(read_prompts(dir.write("p.jsonl", R"({"prompt": "one"}
{"text": "two"})"))[1],
            "two");
  EXPECT_THROW(read_prompts(dir.write("e.txt", "\n")), Error);
  EXPECT_THROW(read_prompts(dir.write("b.txt", "\xff")), Error);
  EXPECT_THROW(read_prompts(dir.write("n.jsonl", R"({"question": 1})")), Error);
  EXPECT_THROW(read_prompts(dir.write("m.jsonl", R"({"prompt": ""})")), Error);
}

}  // namespace
}  // namespace farthing::evaluate
