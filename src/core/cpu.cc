#include "core/cpu.h"

#include <sched.h>
#include <unistd.h>

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

constexpr std::array kIsas = {Isa::kScalar, Isa::kAvx2,       Isa::kAvxVnni,
                              Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16};
constexpr std::array<std::string_view, kIsas.size()> kNames = {
    "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16"};

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
  static const IsaSet here = [] {
    IsaSet set;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("f16c");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq");
    if (avx2) set.add(Isa::kAvx2);
    // g++ 12 and clang 19 agree on this name only by the CPUID leaf: 7, sub-leaf 1, EAX bit 4.
    unsigned a = 7, b = 0, c = 1, d = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (avx2 && (a >> 4 & 1u) != 0) set.add(Isa::kAvxVnni);
    if (avx512) set.add(Isa::kAvx512);
    const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
    if (vnni) set.add(Isa::kAvx512Vnni);
    if (vnni && __builtin_cpu_supports("avx512bf16")) set.add(Isa::kAvx512Bf16);
#endif
    return set;
  }();
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
