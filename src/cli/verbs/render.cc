// farthing render MODEL --messages F.json: the chat template's text.
#include <fmt/core.h>

#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "io/mapped_file.h"
#include "text/chat.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string model, messages, tools, date;
  bool no_generation_prompt = false;
};

void run(const Options& o) {
  const auto checkpoint = io::Checkpoint::open_texts(o.model);
  if (!text::ChatTemplate::load(*checkpoint))
    bad_input(
        "{}: has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json)",
        o.model);
  Json messages = read_json_file(o.messages), tools;
  if (messages.is_object() && messages.contains("messages")) messages = Json(messages["messages"]);
  if (!messages.is_array())
    bad_input("{}: must be a list of messages, each with role and content", o.messages);
  if (!o.tools.empty()) tools = read_json_file(o.tools);
  const std::string text = text::render_chat(
      *checkpoint, messages, o.tools.empty() ? nullptr : &tools, o.date, !o.no_generation_prompt);
  print(o.common, text);
  write_json(o.common, {{"schema", 1}, {"text", text}});
}

}  // namespace

void add_render(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("MODEL", o->model, "Model with a chat template")->required();
  verb.add_option("--messages", o->messages, "JSON file: a list of {\"role\", \"content\"}")
      ->required();
  verb.add_option("--tools", o->tools, "JSON file: a list of tool definitions");
  verb.add_option("--date", o->date,
                  "The date that the template sees, as in 2026-11-23 (default: today)");
  verb.add_flag("--no-generation-prompt", o->no_generation_prompt,
                "Without the start of the assistant's turn");
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
