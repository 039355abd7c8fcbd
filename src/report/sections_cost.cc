// The parts of the page about layers, speed, memory and how the model was made.
#include <algorithm>
#include <map>

#include "report/html.h"
#include "report/lookup.h"
#include "report/numbers.h"

namespace farthing::report {

std::string pareto_section(const Report& report) {
  if (list(report.tune, {"pareto"}).empty()) return "";
  std::string out = chart("pareto", "KL divergence against size") +
                    "<p class=\"hint\">The frontier of mixes that tune expects, uniform schemes "
                    "beside it, and what "
                    "was chosen and measured. Down and left is better.</p>\n";
  if (!list(report.tune, {"walk"}).empty())
    out += "<details><summary>From full precision, the least sensitive first</summary>" +
           chart("walk", "Expected KL after each conversion") + "</details>\n";
  return out;
}

namespace {

// Where a number lies between the smallest and the largest on a logarithmic scale, 0..1.
class Scale {
 public:
  void add(std::optional<double> x) {
    if (!x || *x <= 0) return;
    low_ = low_ > 0 ? std::min(low_, *x) : *x;
    high_ = std::max(high_, *x);
  }
  double of(double x) const {
    if (x <= 0 || high_ <= low_) return 0;
    return std::clamp(std::log(x / low_) / std::log(high_ / low_), 0.0, 1.0);
  }

 private:
  double low_ = 0, high_ = 0;
};

// One matrix, or the experts of a layer in one slot, as if they were one.
struct Cell {
  Layer layer;
  int matrices = 0;
  void add(const Layer& l) {
    if (matrices++ == 0) {
      layer = l;
      return;
    }
    if (l.scheme != layer.scheme) layer.scheme = "mixed";
    layer.weights += l.weights;
    layer.bytes += l.bytes;
    if (l.error && (!layer.error || *l.error > *layer.error)) layer.error = l.error;  // the worst
  }
};

struct LayerMap {
  std::vector<std::string> kinds;  // columns
  std::map<int, std::map<std::string, Cell>> cells;
  std::vector<Cell> others;  // outside of the blocks
  Scale scale;
  bool measured = false;  // coloured by KL, else by error
};

std::optional<double> colour_of(const LayerMap& map, const Layer& l) {
  return map.measured ? l.sensitivity : l.error;
}

LayerMap map_of(const ModelFacts& facts) {
  LayerMap map;
  map.measured =
      std::ranges::any_of(facts.matrices, [](const Layer& l) { return l.sensitivity.has_value(); });
  for (const Layer& l : facts.matrices) {
    map.scale.add(colour_of(map, l));
    if (l.layer < 0) {
      map.others.emplace_back().add(l);
      continue;
    }
    if (std::ranges::find(map.kinds, l.kind) == map.kinds.end()) map.kinds.push_back(l.kind);
    map.cells[l.layer][l.kind].add(l);
  }
  map.scale.add(map.measured ? facts.cache_sensitivity : std::nullopt);
  return map;
}

// Of the key-value cache bytes are those of a token.
std::string cell(const LayerMap& map, const Cell& all) {
  const Layer& l = all.layer;
  const auto colour = colour_of(map, l);
  std::string title = escape(l.name, 120) + ", " + escape(l.scheme, 40);
  if (!l.activations.empty()) title += ", activations " + escape(l.activations, 20);
  if (all.matrices > 1) title += fmt::format(" and {} more", all.matrices - 1);
  title += ", " + bytes_text(static_cast<double>(l.bytes));
  if (l.sensitivity) title += ", KL " + short_number(*l.sensitivity);
  if (l.error) title += ", error " + short_number(*l.error);
  const std::string style =
      colour ? fmt::format(" style=\"--s:{:.3f}\"", map.scale.of(*colour)) : "";
  return fmt::format(
      "<td class=\"{}\"{} title=\"{}\">{}</td>", colour ? "cell" : "cell plain", style, title,
      escape(l.scheme, 24) + (all.matrices > 1 ? fmt::format(" &times; {}", all.matrices) : ""));
}

Cell cache_cell(const ModelFacts& facts) {
  Cell cell;
  cell.add({.name = "key-value cache, for a token",
            .kind = "kv cache",
            .scheme = facts.kv.empty() ? "fp16" : facts.kv,
            .activations = "",
            .bytes = facts.kv_bytes_per_token,
            .error = {},
            .sensitivity = facts.cache_sensitivity});
  return cell;
}

std::string scheme_counts(const ModelFacts& facts) {
  std::map<std::string, std::pair<double, double>> sums;  // weights, bytes
  double bytes = 0;
  for (const Layer& l : facts.matrices) {
    sums[l.scheme].first += static_cast<double>(l.weights);
    sums[l.scheme].second += static_cast<double>(l.bytes);
    bytes += static_cast<double>(l.bytes);
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [scheme, sum] : sums)
    rows.push_back(
        {escape(scheme, 40), grouped(sum.first), bytes_text(sum.second),
         short_number(8 * sum.second / std::max(1.0, sum.first)),
         bar(sum.second / std::max(1.0, bytes), percent(sum.second / std::max(1.0, bytes), 0))});
  return table({{"Scheme"},
                {"Weights", true},
                {"Bytes", true},
                {"Bits a weight", true},
                {"Share of bytes", true}},
               rows);
}

}  // namespace

std::string layers_section(const Report& report) {
  if (!report.facts || report.facts->matrices.empty()) return "";
  const LayerMap map = map_of(*report.facts);
  std::string out = "<div class=\"scroll\"><table class=\"map\"><thead><tr><th>Layer</th>";
  for (const std::string& kind : map.kinds) out += "<th>" + escape(kind, 24) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& [layer, cells] : map.cells) {
    out += fmt::format("<tr><th>{}</th>", layer);
    for (const std::string& kind : map.kinds) {
      const auto found = cells.find(kind);
      out += found == cells.end() ? "<td></td>" : cell(map, found->second);
    }
    out += "</tr>\n";
  }
  for (const Cell& other : map.others)
    out += fmt::format("<tr><th>{}</th>{}</tr>\n", escape(other.layer.kind, 30), cell(map, other));
  out += "<tr><th>kv cache</th>" + cell(map, cache_cell(*report.facts)) + "</tr>\n";
  out += "</tbody></table></div>\n";
  out += fmt::format(
      "<p class=\"hint\">Colour: {} <span class=\"key\"></span> on a logarithmic scale; hover for "
      "numbers.</p>\n",
      map.measured ? "KL divergence when this unit alone is converted, low to high"
                   : "squared error of the rounded weights, low to high");
  return out + scheme_counts(*report.facts);
}

std::string speed_section(const Report& report) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& row : list(report.bench, {"rows"})) {
    const auto median = number(row, {"tokens_per_s", "median"}),
               share = number(row, {"share_of_roof"});
    if (!median) continue;
    rows.push_back(
        {escape(text(row, {"test"}), 30), grouped(number(row, {"batch"}).value_or(1)),
         grouped(number(row, {"context"}).value_or(0)), grouped(*median),
         fmt::format("{} to {}", grouped(number(row, {"tokens_per_s", "min"}).value_or(*median)),
                     grouped(number(row, {"tokens_per_s", "max"}).value_or(*median))),
         share ? bar(*share, percent(*share, 0)) : "", escape(text(row, {"bound"}), 20),
         escape(text(row, {"scheme"}), 30), escape(text(row, {"activations"}), 20),
         escape(text(row, {"kernel"}), 40)});
  }
  if (rows.empty()) return "";
  const Json& m = map(report.bench, {"machine"});
  std::string roofs =
      fmt::format("{} threads, {}; reads {} GB/s", number(m, {"threads"}).value_or(0),
                  escape(text(m, {"isa"}), 30), short_number(number(m, {"read_gb_s"}).value_or(0)));
  for (const auto& [name, peak] : map(m, {"peaks"}).items())
    if (peak.is_number())
      roofs += fmt::format(", {} {}", escape(name, 30), grouped(peak.get<double>()));
  return fmt::format("<p><b>{}</b>: {}</p>\n", escape(text(m, {"cpu"}), 100), roofs) +
         table({{"Test"},
                {"Batch", true},
                {"Context", true},
                {"Tokens/s", true},
                {"Range", true},
                {"Share of the roof", true},
                {"Bound"},
                {"Scheme"},
                {"Activations"},
                {"Kernel"}},
               rows);
}

std::string memory_section(const Report& report) {
  if (!report.facts) return "";
  const ModelFacts& f = *report.facts;
  auto resident = number(report.eval, {"resident_bytes"});
  if (!resident) resident = number(report.bench, {"resident_bytes"});
  const double weights = resident.value_or(static_cast<double>(f.weights_bytes));
  const double context = static_cast<double>(std::min<std::int64_t>(f.max_positions, 4096));
  const double session = context * static_cast<double>(f.kv_bytes_per_token);
  constexpr double kRest = 100e6;  // buffers and the program, about
  std::vector<std::vector<std::string>> rows;
  for (const double gigabytes : {2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0}) {
    const double memory = gigabytes * 1e9, one = weights + kRest + session;
    rows.push_back({fmt::format("{:.0f} GB", gigabytes), grouped(std::floor(memory / one)),
                    memory > weights + kRest
                        ? grouped(std::floor((memory - weights - kRest) / std::max(1.0, session)))
                        : "0"});
  }
  std::string out = fmt::format(
      "<p>Weights {} in memory{}; keys and values ({}) {} a token, {} for {} tokens.",
      bytes_text(weights), resident ? "" : " (as in the files)",
      escape(f.kv.empty() ? "fp16" : f.kv, 10),
      bytes_text(static_cast<double>(f.kv_bytes_per_token)), bytes_text(session), grouped(context));
  if (const auto peak = number(report.eval, {"peak_rss_bytes"}))
    out += " Peak while evaluating (with the original where compared): " + bytes_text(*peak) + ".";
  return out + "</p>\n" +
         table({{"Memory"},
                {"Such models, each with one conversation", true},
                {"Conversations beside one model", true}},
               rows) +
         fmt::format(
             "<p class=\"hint\">Counted with {} tokens a conversation and 100 MB for the "
             "rest.</p>\n",
             grouped(context));
}

std::string calibration_section(const Report& report) {
  const auto tokens = number(report.artefact, {"calibration", "tokens"});
  std::string out;
  if (tokens && *tokens > 0)
    out += fmt::format("<p>{} tokens, SHA-256 <code>{}</code>.</p>\n", grouped(*tokens),
                       escape(text(report.artefact, {"calibration", "sha256"}), 64));
  if (report.calibrate.is_null()) return out;
  const Json& c = report.calibrate;
  out += fmt::format(
      "<p>Verdict: <b>{}</b>. {} samples, {} tokens, {} different of a vocabulary of {}; {} "
      "repeated.</p>\n",
      escape(text(c, {"verdict"}), 40), grouped(number(c, {"samples"}).value_or(0)),
      grouped(number(c, {"tokens"}).value_or(0)), grouped(number(c, {"distinct"}).value_or(0)),
      grouped(number(c, {"vocabulary"}).value_or(0)), percent(number(c, {"repeated"}).value_or(0)));
  std::string items;
  for (const char* key : {"findings", "notes"})
    for (const Json& finding : list(c, {key})) {
      const std::string line =
          finding.is_string() ? finding.get<std::string>() : text(finding, {"text"});
      items += "<li>" + escape(line.empty() ? finding.dump() : line, 600) + "</li>";
    }
  return out + (items.empty() ? "<p>Nothing speaks against this data.</p>\n"
                              : "<ul>" + items + "</ul>\n");
}

std::string recipe_section(const Report& report) {
  std::string out;
  if (const std::string recipe = text(report.artefact, {"recipe"}); !recipe.empty())
    out += "<pre>" + escape(recipe, 20000) + "</pre>\n";
  std::vector<std::vector<std::string>> rows;
  const auto hash = [](const std::string& h) { return "<code>" + escape(h, 64) + "</code>"; };
  if (const std::string source = text(report.artefact, {"source_sha256"}); !source.empty())
    rows.push_back({"original model", hash(source)});
  if (const auto seed = number(report.artefact, {"seed"}))
    rows.push_back({"seed", fmt::format("{:.0f}", *seed)});
  if (const std::string version = text(report.artefact, {"tool_version"}); !version.empty())
    rows.push_back({"made by Farthing", escape(version, 30)});
  for (const auto& [name, t] : map(report.eval, {"texts"}).items())
    rows.push_back({"text " + escape(name, 80), hash(text(t, {"text_sha256"}))});
  for (const auto& [name, t] : map(report.eval, {"tasks"}).items())
    rows.push_back({"task " + escape(name, 80), hash(text(t, {"file_sha256"}))});
  for (const SourceFile& f : report.files) rows.push_back({escape(f.name, 80), hash(f.sha256)});
  if (rows.empty()) return "";
  return out + table({{"What"}, {"SHA-256, or value"}}, rows);
}

}  // namespace farthing::report
