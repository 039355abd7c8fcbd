// The table of verbs: add a verb in verbs/NAME.cc, a declaration here and a row in verbs.cc.
#pragma once

#include <span>
#include <string_view>

#include "cli/options.h"

namespace farthing::cli {

struct Verb {
  std::string_view name, summary;
  void (*add)(VerbOptions& subcommand);
};
std::span<const Verb> verbs();

void add_bench(VerbOptions& verb);
void add_calibrate(VerbOptions& verb);
void add_chat(VerbOptions& verb);
void add_compress(VerbOptions& verb);
void add_convert(VerbOptions& verb);
void add_diff(VerbOptions& verb);
void add_distill(VerbOptions& verb);
void add_eval(VerbOptions& verb);
void add_generate(VerbOptions& verb);
void add_inspect(VerbOptions& verb);
void add_logits(VerbOptions& verb);
void add_render(VerbOptions& verb);
void add_report(VerbOptions& verb);
void add_sensitivity(VerbOptions& verb);
void add_tokenize(VerbOptions& verb);
void add_tune(VerbOptions& verb);
void add_verify(VerbOptions& verb);

}  // namespace farthing::cli
