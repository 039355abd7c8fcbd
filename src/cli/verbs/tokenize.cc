// farthing tokenize MODEL --jsonl F: a {"text": ...} a line in, a {"ids": [...]} a line out.
#include <fmt/core.h>

#include <fstream>
#include <iostream>
#include <optional>

#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "text/tokenizer.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string model, jsonl;
  std::optional<std::string> text;
  bool as_content = false, show = false;
};

void run(const Options& o) {
  if (o.jsonl.empty() != o.text.has_value()) usage_error("give either --jsonl or --text");
  const auto checkpoint = io::Checkpoint::open_texts(o.model);
  const auto tokenizer = text::Tokenizer::load(*checkpoint);
  if (!tokenizer)
    bad_input("{}: has no tokenizer (tokenizer.json, tokenizer.model or a GGUF vocabulary)",
              o.model);
  const text::EncodeOptions encode{.add_special = !o.as_content, .parse_special = !o.as_content};
  Json all = Json::array();  // for --json
  const auto emit = [&](std::string_view text) {
    const auto ids = tokenizer->encode(text, encode);
    Json line{{"ids", ids}};
    if (o.show)
      for (text::Token id : ids) line["tokens"].push_back(tokenizer->token_text(id));
    print(o.common, line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    if (!o.common.json.empty()) all.push_back(std::move(line));
  };
  const auto write_all = [&] { write_json(o.common, {{"schema", 1}, {"texts", all}}); };
  if (o.text) {
    emit(*o.text);
    return write_all();
  }
  std::ifstream file(o.jsonl);
  std::istream& in = o.jsonl == "-" ? std::cin : file;
  if (!in) bad_input("{}: cannot be read", o.jsonl);
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string where = fmt::format("{}: line {}", o.jsonl, ++number);
    if (line.empty()) continue;
    emit(json_text(parse_json(line, where), "text", where));
  }
  write_all();
}

}  // namespace

void add_tokenize(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("MODEL", o->model, "Model with a tokenizer")->required();
  verb.add_option("--jsonl", o->jsonl, "File with a {\"text\": ...} a line, - for standard input");
  verb.add_option("--text", o->text, "One text");
  verb.add_flag("--as-content", o->as_content,
                "As a chat message's content: adds no special token and matches none");
  verb.add_flag("--show", o->show, "Also the tokens' spellings");
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
