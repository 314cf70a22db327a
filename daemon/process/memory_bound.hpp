#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Memory that a control group allows. Above it the kernel kills; below it malloc fails, which every path of
/// dupwatch survives: a row that does not fit is stepped over and declared.
namespace dupwatch::process {

/// Where the limits of this process' group and of those above it are written, by the kernel's word:
/// /proc/self/cgroup and /proc/self/mountinfo (cgroups(7), proc_pid_mountinfo(5)). Of version 2 and of
/// version 1's memory controller. Pure.
[[nodiscard]] std::vector<std::string> memory_limit_files(std::string_view cgroup,
                                                          std::string_view mountinfo);
/// Bytes; nullopt for "max", for version 1's number without meaning, and for what is no number. Pure.
[[nodiscard]] std::optional<std::uint64_t> parse_memory_limit(std::string_view text);

/// What of the group's limit is left to anonymous memory, given what the process has of it (VmData and
/// RssAnon of /proc/self/status, in bytes): the value of RLIMIT_DATA that makes malloc fail before the group
/// is full. Pure.
[[nodiscard]] std::uint64_t data_limit(std::uint64_t group_limit, std::uint64_t vm_data,
                                       std::uint64_t rss_anon) noexcept;

/// The smallest limit of this process' control groups, in bytes; nullopt where there is none.
[[nodiscard]] std::optional<std::uint64_t> group_memory_limit();

/// Keeps RLIMIT_DATA below what the control group allows. A limit that is lower already stays.
class MemoryBound {
 public:
  MemoryBound();
  /// For what is in use by now. Cheap enough for each new stream; does nothing without a group's limit.
  void renew() const;
  [[nodiscard]] const std::optional<std::uint64_t>& group_limit() const noexcept { return group_; }

 private:
  std::optional<std::uint64_t> group_;
  std::uint64_t inherited_;
};

}  // namespace dupwatch::process
