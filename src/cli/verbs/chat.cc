// farthing chat MODEL: a conversation in the terminal.
#include <fmt/core.h>
#include <unistd.h>

#include <iostream>

#include "cli/answer.h"
#include "cli/common.h"
#include "cli/verbs.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  ModelOptions model;
  AnswerOptions answer;
  std::string system;
};

void run(const Options& o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  LoadedModel loaded = load_model(*runtime, o.model);
  const Talker talker(*loaded.checkpoint, {.chat = true});
  engine::Session session(*runtime, *loaded.model, loaded.kv);
  const auto options = generate_options(o.answer, *loaded.checkpoint);
  Json messages = Json::array();
  if (!o.system.empty()) messages.push_back({{"role", "system"}, {"content", o.system}});
  const bool terminal = isatty(STDIN_FILENO) != 0;
  if (terminal)
    progress->note(
        "Type a message; /reset forgets the conversation, /quit or Ctrl-D ends it, Ctrl-C stops an "
        "answer.");
  while (true) {
    if (terminal) fmt::print(stderr, "> ");
    std::string line;
    if (!std::getline(std::cin, line)) {
      if (!interrupted()) break;
      std::cin.clear();  // Ctrl-C at the prompt: a new line
      clear_interrupt();
      continue;
    }
    if (line == "/quit") break;
    if (line.empty()) continue;
    if (line == "/reset") {
      messages = Json::array();
      if (!o.system.empty()) messages.push_back({{"role", "system"}, {"content", o.system}});
      continue;
    }
    messages.push_back({{"role", "user"}, {"content", line}});
    clear_interrupt();
    const auto prompt = talker.encode_chat(messages);
    const auto result = session.generate(
        prompt, options, talker.tokenizer(), talker.end_tokens(),
        [&](std::string_view text) {
          print(o.common, std::string(text));
          std::fflush(stdout);
        },
        interrupted);
    print(o.common, "\n");
    progress->note(speed_line(result));
    messages.push_back({{"role", "assistant"}, {"content", result.text}});
    clear_interrupt();
  }
  write_json(o.common, {{"messages", messages}});
}

}  // namespace

void add_chat(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.add_option("--system", o->system, "System message");
  add_answer_options(verb, o->answer);
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
