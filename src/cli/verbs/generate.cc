// farthing generate MODEL --prompt TEXT: one answer, streamed.
#include <fmt/core.h>

#include <iostream>
#include <iterator>

#include "cli/answer.h"
#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  ModelOptions model;
  AnswerOptions answer;
  std::string prompt, tokens;
  bool chat = false;
};

void run(Options& o) {
  const auto runtime = make_runtime(o.common);
  const auto progress = make_progress(o.common);
  LoadedModel loaded = load_model(*runtime, o.model);
  if (!o.tokens.empty() && (o.chat || !o.prompt.empty()))
    usage_error("give either --prompt or --tokens");
  const Talker talker(*loaded.checkpoint,
                      {.chat = o.chat, .may_lack_tokenizer = !o.tokens.empty()});
  if (o.prompt == "-") o.prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  const auto prompt =
      !o.tokens.empty() ? parse_tokens(o.tokens)
      : o.chat ? talker.encode_chat(Json::array({{{"role", "user"}, {"content", o.prompt}}}))
               : talker.encode_text(o.prompt);
  engine::Session session(*runtime, *loaded.model, loaded.kv);
  const auto options = generate_options(o.answer, *loaded.checkpoint);
  const auto result = session.generate(
      prompt, options, talker.tokenizer(), talker.end_tokens(),
      [&](std::string_view text) {
        print(o.common, std::string(text));
        std::fflush(stdout);
      },
      interrupted);
  if (talker.tokenizer() == nullptr)
    for (text::Token token : result.tokens) print(o.common, fmt::format("{} ", token));
  print(o.common, "\n");
  progress->note(speed_line(result));
  write_json(o.common, answer_json(result, prompt));
  check_interrupt();
}

}  // namespace

void add_generate(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  add_model_options(verb, o->model);
  verb.add_option("--prompt", o->prompt, "Text to continue, - for standard input");
  verb.add_option("--tokens", o->tokens,
                  "Token ids to continue instead of text, separated by commas");
  verb.add_flag("--chat", o->chat, "Take the prompt as a user's message through the chat template");
  add_answer_options(verb, o->answer);
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
