// The command line: one verb a file. Errors become one sentence and an exit code here, nowhere
// else.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <new>

#include "cli/common.h"
#include "cli/shrunk_file.h"
#include "cli/verbs.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing::cli {
namespace {

// One sentence for a command line that was not understood; `given` stands where the verb should.
[[noreturn]] void refuse(const CLI::ParseError& error, std::string_view given) {
  std::string names;
  for (const Verb& known : verbs()) {
    if (known.name == given)
      usage_error("{}; see `farthing {} --help`", printable(error.what(), 400), known.name);
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  if (given.empty()) usage_error("a verb is needed: {}; see `farthing --help`", names);
  usage_error("there is no verb {}; known: {}", printable(given), names);
}

int run(int argc, char** argv) {
  CLI::App app("Farthing makes language models small and fast on CPUs, and proves what that cost.",
               "farthing");
  app.set_version_flag("--version", "farthing " FARTHING_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Models: a Hugging Face directory, a .gguf file, a directory that Farthing wrote, or "
      "org/name in the\n"
      "local Hugging Face cache. `farthing VERB --help` lists a verb's options.");
  for (const Verb& verb : verbs()) {
    VerbOptions options(*app.add_subcommand(std::string(verb.name), std::string(verb.summary)));
    verb.add(options);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done);
  } catch (const CLI::ConversionError& error) {  // "Could not convert: --threads = x"
    const std::string_view what = error.what();
    const std::size_t colon = what.find(": ");
    usage_error("{} is not a value of that option; see `farthing {} --help` for its type",
                printable(what.substr(colon == what.npos ? 0 : colon + 2), 400), argv[1]);
  } catch (const CLI::ParseError& error) {
    refuse(error, argc > 1 && argv[1][0] != '-' ? argv[1] : "");
  }
  return 0;
}

}  // namespace
}  // namespace farthing::cli

int main(int argc, char** argv) {
  using farthing::Fault;
  farthing::cli::report_shrunk_files();
  try {
    return farthing::cli::run(argc, argv);
  } catch (const farthing::Error& error) {
    fmt::print(stderr, "farthing: {}\n", error.what());
    return static_cast<int>(error.fault);
  } catch (const std::bad_alloc&) {
    fmt::print(
        stderr,
        "farthing: not enough memory for this; see `farthing inspect` for what a model needs\n");
    return static_cast<int>(Fault::kResources);
  } catch (const std::exception& error) {
    fmt::print(stderr, "farthing: internal error: {}\n", error.what());
    return static_cast<int>(Fault::kInternal);
  }
}
