// What this processor is good at, measured: which precisions it computes natively, and what each
// scheme and mode is worth here against BF16. Measured once and remembered (docs/adr/0032).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "core/progress.h"
#include "io/json.h"

namespace farthing::bench {

struct Precision {
  std::string name;     // "bf16"
  bool native = false;  // multiplied by an instruction of its own, not widened to another first
  std::string method;   // "vdpbf16ps", "widened to fp32"
  double gop_s = 0;
};

struct Worth {
  std::string scheme, activations, kernel;
  double bits = 0;                             // a weight takes in memory
  double decode = 0, prefill = 0;              // speed, BF16 weights in their default mode = 1
  double decode_share = 0, prefill_share = 0;  // of the roof
};

struct Advice {
  // What the measurement is good for: another processor or another build may be faster.
  std::string cpu, isas, program;
  int threads = 0;
  double read_gb_s = 0;
  std::vector<Precision> precisions;
  std::vector<Worth> worths;
};

Advice measure_advice(Runtime& runtime, Progress& progress);

Json advice_json(const Advice& advice);
// Error: bad input, when it is not the JSON of an advice.
Advice advice_from(const Json& json);
std::string advice_text(const Advice& advice);

// $XDG_CACHE_HOME/farthing/machine.json, else ~/.cache/...; "" when neither is set.
std::string advice_path();
// What is remembered for this runtime; nullopt when there is nothing, or it is damaged, or from
// another processor, version, instruction set or number of threads.
std::optional<Advice> remembered_advice(const std::string& path, const Runtime& runtime);
// Names this build by the size and time of its executable.
std::string program_name();
// Best effort: a cache that cannot be written is no error.
void remember_advice(const std::string& path, const Advice& advice);

}  // namespace farthing::bench
