// The table of verbs: add a verb in verbs/NAME.cc, a declaration here and a row in verbs.cc.
#pragma once

#include <CLI/App.hpp>
#include <span>
#include <string_view>

namespace farthing::cli {

struct Verb {
  std::string_view name, summary;
  void (*add)(CLI::App& subcommand);
};
std::span<const Verb> verbs();

void add_bench(CLI::App& verb);
void add_calibrate(CLI::App& verb);
void add_chat(CLI::App& verb);
void add_compress(CLI::App& verb);
void add_convert(CLI::App& verb);
void add_diff(CLI::App& verb);
void add_distill(CLI::App& verb);
void add_eval(CLI::App& verb);
void add_generate(CLI::App& verb);
void add_inspect(CLI::App& verb);
void add_logits(CLI::App& verb);
void add_render(CLI::App& verb);
void add_report(CLI::App& verb);
void add_sensitivity(CLI::App& verb);
void add_tokenize(CLI::App& verb);
void add_tune(CLI::App& verb);
void add_verify(CLI::App& verb);

}  // namespace farthing::cli
