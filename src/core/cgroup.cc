// Formats: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/; proc(5), cgroups(7).
#include "core/cgroup.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "core/text.h"

namespace farthing {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

double number_or(const std::string& text, double otherwise) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return end == text.c_str() ? otherwise : value;
}

// Calls body(folder) for mount + path and each folder around it, up to the mount. In a container
// the path may name a place outside of it: what is not there sets no limit.
template <class Body>
void for_each_folder(const std::string& mount, std::string path, const Body& body) {
  while (!path.empty() && path != "/") {
    body(mount + path);
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  body(mount);
}

void read_v2(const std::string& folder, CgroupLimits& limits) {
  const std::vector<std::string> cpu = split(first_line(folder + "/cpu.max"), ' ');
  if (cpu.size() == 2 && cpu[0] != "max") {
    const double quota = number_or(cpu[0], 0), period = number_or(cpu[1], 100000);
    if (quota > 0 && period > 0) limits.cpus = std::min(limits.cpus, quota / period);
  }
  limits.memory_bytes =
      std::min(limits.memory_bytes, number_or(first_line(folder + "/memory.max"), INFINITY));
}

void read_v1_cpu(const std::string& folder, CgroupLimits& limits) {
  const double quota = number_or(first_line(folder + "/cpu.cfs_quota_us"), -1);
  const double period = number_or(first_line(folder + "/cpu.cfs_period_us"), 100000);
  if (quota > 0 && period > 0) limits.cpus = std::min(limits.cpus, quota / period);
}

void read_v1_memory(const std::string& folder, CgroupLimits& limits) {
  limits.memory_bytes = std::min(
      limits.memory_bytes, number_or(first_line(folder + "/memory.limit_in_bytes"), INFINITY));
}

}  // namespace

CgroupLimits cgroup_limits(const std::string& root) {
  CgroupLimits limits;
  const std::string mount = root + "/sys/fs/cgroup";
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // "0::/path" of version 2; "4:cpu,cpuacct:/path" of version 1, mounted by either name.
    const auto colon = line.find(':'), second = line.find(':', colon + 1);
    if (colon == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(colon + 1, second - colon - 1);
    const std::string path = line.substr(second + 1);
    if (names.empty()) {
      for (const char* place : {"", "/unified"})
        for_each_folder(mount + place, path, [&](const std::string& f) { read_v2(f, limits); });
      continue;
    }
    for (const std::string& name : split(names, ',')) {
      if (name != "cpu" && name != "memory") continue;
      for (const std::string& place : {names, name})
        for_each_folder(mount + "/" + place, path, [&](const std::string& f) {
          name == "cpu" ? read_v1_cpu(f, limits) : read_v1_memory(f, limits);
        });
    }
  }
  return limits;
}

}  // namespace farthing
