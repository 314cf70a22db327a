#include "daemon/process/memory_bound.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace dupwatch::process {
namespace {

// What the group is charged for besides: socket buffers, page tables, stacks, a log line in flight.
constexpr std::uint64_t kReserve = std::uint64_t{24} << 20U;
// Version 1 writes a number near this when there is no limit (PAGE_COUNTER_MAX in bytes).
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60U;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool contains(std::string_view list, std::string_view word) {
  const auto words = split(list, ',');
  return std::ranges::find(words, word) != words.end();
}

/// A line of mountinfo that mounts control groups with their memory in it.
struct Mount {
  std::string_view root;
  std::string_view point;
  bool unified = false;
};

std::optional<Mount> parse_mount(std::string_view line) {
  const auto separator = line.find(" - ");
  if (separator == std::string_view::npos) return std::nullopt;
  const auto before = split(line.substr(0, separator), ' ');
  const auto after = split(line.substr(separator + 3), ' ');
  if (before.size() < 5 || after.size() < 3) return std::nullopt;
  const bool unified = after[0] == "cgroup2";
  if (!unified && (after[0] != "cgroup" || !contains(after[2], "memory"))) return std::nullopt;
  return Mount{.root = before[3], .point = before[4], .unified = unified};
}

/// Adds the files of `path` below `mount` and of all groups above it.
void add_files(std::vector<std::string>& files, const Mount& mount, std::string_view path) {
  // In a namespace of its own the group is the root of what is mounted.
  std::string_view below;
  if (mount.root == "/") {
    below = path;
  } else if (path.starts_with(mount.root)) {
    below = path.substr(mount.root.size());
  }
  if (below.find("..") != std::string_view::npos) below = {};
  while (below.ends_with('/')) below.remove_suffix(1);
  const auto* name = mount.unified ? "/memory.max" : "/memory.limit_in_bytes";
  for (;;) {
    files.push_back(std::string{mount.point} + std::string{below} + name);
    if (below.empty()) return;
    below = below.substr(0, below.rfind('/'));
  }
}

std::string contents(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// "VmData:  1234 kB" of /proc/self/status in bytes.
std::uint64_t status_bytes(std::string_view status, std::string_view name) {
  const auto at = status.find(name);
  if (at == std::string_view::npos) return 0;
  auto text = status.substr(at + name.size());
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  std::uint64_t kilobytes = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), kilobytes);
  return kilobytes << 10U;
}

}  // namespace

std::vector<std::string> memory_limit_files(std::string_view cgroup, std::string_view mountinfo) {
  std::vector<std::string> files;
  for (const auto line : split(mountinfo, '\n')) {
    const auto mount = parse_mount(line);
    if (!mount) continue;
    // "0::/path" of version 2, "4:memory:/path" of version 1.
    for (const auto group : split(cgroup, '\n')) {
      const auto first = group.find(':');
      const auto second = group.find(':', first + 1);
      if (second == std::string_view::npos) continue;
      const auto controllers = group.substr(first + 1, second - first - 1);
      if (mount->unified ? !controllers.empty() : !contains(controllers, "memory")) continue;
      add_files(files, *mount, group.substr(second + 1));
    }
  }
  return files;
}

std::optional<std::uint64_t> parse_memory_limit(std::string_view text) {
  std::uint64_t bytes = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc{} || bytes >= kNoLimit) return std::nullopt;
  const std::string_view behind{rest, static_cast<std::size_t>(text.data() + text.size() - rest)};
  if (!behind.empty() && behind != "\n") return std::nullopt;
  return bytes;
}

std::uint64_t data_limit(std::uint64_t group_limit, std::uint64_t vm_data, std::uint64_t rss_anon) noexcept {
  const auto taken = rss_anon + kReserve;
  return vm_data + (group_limit > taken ? group_limit - taken : 0);
}

std::optional<std::uint64_t> group_memory_limit() {
  std::optional<std::uint64_t> least;
  for (const auto& file :
       memory_limit_files(contents("/proc/self/cgroup"), contents("/proc/self/mountinfo"))) {
    const auto limit = parse_memory_limit(contents(file));
    if (limit && (!least || *limit < *least)) least = limit;
  }
  return least;
}

MemoryBound::MemoryBound() : group_(group_memory_limit()), inherited_(RLIM_INFINITY) {
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) == 0) inherited_ = limit.rlim_cur;
}

void MemoryBound::renew() const {
  if (!group_) return;
  const auto status = contents("/proc/self/status");
  const auto wanted = data_limit(*group_, status_bytes(status, "VmData:"), status_bytes(status, "RssAnon:"));
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>({wanted, inherited_, limit.rlim_max});
  (void)setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace dupwatch::process
