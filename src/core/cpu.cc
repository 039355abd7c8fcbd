#include "core/cpu.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace farthing {
namespace {

constexpr std::array kIsas = {Isa::kScalar, Isa::kAvx2,       Isa::kAvxVnni,
                              Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16};
constexpr std::array<std::string_view, kIsas.size()> kNames = {
    "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16"};

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// This process's cgroup folder, and each one above it up to the root: any of them may set a limit.
std::vector<std::string> cgroup_folders() {
  std::ifstream file("/proc/self/cgroup");
  std::vector<std::string> folders;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("0::", 0) != 0) continue;
    std::string path = line.substr(3);
    while (true) {
      folders.push_back("/sys/fs/cgroup" + (path == "/" ? "" : path));
      const auto slash = path.rfind('/');
      if (path.empty() || path == "/" || slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  folders.push_back("/sys/fs/cgroup");
  return folders;
}

double number_or(const std::string& text, double otherwise) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? otherwise : value;
}

double cpu_quota() {
  double quota = INFINITY;
  for (const auto& folder : cgroup_folders()) {
    const auto fields = split(first_line(folder + "/cpu.max"), ' ');
    if (fields.size() == 2 && fields[0] != "max")
      quota = std::min(quota, number_or(fields[0], INFINITY) / number_or(fields[1], 100000));
  }
  const double v1 = number_or(first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), -1);
  const double period = number_or(first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us"), 100000);
  return v1 > 0 ? std::min(quota, v1 / period) : quota;
}

std::uint64_t memory_limit() {
  double bytes =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  for (const auto& folder : cgroup_folders())
    bytes = std::min(bytes, number_or(first_line(folder + "/memory.max"), INFINITY));
  bytes = std::min(bytes,
                   number_or(first_line("/sys/fs/cgroup/memory/memory.limit_in_bytes"), INFINITY));
  return static_cast<std::uint64_t>(bytes);
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
  const double quota = cpu_quota();
  if (quota < allowed) allowed = std::max(1, static_cast<int>(std::ceil(quota)));
  return {.threads = std::max(1, allowed),
          .memory_bytes = memory_limit(),
          .cpu_name = cpu_model_name()};
}

}  // namespace farthing
