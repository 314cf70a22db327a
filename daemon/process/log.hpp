#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/process/log_writer.hpp"

namespace dupwatch::process {

/// Structured log on stderr, one line per message, logfmt or JSON. Never a payload, never a password: callers
/// pass classified errors, not connection strings. Values are escaped, so untrusted text can't make a line of
/// its own. Thread-safe.
class Log {
 public:
  struct Field {
    std::string_view key;
    std::string value;
    /// Written without quotes in JSON: a number, true, false, null or an object.
    bool raw = false;
  };
  using Fields = std::vector<Field>;

  explicit Log(const core::LogConfig& config);
  /// From now on nobody waits for stderr: see LogWriter. What is left at the end is given half a second.
  /// Throws as Worker does.
  void write_on_own_thread();
  /// Lines that stderr did not take.
  [[nodiscard]] std::uint64_t dropped() const { return writer_ ? writer_->dropped() : 0; }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  /// Counts for lines from now on.
  void configure(const core::LogConfig& config) noexcept;

  void debug(std::string_view message, const Fields& fields = {});
  void info(std::string_view message, const Fields& fields = {});
  void warn(std::string_view message, const Fields& fields = {});
  void error(std::string_view message, const Fields& fields = {});
  void finding(const core::Finding& finding);

  /// A line that stays below the log and is rewritten in place, when stderr is a terminal; empty removes it.
  void progress(std::string line);
  [[nodiscard]] bool on_terminal() const noexcept { return terminal_; }

 private:
  void write(core::LogLevel level, std::string_view message, const Fields& fields);
  void emit(std::string text);

  std::atomic<core::LogLevel> level_;
  /// Shared with the writer's thread.
  std::shared_ptr<std::atomic<core::LogFormat>> format_;
  bool terminal_;
  std::unique_ptr<LogWriter> writer_;
  std::mutex mutex_;
  std::string progress_;
};

}  // namespace dupwatch::process
