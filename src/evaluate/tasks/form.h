// The forms that documents of a task come in: one row each in forms.cc, told by their fields.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace farthing::evaluate {

// A document as the model is asked: continuation i follows its context, and `gold` should be the
// likeliest. With one continuation, the model should find it by itself.
struct Item {
  std::string description;                 // before any examples
  std::vector<std::string> contexts;       // one, or one a continuation
  std::vector<std::string> continuations;  // with the space or line break that sets them off
  std::vector<std::string> choices;        // whose lengths acc_norm divides by; as examples show
  std::size_t gold = 0;
  std::string subject;  // of mmlu; examples come from the same

  std::string_view context(std::size_t i) const { return contexts[contexts.size() > 1 ? i : 0]; }
};

struct Form {
  std::string_view name;
  std::string_view fields;    // that tell it, separated by spaces
  std::string_view headline;  // the metric usually reported: acc, acc_norm or perplexity
  bool norm = false;          // acc_norm beside acc
  int version = 1;            // of the prompt, as lm-evaluation-harness counts it
  // Error: bad input naming `where` for a document with a field missing or of the wrong kind.
  Item (*render)(const Json& document, const std::string& where);
};
std::span<const Form> forms();

// The form whose fields the document has; the first row wins. Error: bad input naming the fields
// that each form needs.
const Form& form_of(const Json& document, const std::string& where);

}  // namespace farthing::evaluate
