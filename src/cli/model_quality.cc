#include "cli/model_quality.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"
#include "evaluate/results_json.h"

namespace farthing::cli {

std::string modes_of(model::Model& model) {
  std::vector<std::string_view> names;
  const auto add = [&](const model::LinearGroup& group) {
    for (const auto& linear : group.parts()) {
      const auto name = activation_name(linear.activations().mode);
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  };
  const auto& block = model.blocks().block(0);
  add(block.qkv), add(block.o), add(block.mlp.gate_up), add(block.mlp.down);
  return join(names, "+");
}

Json quality_against(Runtime& runtime, const std::string& model, const std::string& reference,
                     const QualityRequest& request, Progress& progress) {
  ModelOptions options;
  options.model = model;
  const LoadedModel one = load_model(runtime, options);
  options.model = reference;
  const LoadedModel other = load_model(runtime, options);
  evaluate::check_same_vocabulary(*one.model, *other.model);
  const auto tokenizer = text::Tokenizer::load(*other.checkpoint);
  if (!tokenizer)
    bad_input("{}: has no tokenizer, so text cannot be evaluated", printable(reference, 400));
  const evaluate::Runner runner{one.model.get(), one.kv}, against{other.model.get(), other.kv};
  const evaluate::Settings settings{.isa = std::string(isa_name(runtime.isas.best())),
                                    .activations = modes_of(*one.model),
                                    .kv = std::string(kernels::kv_type_name(one.kv)),
                                    .reference = reference};
  Json texts = Json::object();
  for (const std::string& argument : request.texts) {
    const auto [name, path] = evaluate::named_file(argument, true);
    const evaluate::EvalText text =
        evaluate::cut_windows(name, evaluate::read_eval_text(path), *tokenizer,
                              {.context = request.context, .windows = request.windows});
    const auto result = evaluate::evaluate_text(runtime, runner, &against, text, progress);
    texts[name] = evaluate::text_json(text, result, settings, *tokenizer);
  }
  return texts;
}

}  // namespace farthing::cli
