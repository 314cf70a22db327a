#include "daemon/web/process_stats.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>

namespace dupwatch::web {
namespace {

[[nodiscard]] double seconds_of(clockid_t clock) noexcept {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Fields of /proc/self/stat that follow the command name; [0] is field 3 (state) of proc(5).
[[nodiscard]] std::array<std::string, 22> stat_fields() {
  std::array<std::string, 22> fields;
  std::ifstream file{"/proc/self/stat"};
  std::string line;
  std::getline(file, line);
  // The name may hold spaces and parentheses; the last one ends it.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return fields;
  std::istringstream rest{line.substr(name_end + 1)};
  for (auto& field : fields) rest >> field;
  return fields;
}

[[nodiscard]] double number(const std::string& text) noexcept {
  return text.empty() ? 0 : std::strtod(text.c_str(), nullptr);
}

[[nodiscard]] double count_open_fds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it{"/proc/self/fd", error}, end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  // The listing itself needs one.
  return count > 0 ? count - 1 : 0;
}

[[nodiscard]] double fd_limit() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                         : static_cast<double>(limit.rlim_cur);
}

}  // namespace

ProcessStats read_process_stats() {
  static const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  constexpr std::size_t kUserTicks = 11;
  constexpr std::size_t kSystemTicks = 12;
  constexpr std::size_t kStartTicks = 19;
  constexpr std::size_t kVirtualBytes = 20;
  constexpr std::size_t kResidentPages = 21;
  const auto fields = stat_fields();
  // Once, so that a step of the system clock does not look like a restart. Not from /proc/stat's btime:
  // systemd's ProcSubset=pid hides that file.
  static const double start_time =
      seconds_of(CLOCK_REALTIME) -
      (seconds_of(CLOCK_BOOTTIME) - number(fields[kStartTicks]) / ticks_per_second);
  return {.cpu_seconds = (number(fields[kUserTicks]) + number(fields[kSystemTicks])) / ticks_per_second,
          .resident_bytes = number(fields[kResidentPages]) * page_bytes,
          .virtual_bytes = number(fields[kVirtualBytes]),
          .open_fds = count_open_fds(),
          .max_fds = fd_limit(),
          .start_time_seconds = start_time};
}

}  // namespace dupwatch::web
