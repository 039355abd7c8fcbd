#include "core/cpu.h"

#include <sched.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/syscall.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <vector>

#include "core/cgroup.h"
#include "core/error.h"
#include "core/text.h"

namespace farthing {
namespace {

constexpr std::array kIsas = {Isa::kScalar,     Isa::kAvx2,       Isa::kAvxVnni,  Isa::kAvx512,
                              Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmxInt8,  Isa::kAmxBf16,
                              Isa::kNeon,       Isa::kNeonDot,    Isa::kNeonI8mm, Isa::kNeonBf16};
constexpr std::array<std::string_view, kIsas.size()> kNames = {
    "scalar",  "avx2",    "avxvnni", "avx512",  "avx512vnni", "avx512bf16",
    "amxint8", "amxbf16", "neon",    "neondot", "neoni8mm",   "neonbf16"};

std::uint64_t memory_limit(const CgroupLimits& groups) {
  const double physical =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return static_cast<std::uint64_t>(std::min(physical, groups.memory_bytes));
}

std::string cpu_model_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown processor";
}

#if defined(__x86_64__)
// CPUID leaf 7: g++ 12 and clang 19 do not know all of its bits by the same names.
struct Leaf7 {
  unsigned a = 7, b = 0, c = 0, d = 0;
  explicit Leaf7(unsigned sub_leaf) : c(sub_leaf) {
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  }
};

// Linux (5.16 and later) gives the tile registers to those who ask.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

IsaSet detect() {
  IsaSet set;
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
  if (avx2) set.add(Isa::kAvx2);
  if (avx2 && (Leaf7(1).a >> 4 & 1u) != 0) set.add(Isa::kAvxVnni);
  if (avx512) set.add(Isa::kAvx512);
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  if (vnni) set.add(Isa::kAvx512Vnni);
  const bool bf16 = vnni && __builtin_cpu_supports("avx512bf16");
  if (bf16) set.add(Isa::kAvx512Bf16);
  const unsigned tiles = Leaf7(0).d;  // bit 24: tiles, 25: INT8, 22: BF16
  if (bf16 && (tiles >> 24 & 1u) != 0 && may_use_tiles()) {
    if ((tiles >> 25 & 1u) != 0) set.add(Isa::kAmxInt8);
    if ((tiles >> 22 & 1u) != 0) set.add(Isa::kAmxBf16);
  }
  return set;
}
#elif defined(__aarch64__)
IsaSet detect() {
  IsaSet set;
  const unsigned long base = getauxval(AT_HWCAP), more = getauxval(AT_HWCAP2);
  if ((base & HWCAP_ASIMD) == 0) return set;
  set.add(Isa::kNeon);
  if ((base & HWCAP_ASIMDDP) == 0) return set;
  set.add(Isa::kNeonDot);
  if ((more & HWCAP2_I8MM) != 0) set.add(Isa::kNeonI8mm);
  if ((more & HWCAP2_BF16) != 0) set.add(Isa::kNeonBf16);
  return set;
}
#else
IsaSet detect() { return {}; }
#endif

}  // namespace

std::string_view isa_name(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }
std::span<const Isa> known_isas() { return kIsas; }

Isa IsaSet::best() const {
  Isa best = Isa::kScalar;
  for (Isa isa : kIsas)
    if (has(isa)) best = isa;
  return best;
}

IsaSet IsaSet::up_to(Isa isa) const {
  IsaSet set;
  for (Isa other : kIsas) {
    // AVX-VNNI is a branch of its own: a level of AVX-512 does not bring it.
    const bool below = other <= isa && (other != Isa::kAvxVnni || isa == Isa::kAvxVnni);
    if (has(other) && below) set.add(other);
  }
  return set;
}

std::string IsaSet::names() const {
  std::vector<std::string_view> names;
  for (Isa isa : kIsas)
    if (has(isa)) names.push_back(isa_name(isa));
  return join(names, ", ");
}

IsaSet isas_here() {
  static const IsaSet here = detect();
  return here;
}

IsaSet choose_isas(std::string_view name, IsaSet available) {
  if (name.empty()) return available;
  for (Isa isa : kIsas) {
    if (isa_name(isa) != name) continue;
    if (!available.has(isa))
      usage_error("instruction set \"{}\" cannot run on this processor; choose one of: {}", name,
                  available.names());
    return available.up_to(isa);
  }
  usage_error("unknown instruction set \"{}\"; choose one of: {}", printable(name),
              available.names());
}

MachineLimits machine_limits() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  int allowed = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
  const CgroupLimits groups = cgroup_limits();
  if (groups.cpus < allowed) allowed = static_cast<int>(std::ceil(groups.cpus));
  return {.threads = std::max(1, allowed),
          .memory_bytes = memory_limit(groups),
          .cpu_name = cpu_model_name()};
}

}  // namespace farthing
