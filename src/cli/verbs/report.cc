// farthing report OUT [--out F.html]: one page that shows what is known about a model.
#include "report/report.h"

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"
#include "io/durable_file.h"

namespace farthing::cli {
namespace {

struct Options {
  Common common;
  std::string model, out, markdown;
  std::vector<std::string> more;
};

void run(const Options& o) {
  const report::Report r = report::read_report(o.model, o.more);
  const std::string out = !o.out.empty() ? o.out : o.model + "/report.html";
  const std::string page = report::html_page(r);
  io::write_durably(out, page);
  if (!o.markdown.empty()) io::write_durably(o.markdown, report::markdown(r));
  std::string kinds;
  for (const report::SourceFile& file : r.files) kinds += (kinds.empty() ? "" : ", ") + file.kind;
  print(o.common, fmt::format("{}: {} from {}\n", printable(out, 400), human_bytes(page.size()),
                              kinds.empty() ? "the weights alone" : kinds));
  for (const std::string& note : r.notes) print(o.common, note + "\n");
  write_json(o.common, report::report_json(r));
}

}  // namespace

void add_report(VerbOptions& verb) {
  auto o = std::make_shared<Options>();
  verb.add_option("OUT", o->model, "Directory of a model, as compress or tune wrote it")
      ->required();
  verb.add_option("--out", o->out, "The HTML file (default: OUT/report.html)");
  verb.add_option("--markdown", o->markdown, "Also write a model card in Markdown");
  verb.add_option(
      "--with", o->more,
      "Further results that other verbs wrote with --json; their kind is told by what is "
      "in them; may be given several times");
  add_common(verb, o->common);
  verb.callback([o] { run(*o); });
}

}  // namespace farthing::cli
