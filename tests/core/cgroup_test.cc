// Limits of control groups, read from trees like those that kernels and containers show.
#include "core/cgroup.h"

#include <gtest/gtest.h>

#include "tests/io/files.h"

namespace farthing {
namespace {

struct Tree {
  io::TempDir dir;
  void add(const std::string& path, const std::string& text) const { dir.write(path, text + "\n"); }
  CgroupLimits limits() const { return cgroup_limits(dir.path()); }
};

TEST(Cgroup, WithoutGroupsThereIsNoLimit) {
  const Tree tree;
  EXPECT_EQ(tree.limits().cpus, INFINITY);
  EXPECT_EQ(tree.limits().memory_bytes, INFINITY);
}

TEST(Cgroup, Version2TakesTheLowestLimitOnTheWayUp) {
  const Tree tree;
  tree.add("proc/self/cgroup", "0::/a/b");
  tree.add("sys/fs/cgroup/a/b/cpu.max", "max 100000");
  tree.add("sys/fs/cgroup/a/cpu.max", "150000 100000");
  tree.add("sys/fs/cgroup/a/b/memory.max", "64000000");
  tree.add("sys/fs/cgroup/a/memory.max", "128000000");
  EXPECT_EQ(tree.limits().cpus, 1.5);
  EXPECT_EQ(tree.limits().memory_bytes, 64e6);
}

TEST(Cgroup, Version2InAContainerShowsItsOwnGroupAsTheRoot) {
  const Tree tree;
  tree.add("proc/self/cgroup", "0::/");
  tree.add("sys/fs/cgroup/cpu.max", "50000 100000");
  tree.add("sys/fs/cgroup/memory.max", "max");
  EXPECT_EQ(tree.limits().cpus, 0.5);
  EXPECT_EQ(tree.limits().memory_bytes, INFINITY);
}

TEST(Cgroup, Version1HasAHierarchyAController) {
  const Tree tree;
  tree.add("proc/self/cgroup", "4:memory:/job/7\n3:cpu,cpuacct:/job/7\n0::/");
  tree.add("sys/fs/cgroup/cpu,cpuacct/job/7/cpu.cfs_quota_us", "-1");
  tree.add("sys/fs/cgroup/cpu,cpuacct/job/7/cpu.cfs_period_us", "100000");
  tree.add("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "200000");
  tree.add("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "50000");
  tree.add("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  tree.add("sys/fs/cgroup/memory/job/7/memory.limit_in_bytes", "1000000");
  EXPECT_EQ(tree.limits().cpus, 4);
  EXPECT_EQ(tree.limits().memory_bytes, 1e6);
}

TEST(Cgroup, Version1InAContainerNamesAPathThatIsOutside) {
  const Tree tree;
  tree.add("proc/self/cgroup", "3:cpu:/docker/0123456789");
  tree.add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000");
  tree.add("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(tree.limits().cpus, 1);
}

TEST(Cgroup, NonsenseSetsNoLimit) {
  const Tree tree;
  tree.add("proc/self/cgroup", "no colons\n0::/\n5:cpu:");
  tree.add("sys/fs/cgroup/cpu.max", "0 0");
  tree.add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "many");
  EXPECT_EQ(tree.limits().cpus, INFINITY);
}

}  // namespace
}  // namespace farthing
