#pragma once

namespace dupwatch::web {

/// The process as the kernel sees it, for the process_* metrics every Prometheus client library has. What
/// can't be read is 0.
struct ProcessStats {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_fds = 0;
  /// Infinity when unlimited.
  double max_fds = 0;
  /// Unix time.
  double start_time_seconds = 0;
};

/// Reads /proc/self; needs nothing else of /proc, which a service manager may hide.
[[nodiscard]] ProcessStats read_process_stats();

}  // namespace dupwatch::web
