// What this processor can do, and how much of the machine this process may use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace farthing {

// Instruction set levels that kernels are written for. Each includes those its row names.
enum class Isa : std::uint8_t {
  kScalar,
  kAvx2,
  kAvxVnni,
  kAvx512,
  kAvx512Vnni,
  kAvx512Bf16,
  kAmxInt8,
  kAmxBf16,
  kNeon,
  kNeonDot,   // dotprod
  kNeonI8mm,  // and i8mm
  kNeonBf16   // and bf16
};

std::string_view isa_name(Isa isa);
std::span<const Isa> known_isas();  // ascending

// The set of levels that may run. A kernel table takes its first row whose level is in the set.
class IsaSet {
 public:
  void add(Isa isa) { bits_ |= bit(isa); }
  void remove(Isa isa) { bits_ &= ~bit(isa); }
  bool has(Isa isa) const { return (bits_ & bit(isa)) != 0; }
  Isa best() const;             // the highest level in the set
  IsaSet up_to(Isa isa) const;  // what may run when `isa` is forced
  std::string names() const;    // "scalar, avx2, avx512"

 private:
  static std::uint32_t bit(Isa isa) { return 1u << static_cast<unsigned>(isa); }
  std::uint32_t bits_ = 1;  // scalar runs everywhere
};

// Detected once: processor flags and the operating system's support for the registers.
IsaSet isas_here();

// The set after forcing `name` ("" = nothing forced). Error: usage, when the name is unknown or
// cannot run here; the message lists what can.
IsaSet choose_isas(std::string_view name, IsaSet available);

struct MachineLimits {
  int threads = 1;                 // by affinity mask and cgroup quota, never the host's count
  std::uint64_t memory_bytes = 0;  // the lower of physical memory and the cgroup's limit
  std::string cpu_name;
};
MachineLimits machine_limits();

}  // namespace farthing
