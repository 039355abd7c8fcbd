// What control groups allow this process (Linux, versions 1 and 2, and both at once).
#pragma once

#include <cmath>
#include <string>

namespace farthing {

struct CgroupLimits {
  double cpus = INFINITY;  // processors' worth of time: quota / period
  double memory_bytes = INFINITY;
};

// The lowest limits of this process's groups and of all groups around them. `root` stands before
// /proc and /sys: tests have trees of their own.
CgroupLimits cgroup_limits(const std::string& root = "");

}  // namespace farthing
