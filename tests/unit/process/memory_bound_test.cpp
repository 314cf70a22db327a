// What the kernel says of a control group's memory, as containers, units and namespaces show it.
#include "daemon/process/memory_bound.hpp"

#include <gtest/gtest.h>

namespace dupwatch::process {
namespace {

using Files = std::vector<std::string>;

constexpr std::string_view kUnified =
    "24 30 0:22 / /proc rw - proc proc rw\n"
    "29 28 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(MemoryBound, ThreeGroupsOfAUnitAreLookedAt) {
  EXPECT_EQ(memory_limit_files("0::/system.slice/dupwatch.service\n", kUnified),
            (Files{"/sys/fs/cgroup/system.slice/dupwatch.service/memory.max",
                   "/sys/fs/cgroup/system.slice/memory.max", "/sys/fs/cgroup/memory.max"}));
}

TEST(MemoryBound, AContainerSeesItsOwnGroupAsTheRoot) {
  EXPECT_EQ(memory_limit_files("0::/\n", kUnified), (Files{"/sys/fs/cgroup/memory.max"}));
  // Entered from outside of its namespace.
  EXPECT_EQ(memory_limit_files("0::/../../other\n", kUnified), (Files{"/sys/fs/cgroup/memory.max"}));
}

TEST(MemoryBound, WhatIsMountedMayBeginBelowTheRoot) {
  EXPECT_EQ(memory_limit_files("4:memory:/docker/abc/inner\n",
                               "9 8 0:1 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"),
            (Files{"/sys/fs/cgroup/memory/inner/memory.limit_in_bytes",
                   "/sys/fs/cgroup/memory/memory.limit_in_bytes"}));
  // Another's path than ours: a bind mount of somebody else's group.
  EXPECT_EQ(memory_limit_files("4:memory:/docker/xyz\n",
                               "9 8 0:1 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"),
            (Files{"/sys/fs/cgroup/memory/memory.limit_in_bytes"}));
}

TEST(MemoryBound, OfVersionOneOnlyTheMemoryControllerCounts) {
  const std::string_view mounts =
      "9 8 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "10 8 0:2 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,hugetlb,memory\n"
      "11 8 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(memory_limit_files("8:pids:/\n4:hugetlb,memory:/a\n1:cpu:/b\n0::/\n", mounts),
            (Files{"/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                   "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/unified/memory.max"}));
}

TEST(MemoryBound, NothingIsMadeOfNonsense) {
  EXPECT_TRUE(memory_limit_files("", "").empty());
  EXPECT_TRUE(memory_limit_files("0::/a\n", "no mount\n1 2 - cgroup2\n").empty());
  EXPECT_TRUE(memory_limit_files("garbage\n:\n", kUnified).empty());
}

TEST(MemoryBound, ALimitIsANumber) {
  EXPECT_EQ(parse_memory_limit("268435456\n"), 268'435'456U);
  for (const auto* none :
       {"", "max\n", "9223372036854771712\n", "-1\n", "12 kB\n", "18446744073709551616\n"}) {
    EXPECT_EQ(parse_memory_limit(none), std::nullopt) << none;
  }
}

TEST(MemoryBound, WhatIsMappedAndNotTouchedCostsNothing) {
  constexpr std::uint64_t kMiB = 1U << 20U;
  // 24 MiB are kept for what the group is charged besides.
  EXPECT_EQ(data_limit(256 * kMiB, 100 * kMiB, 20 * kMiB), (100 + 256 - 20 - 24) * kMiB);
  EXPECT_EQ(data_limit(16 * kMiB, 100 * kMiB, 20 * kMiB), 100 * kMiB) << "full already: no more";
}

}  // namespace
}  // namespace dupwatch::process
