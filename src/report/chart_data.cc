#include "report/html.h"
#include "report/lookup.h"
#include "report/numbers.h"

namespace farthing::report {
namespace {

// [{"label", "kld", "bytes", "ms"}]; only points with a KL that a logarithmic axis can show.
void add_point(Json& points, const std::string& label, const Json& outcome) {
  const auto kld = number(outcome, {"kld"}), bytes = number(outcome, {"bytes"}),
             ms = number(outcome, {"ms_per_token"});
  if (!kld || *kld <= 0 || !bytes || !ms) return;
  points.push_back({{"label", label}, {"kld", *kld}, {"bytes", *bytes}, {"ms", *ms}});
}

Json pareto_data(const Json& tune) {
  Json data{{"frontier", Json::array()}, {"uniform", Json::array()}, {"chosen", Json::array()}};
  for (const Json& point : list(tune, {"pareto"})) add_point(data["frontier"], "", point);
  for (const Json& point : list(tune, {"uniform"}))
    add_point(data["uniform"], cut(text(point, {"scheme"}), 40), point);
  add_point(data["chosen"], "chosen", map(tune, {"chosen", "measured"}));
  if (data["chosen"].empty()) add_point(data["chosen"], "expected", map(tune, {"expected"}));
  return data;
}

Json walk_data(const Json& tune) {
  Json data = Json::array();
  for (const Json& step : list(tune, {"walk"})) {
    const auto kld = number(step, {"expected", "kld"}), bytes = number(step, {"expected", "bytes"});
    if (!kld || *kld <= 0 || !bytes) continue;
    Json row{{"kld", *kld}, {"bytes", *bytes}};
    if (const auto measured = number(step, {"measured", "kld"}); measured && *measured > 0)
      row["measured"] = *measured;
    data.push_back(std::move(row));
  }
  return data;
}

// Shares of the positions of each text, in the histogram's bins.
Json kld_data(const Json& eval) {
  Json series = Json::array();
  for (const auto& [name, t] : map(eval, {"texts"}).items()) {
    const Json &edges = list(t, {"kld_histogram", "edges"}),
               &counts = list(t, {"kld_histogram", "counts"});
    double total = 0;
    for (const Json& count : counts) total += count.is_number() ? count.get<double>() : 0;
    if (total <= 0 || counts.size() != edges.size() + 1) continue;
    Json shares = Json::array(), numbers = Json::array();
    for (const Json& count : counts)
      shares.push_back((count.is_number() ? count.get<double>() : 0) / total);
    for (const Json& edge : edges) numbers.push_back(edge.is_number() ? edge : Json(0));
    series.push_back({{"name", cut(name, 60)}, {"edges", numbers}, {"shares", shares}});
  }
  return series;
}

}  // namespace

Json chart_data(const Report& report) {
  return {{"pareto", pareto_data(report.tune)},
          {"walk", walk_data(report.tune)},
          {"kld", kld_data(report.eval)}};
}

}  // namespace farthing::report
