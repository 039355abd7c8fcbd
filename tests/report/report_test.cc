// The page as text, without a browser (tests/cli/report_test.cc opens it in one).
#include "report/report.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "core/error.h"
#include "report/facts.h"
#include "report/html.h"
#include "tests/report/fixture.h"

namespace farthing::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Report everything(const std::string& name) {
  const io::TempDir dir;
  write_folder(dir, name);
  return read_report(dir.path(), {});
}

TEST(ReportPage, ShowsEveryKindOfResult) {
  const std::string page = html_page(everything("name"));
  for (const char* id : {"pareto", "layers", "divergence", "tasks", "flips", "answers", "speed",
                         "memory", "calibration", "recipe"})
    EXPECT_THAT(page, HasSubstr("<section id=\"" + std::string(id) + "\">"));
  for (const char* said : {"0.0123", "95 %: 0.0100 to 0.0146", "93.2 %", "+7.50 %",
                           "321<small> tokens/s", "93 % of the roof", "43.8 %", "w3g16-asym",
                           "-2.50 %", "Verdict: <b>warn</b>", "aa11", "12.5 %"})
    EXPECT_THAT(page, HasSubstr(said));
}

TEST(ReportPage, ShowsWhatTrainingBrought) {
  const Report report = everything("name");
  const std::string page = html_page(report);
  EXPECT_THAT(page, HasSubstr("<section id=\"training\">"));
  EXPECT_THAT(page, HasSubstr("800 steps of 1\u202f024 tokens; trained: <b>allname</b>; by the "
                              "forward divergence from the model with hash <code>cc33</code>, 25 % "
                              "of the loss from the text itself; text <code>ee55</code>"));
  const auto row = [](std::initializer_list<const char*> cells) {
    std::string html;
    for (const char* cell : cells) html += "<td class=\"n\">" + std::string(cell) + "</td>";
    return html + "</tr>";
  };
  // (64 - 56) of (64 - 54)
  EXPECT_THAT(page, HasSubstr("<td>Hname</td>" + row({"54.0", "64.0", "56.0", "80 %", "0.250",
                                                      "0.0625", "64.1 %", "78.7 %"})));
  EXPECT_THAT(page, HasSubstr("<td>late</td>" + row({"", "", "33.3", "", "", "", "", ""})));
  EXPECT_THAT(markdown(report),
              HasSubstr("| Hname | 64.0 → 56.0 | 54.0 | 0.250 → 0.0625 | 80 % |"));
  EXPECT_EQ(report_json(report)["distill"]["steps"], 800);
}

TEST(ReportPage, TakesTheQualityFromTrainingWhereNothingElseMeasuredIt) {
  const io::TempDir dir;
  write_folder(dir, "name");
  for (const char* file : {"farthing.eval.json", "farthing.tune.json"})
    std::filesystem::remove(dir.path(file));
  EXPECT_EQ(report_json(read_report(dir.path(), {}))["headline"]["kld"], 0.0625);
  std::filesystem::remove(dir.path("farthing.distill.json"));
  const Report report = read_report(dir.path(), {});
  EXPECT_THAT(html_page(report), HasSubstr("was not measured: give distill a text"));
  EXPECT_FALSE(report_json(report)["headline"].contains("kld"));
}

TEST(ReportPage, MapHasTheCacheAndSetsOfExperts) {
  Report report;
  report.name = "moe";
  ModelFacts& facts = report.facts.emplace();
  facts.kv = "int8";
  facts.kv_bytes_per_token = 640;
  for (int expert = 0; expert < 3; ++expert)
    for (const char* slot : {"gate_proj", "up_proj"}) {
      Layer& layer = facts.matrices.emplace_back();
      layer.name = "model.layers.0.mlp.experts." + std::to_string(expert) + "." + slot;
      layer.kind = kind_of(layer.name);
      layer.layer = 0;
      layer.bytes = 100;
      layer.scheme = expert == 2 && layer.kind == "experts.up" ? "w8g64" : "w4g64";
    }
  Layer& shared = facts.matrices.emplace_back();
  shared.kind = kind_of("model.layers.0.mlp.shared_experts.up_proj");
  EXPECT_EQ(shared.kind, "up");
  EXPECT_EQ(kind_of("model.layers.0.mlp.gate_proj.rows.2"), "gate.rows.2");
  add_sensitivities(facts, Json::parse(R"({"layers": [
{"name": "model.layers.0.mlp.experts.0.gate_proj", "kld": 0.25}, {"name": "kv", "kld": 0.5}]})"),
                    Json());
  EXPECT_EQ(facts.matrices[4].sensitivity, 0.25);  // of the last expert's gate
  const std::string page = html_page(report);
  EXPECT_THAT(page, HasSubstr("<th>experts.gate</th>"));
  EXPECT_THAT(page, HasSubstr("w4g64 &times; 3"));
  EXPECT_THAT(page, HasSubstr("mixed &times; 3"));
  EXPECT_THAT(page, HasSubstr("and 2 more, 300 B, KL 0.25"));
  EXPECT_THAT(page, HasSubstr("<tr><th>kv cache</th><td class=\"cell\""));
  EXPECT_THAT(page, HasSubstr("KL 0.5"));
}

TEST(ReportPage, FetchesNothingAndRunsOnlyItsOwnScripts) {
  const std::string page = html_page(everything("name"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("script-src 'sha256-"));
  for (const char* outside : {"<link", "src=\"", "@import", "url(http", "fetch(", "XMLHttpRequest"})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  EXPECT_THAT(page, HasSubstr("Permission is hereby granted"));  // the licence of what it embeds
}

TEST(ReportPage, HostileNamesStayText) {
  const std::string page = html_page(everything(kHostile));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(
      page,
      HasSubstr("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;\\u202e\\u0007&quot;&#39;&amp;"));
  EXPECT_THAT(page, Not(HasSubstr("\u202e")));
  EXPECT_THAT(page, HasSubstr("\\u003c/script\\u003e"));  // in the numbers of the charts
  std::size_t scripts = 0;
  for (std::size_t at = 0; (at = page.find("</script>", at)) != std::string::npos; ++at) ++scripts;
  EXPECT_EQ(scripts, 3u);
  EXPECT_THAT(markdown(everything("|a|<b>`")), HasSubstr("\\|a\\|\\<b\\>\\`"));
}

TEST(ReportPage, IsUsefulWithAnySubset) {
  for (const char* only : {"farthing.eval.json", "farthing.bench.json", "farthing.tune.json",
                           "farthing.calibrate.json", "farthing.distill.json",
                           "farthing.training.json", "farthing.json", "config.json"}) {
    const io::TempDir dir;
    write_folder(dir);
    for (const auto& file : std::filesystem::directory_iterator(dir.path()))
      if (const std::string name = file.path().filename(); name.ends_with(".json") &&
                                                           name != only && name != "config.json" &&
                                                           name != "farthing.json")
        std::filesystem::remove(file.path());
    const Report report = read_report(dir.path(), {});
    EXPECT_THAT(html_page(report), HasSubstr("<section id=\"layers\">")) << only;
    EXPECT_THAT(markdown(report), HasSubstr("# ")) << only;
  }
  // Results without a model: what could not be read is said.
  const io::TempDir dir;
  dir.write("farthing.eval.json", eval_json("x"));
  const Report report = read_report(dir.path(), {});
  EXPECT_EQ(report.notes.size(), 1u);
  EXPECT_THAT(html_page(report), HasSubstr("could not be read"));
  EXPECT_EQ(report_json(report)["headline"]["kld"], 0.0123);
}

// Whatever is missing or of another kind is left out.
TEST(ReportPage, ValuesOfAnotherKindAreLeftOut) {
  const std::string values[] = {"null", "[]", "{}", "\"x\"", "-1", "[[1]]", "{\"a\": 1}"};
  for (const std::string& value : values) {
    const io::TempDir dir;
    dir.write("farthing.eval.json", "{\"texts\": {\"t\": " + value + "}, \"tasks\": " + value +
                                        ", \"flips\": {\"t\": " + value + "}, \"generation\": " +
                                        value + ", \"resident_bytes\": " + value + "}");
    dir.write("farthing.bench.json", "{\"machine\": " + value + ", \"rows\": [" + value + "]}");
    dir.write("farthing.tune.json", "{\"walk\": [" + value + "], \"pareto\": [" + value +
                                        "], \"layers\": [" + value + "], \"uniform\": " + value +
                                        "}");
    dir.write("farthing.calibrate.json",
              "{\"verdict\": " + value + ", \"findings\": [" + value + "]}");
    dir.write("farthing.distill.json",
              "{\"trained\": 1, \"first\": 1, \"last\": 1, \"before\": {\"t\": " + value +
                  "}, \"after\": {\"t\": " + value + ", \"u\": {\"kld\": " + value + "}}}");
    dir.write("farthing.training.json", "{\"teacher_sha256\": " + value +
                                            ", \"student_sha256\": 1, \"steps\": 3, "
                                            "\"tokens_a_step\": 4, \"loss\": " +
                                            value + ", \"labels\": " + value + "}");
    const Report report = read_report(dir.path(), {});
    EXPECT_NO_THROW(html_page(report)) << value;
    EXPECT_NO_THROW(markdown(report)) << value;
    EXPECT_NO_THROW(report_json(report)) << value;
  }
}

TEST(ReportPage, TakesFurtherResultsAndRefusesOthers) {
  const io::TempDir dir;
  write_folder(dir);
  const std::string later = dir.write("later.json", eval_json("later"));
  const Report report = read_report(dir.path(), {later});
  EXPECT_TRUE(report.eval["texts"].contains("Tlater"));
  for (const char* text : {"{}", "[1]", "{\"results\": {}}", "nonsense"})
    EXPECT_THROW(read_report(dir.path(), {dir.write("other.json", text)}), Error) << text;
  EXPECT_THROW(read_report(dir.path("missing"), {}), Error);
  EXPECT_THROW(read_report(later, {}), Error);
  const io::TempDir empty;
  EXPECT_THROW(read_report(empty.path(), {}), Error);
  dir.write("farthing.bench.json", "{}");
  EXPECT_THROW(read_report(dir.path(), {}), Error);
}

TEST(Escape, KeepsTextAndShowsWhatActs) {
  EXPECT_EQ(escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape("caf\u00e9 \u611b"), "caf\u00e9 \u611b");
  EXPECT_EQ(escape(std::string("\x1b[2J\0x", 6)), "\\u001b[2J\\u0000x");
  EXPECT_EQ(escape("\xff"), "\ufffd");
  EXPECT_EQ(escape("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace farthing::report
