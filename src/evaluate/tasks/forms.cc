// Prompts are those of EleutherAI's lm-evaluation-harness 0.4 (lm_eval/tasks), so that numbers can
// be compared.
#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "evaluate/tasks/form.h"
#include "text/jinja_unicode.h"

namespace farthing::evaluate {
namespace {

using text::jinja::strip;

std::vector<std::string> texts_of(const Json& object, const char* key, const std::string& where) {
  const Json* list = json_find(object, key);
  if (list == nullptr || !list->is_array() || list->size() < 2)
    bad_input("{}: \"{}\" must be a list of at least two texts, one a choice", where, key);
  std::vector<std::string> texts;
  for (const Json& text : *list) {
    if (!text.is_string())
      bad_input("{}: \"{}\" must be a list of texts; got {}", where, key, json_shown(text));
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::string trimmed(const std::string& text) { return std::string(strip(text, true, true)); }

// The right choice, as a number or as its digits ("2" in hellaswag); `first` is how the file
// counts.
std::size_t label_of(const Json& document, const char* key, std::size_t choices, std::int64_t first,
                     const std::string& where) {
  const auto found = document.find(key);
  if (found == document.end()) bad_input("{}: has no \"{}\", the right choice", where, key);
  std::int64_t label = first - 1;
  if (found->is_number_integer()) label = found->get<std::int64_t>();
  if (found->is_boolean()) label = found->get<bool>() ? 1 : 0;
  if (found->is_string() && found->get_ref<const std::string&>().size() == 1)
    label = found->get_ref<const std::string&>().front() - '0';
  const std::int64_t last = first + static_cast<std::int64_t>(choices) - 1;
  if (label < first || label > last)
    bad_input("{}: \"{}\" must be the number of the right choice, {} to {}; got {}{}", where, key,
              first, last, json_shown(*found),
              json_shown(*found) == "-1" || json_shown(*found) == "\"\""
                  ? " (a split without answers? Use the validation split)"
                  : "");
  return static_cast<std::size_t>(label - first);
}

Item choose(std::string context, std::vector<std::string> choices, std::size_t gold,
            std::string_view delimiter = " ") {
  Item item{.description = "",
            .contexts = {std::move(context)},
            .continuations = {},
            .choices = std::move(choices),
            .gold = gold,
            .subject = ""};
  for (const std::string& choice : item.choices)
    item.continuations.push_back(std::string(delimiter) + choice);
  return item;
}

// ARC and OpenBookQA: {"text": [...], "label": ["A", ...]} and the key of the answer.
Item choose_by_key(std::string context, const Json& d, const std::string& where) {
  const Json* choices = json_find(d, "choices");
  if (choices == nullptr || !choices->is_object())
    bad_input("{}: \"choices\" must be an object with \"text\" and \"label\"", where);
  std::vector<std::string> texts = texts_of(*choices, "text", where + ": choices");
  const std::vector<std::string> labels = texts_of(*choices, "label", where + ": choices");
  if (labels.size() != texts.size())
    bad_input("{}: has {} choices and {} labels", where, texts.size(), labels.size());
  const std::string key = trimmed(json_text(d, "answerKey", where));
  const auto gold = std::ranges::find(labels, key);
  if (gold == labels.end())
    bad_input("{}: answerKey must be one of the labels; got \"{}\"", where, printable(key));
  return choose(std::move(context), std::move(texts),
                static_cast<std::size_t>(gold - labels.begin()));
}

Item arc(const Json& d, const std::string& where) {
  return choose_by_key("Question: " + json_text(d, "question", where) + "\nAnswer:", d, where);
}

Item openbookqa(const Json& d, const std::string& where) {
  return choose_by_key(json_text(d, "question_stem", where), d, where);
}

Item piqa(const Json& d, const std::string& where) {
  return choose("Question: " + json_text(d, "goal", where) + "\nAnswer:",
                {json_text(d, "sol1", where), json_text(d, "sol2", where)},
                label_of(d, "label", 2, 0, where));
}

// Partial evaluation (Trinh and Le, 2018): each option in the blank, and the likelihood of the
// rest.
Item winogrande(const Json& d, const std::string& where) {
  const std::string sentence = json_text(d, "sentence", where);
  const std::size_t blank = sentence.find('_');
  if (blank == std::string::npos) bad_input("{}: \"sentence\" must have a blank, written _", where);
  const std::string before = sentence.substr(0, blank);
  Item item;
  for (const char* option : {"option1", "option2"}) {
    item.choices.push_back(before + json_text(d, option, where));
    item.continuations.push_back(" " + trimmed(sentence.substr(blank + 1)));
  }
  item.contexts = item.choices;
  item.gold = label_of(d, "answer", 2, 1, where);
  return item;
}

Item boolq(const Json& d, const std::string& where) {
  return choose(json_text(d, "passage", where) + "\nQuestion: " + json_text(d, "question", where) +
                    "?\nAnswer:",
                {"no", "yes"}, label_of(d, d.contains("label") ? "label" : "answer", 2, 0, where));
}

std::string hellaswag_text(std::string text) {
  text = trimmed(text);
  const auto replace_all = [&](std::string_view from, std::string_view to) {
    std::string out;
    std::size_t at = 0;
    for (std::size_t hit; (hit = text.find(from, at)) != std::string::npos; at = hit + from.size())
      out.append(text, at, hit - at).append(to);
    text = out.append(text, at);
  };
  replace_all(" [title]", ". ");
  std::string kept;  // without "[...]" within a line
  for (std::size_t at = 0, open = 0, close = 0; at < text.size(); at = close) {
    open = std::min(text.find('[', at), text.size());
    close = std::min(text.find_first_of("]\n", open), text.size());
    kept.append(text, at, open - at);
    if (close < text.size() && text[close] == ']')
      ++close;
    else
      kept.append(text, open, close - open);
  }
  text = std::move(kept);
  replace_all("  ", " ");
  return text;
}

Item hellaswag(const Json& d, const std::string& where) {
  const std::string context = json_text(d, "ctx_a", where) + " " +
                              text::jinja::capitalize(json_text(d, "ctx_b", "", where));
  std::vector<std::string> endings = texts_of(d, "endings", where);
  for (std::string& ending : endings) ending = hellaswag_text(ending);
  const std::size_t gold = label_of(d, "label", endings.size(), 0, where);
  return choose(hellaswag_text(json_text(d, "activity_label", where) + ": " + context),
                std::move(endings), gold);
}

Item mmlu(const Json& d, const std::string& where) {
  const std::vector<std::string> choices = texts_of(d, "choices", where);
  if (choices.size() != 4) bad_input("{}: mmlu has 4 choices; got {}", where, choices.size());
  std::string context = trimmed(json_text(d, "question", where));
  const std::vector<std::string> letters = {"A", "B", "C", "D"};
  for (std::size_t i = 0; i < 4; ++i) context += "\n" + letters[i] + ". " + choices[i];
  Item item = choose(context + "\nAnswer:", letters, label_of(d, "answer", 4, 0, where));
  item.subject = json_text(d, "subject", where);
  std::string spelled = item.subject;
  std::ranges::replace(spelled, '_', ' ');
  item.description =
      "The following are multiple choice questions (with answers) about " + spelled + ".\n\n";
  return item;
}

Item last_word(const Json& d, const std::string& where) {
  const std::string text = json_text(d, "text", where);
  const std::size_t space = text.rfind(' ');
  if (space == std::string::npos)
    bad_input("{}: \"text\" must have a space before the word to find", where);
  Item item;
  item.contexts = {text.substr(0, space)};
  item.choices = {text.substr(space + 1)};
  item.continuations = {text.substr(space)};
  return item;
}

std::string delimiter_of(const Json& d, const std::string& where) {
  return json_text(d, "delimiter", " ", where);
}

Item choice(const Json& d, const std::string& where) {
  std::vector<std::string> choices = texts_of(d, "choices", where);
  const std::size_t gold = label_of(d, "gold", choices.size(), 0, where);
  return choose(json_text(d, "query", where), std::move(choices), gold, delimiter_of(d, where));
}

Item options(const Json& d, const std::string& where) {
  Item item;
  item.contexts = item.choices = texts_of(d, "context_options", where);
  item.continuations.assign(item.choices.size(),
                            delimiter_of(d, where) + json_text(d, "continuation", where));
  item.gold = label_of(d, "gold", item.choices.size(), 0, where);
  return item;
}

Item continuation(const Json& d, const std::string& where) {
  Item item;
  item.contexts = {json_text(d, "context", where)};
  item.choices = {json_text(d, "continuation", where)};
  item.continuations = {delimiter_of(d, where) + item.choices.front()};
  return item;
}

// A row whose fields are among those of a later one comes after it.
constexpr Form kForms[] = {
    {"arc", "question choices answerKey", "acc_norm", true, 1, arc},
    {"openbookqa", "question_stem choices answerKey", "acc_norm", true, 1, openbookqa},
    {"piqa", "goal sol1 sol2", "acc_norm", true, 1, piqa},
    {"winogrande", "sentence option1 option2", "acc", false, 1, winogrande},
    {"boolq", "passage question", "acc", false, 2, boolq},
    {"hellaswag", "ctx_a endings activity_label", "acc_norm", true, 1, hellaswag},
    {"mmlu", "question choices answer subject", "acc", false, 1, mmlu},
    {"choice", "query choices gold", "acc_norm", true, 1, choice},
    {"options", "context_options continuation gold", "acc", false, 1, options},
    {"continuation", "context continuation", "acc", false, 1, continuation},
    {"lambada", "text", "acc", false, 1, last_word},
};

bool has_fields(const Json& document, std::string_view fields) {
  return std::ranges::all_of(split(fields, ' '),
                             [&](const std::string& f) { return document.contains(f); });
}

}  // namespace

std::span<const Form> forms() { return kForms; }

const Form& form_of(const Json& document, const std::string& where) {
  if (!document.is_object())
    bad_input("{}: a document must be an object; got {}", where, json_shown(document));
  for (const Form& form : kForms)
    if (has_fields(document, form.fields)) return form;
  std::string known, found;
  for (const Form& form : kForms) known += fmt::format("; {}: {}", form.name, form.fields);
  for (const auto& [key, value] : document.items()) found += (found.empty() ? "" : " ") + key;
  bad_input("{}: no form of task has the fields of this document; got: {}; known forms{}", where,
            printable(found), known);
}

}  // namespace farthing::evaluate
