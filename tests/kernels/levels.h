// The instruction sets whose kernels are tested by this program.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "core/cpu.h"

namespace farthing::kernels {

// Whether kernels of the level are built into this program.
constexpr bool is_built(Isa isa) {
#if defined(__x86_64__)
  return isa < Isa::kNeon;
#elif defined(__aarch64__)
  return isa == Isa::kScalar || isa >= Isa::kNeon;
#else
  return isa == Isa::kScalar;
#endif
}

// Compiled against an emulation in tests/emulated.
constexpr bool is_emulated([[maybe_unused]] Isa isa) {
#if defined(FARTHING_EMULATED)
  return is_built(isa) && isa > Isa::kAvx2;
#else
  return false;
#endif
}

// What can run here: what this processor has, and what is emulated.
inline IsaSet runnable_isas() {
  IsaSet set = isas_here();
  for (const Isa isa : known_isas())
    if (is_emulated(isa)) set.add(isa);
  return set;
}

// Whether a level's kernels are this program's business: all that can run, or the emulated ones.
inline bool is_tested(Isa isa) {
#if defined(FARTHING_EMULATED)
  return is_emulated(isa);
#else
  return isas_here().has(isa);
#endif
}

// Whether tests of the level are listed, to run or to be skipped with a note: a program of emulated
// levels lists no others.
inline bool is_listed([[maybe_unused]] Isa isa) {
#if defined(FARTHING_EMULATED)
  return is_emulated(isa);
#else
  return is_built(isa);
#endif
}

// Those of the levels that are tested; says which are not.
inline std::vector<Isa> tested(std::initializer_list<Isa> isas) {
  std::vector<Isa> found;
  for (Isa isa : isas) {
    if (!is_built(isa)) continue;
    if (is_tested(isa))
      found.push_back(isa);
    else
      std::fprintf(stderr, "NOTE: %s is not tested here\n", std::string(isa_name(isa)).c_str());
  }
  return found;
}

// The levels that elementwise kernels tell apart: scalar, which others are compared with, then
// those that are tested.
inline std::vector<Isa> with_scalar(std::vector<Isa> found) {
  found.insert(found.begin(), Isa::kScalar);
  return found;
}
inline std::vector<Isa> levels() {
  return with_scalar(tested({Isa::kAvx2, Isa::kAvx512, Isa::kNeon}));
}
// Those that attention does.
inline std::vector<Isa> attention_levels() {
  return with_scalar(tested({Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kNeon,
                             Isa::kNeonDot, Isa::kNeonI8mm}));
}

}  // namespace farthing::kernels
