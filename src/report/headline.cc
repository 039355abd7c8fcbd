#include <algorithm>

#include "core/text.h"
#include "report/lookup.h"
#include "report/report.h"

namespace farthing::report {
namespace {

void put(Json& json, const char* key, std::optional<double> value) {
  if (value) json[key] = *value;
}

// The first row of one sequence without a past whose test begins so: "tg128", "pp512".
const Json* row_of(const Json& bench, std::string_view test) {
  for (const Json& row : list(bench, {"rows"}))
    if (text(row, {"test"}).starts_with(test) && number(row, {"batch"}).value_or(1) == 1 &&
        number(row, {"context"}).value_or(0) == 0)
      return &row;
  return nullptr;
}

void add_size(Json& h, const Report& r) {
  if (!r.facts) return put(h, "weights_bytes", number(r.eval, {"weights_bytes"}));
  h["weights_bytes"] = r.facts->weights_bytes;
  h["parameters"] = r.facts->parameters;
  if (r.facts->parameters == 0) return;
  const auto parameters = static_cast<double>(r.facts->parameters);
  h["bits_per_weight"] = 8 * static_cast<double>(r.facts->weights_bytes) / parameters;
  h["of_bf16"] = static_cast<double>(r.facts->weights_bytes) / (2 * parameters);
}

void add_speed(Json& h, const Report& r) {
  if (const Json* row = row_of(r.bench, "tg")) {
    h["decode"] = {{"test", text(*row, {"test"})}, {"bound", text(*row, {"bound"})}};
    for (const char* end : {"median", "min", "max"})
      put(h["decode"], (std::string("tokens_per_s_") + end).c_str(),
          number(*row, {"tokens_per_s", end}));
    put(h["decode"], "share_of_roof", number(*row, {"share_of_roof"}));
  } else {
    put(h, "expected_ms_per_token", number(r.tune, {"chosen", "measured", "ms_per_token"}));
  }
  if (const Json* row = row_of(r.bench, "pp")) {
    h["prefill"] = {{"test", text(*row, {"test"})}};
    put(h["prefill"], "tokens_per_s_median", number(*row, {"tokens_per_s", "median"}));
    put(h["prefill"], "share_of_roof", number(*row, {"share_of_roof"}));
  }
}

// `measured` has kld, top1_agreement and both perplexities.
void add_quality(Json& h, const Json& measured, const std::string& name) {
  constexpr double k95 = 1.96;
  h["text"] = name;
  put(h, "kld", number(measured, {"kld", "mean"}));
  put(h, "top1_agreement", number(measured, {"top1_agreement"}));
  const auto perplexity = number(measured, {"perplexity"}),
             before = number(measured, {"reference_perplexity"});
  if (perplexity && before && *before > 0) h["perplexity_ratio"] = *perplexity / *before;
  for (const char* key : {"kld", "top1_agreement", "perplexity_ratio"})
    if (const Json& interval = list(measured, {"ci95", key});
        interval.size() == 2 && interval[0].is_number() && interval[1].is_number())
      h[std::string(key) + "_ci95"] = interval;
  if (const auto error = number(measured, {"kld", "stderr"});
      error && h.contains("kld") && !h.contains("kld_ci95")) {
    const auto mean = h["kld"].get<double>();
    h["kld_ci95"] = {std::max(0.0, mean - k95 * *error), mean + k95 * *error};
  }
}

void add_flips(Json& h, const Report& r) {
  double documents = 0, changed = 0;
  for (const auto& [name, flips] : map(r.eval, {"flips"}).items()) {
    documents += number(flips, {"documents"}).value_or(0);
    changed += number(flips, {"lost"}).value_or(0) + number(flips, {"gained"}).value_or(0);
  }
  if (documents <= 0) return;
  h["flips"] = changed / documents;
  h["documents"] = documents;
}

}  // namespace

Json headline(const Report& r) {
  Json h = Json::object();
  add_size(h, r);
  add_speed(h, r);
  for (const auto& [name, measured] : map(r.eval, {"texts"}).items())
    if (number(measured, {"kld", "mean"})) {
      add_quality(h, measured, name);
      break;
    }
  if (!h.contains("kld") && number(r.tune, {"chosen", "quality", "kld", "mean"}))
    add_quality(h, *at(r.tune, {"chosen", "quality"}), text(r.tune, {"text", "name"}));
  if (const Json& texts = map(r.eval, {"texts"}); !h.contains("kld") && !texts.empty()) {
    h["text"] = texts.begin().key();
    put(h, "perplexity", number(texts.begin().value(), {"perplexity"}));
  }
  add_flips(h, r);
  put(h, "resident_bytes", number(r.eval, {"resident_bytes"}));
  if (!h.contains("resident_bytes")) put(h, "resident_bytes", number(r.bench, {"resident_bytes"}));
  return h;
}

Json report_json(const Report& r) {
  Json j{{"schema", 1}, {"name", r.name}, {"headline", headline(r)}};
  if (r.facts) {
    const ModelFacts& f = *r.facts;
    j["model"] = {{"architecture", f.architecture},
                  {"layers", f.layers},
                  {"parameters", f.parameters},
                  {"weights_bytes", f.weights_bytes},
                  {"kv", f.kv},
                  {"kv_bytes_per_token", f.kv_bytes_per_token},
                  {"max_positions", f.max_positions}};
    j["layers"] = Json::array();
    for (const Layer& l : f.matrices) {
      Json row{{"name", l.name},
               {"layer", l.layer},
               {"kind", l.kind},
               {"scheme", l.scheme},
               {"activations", l.activations},
               {"weights", l.weights},
               {"bytes", l.bytes}};
      put(row, "error", l.error);
      put(row, "sensitivity", l.sensitivity);
      j["layers"].push_back(std::move(row));
    }
  }
  j["files"] = Json::array();
  for (const SourceFile& f : r.files)
    j["files"].push_back({{"name", f.name}, {"kind", f.kind}, {"sha256", f.sha256}});
  j["notes"] = r.notes;
  const std::pair<const char*, const Json*> sources[] = {{"artefact", &r.artefact},
                                                         {"eval", &r.eval},
                                                         {"bench", &r.bench},
                                                         {"tune", &r.tune},
                                                         {"sensitivity", &r.sensitivity},
                                                         {"calibrate", &r.calibrate},
                                                         {"verify", &r.verify},
                                                         {"training", &r.training},
                                                         {"distill", &r.distill}};
  for (const auto& [kind, source] : sources)
    if (!source->is_null()) j[kind] = *source;
  return j;
}

}  // namespace farthing::report
