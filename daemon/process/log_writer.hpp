#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/process/worker.hpp"

namespace dupwatch::process {

/// Where a standard descriptor is closed, the next file or socket would get its number, and with it what is
/// meant for stderr. Puts something in its place that refuses to be written. Call it before anything is
/// opened that stays open.
void reserve_standard_descriptors();

/// Text for a descriptor that may block, be closed or be full: it is written on a thread of its own, and who
/// writes never waits. What does not fit the buffer, and what the descriptor refuses, is dropped and counted.
/// Thread-safe.
class LogWriter {
 public:
  static constexpr std::size_t kBufferBytesMax = std::size_t{1} << 20U;

  /// `lost` makes the line that says how many were lost, once the descriptor takes lines again; it is called
  /// on the thread and must not refer to what may be gone by then. Throws as Worker does.
  LogWriter(int fd, std::function<std::string(std::uint64_t)> lost);

  /// A line with its newline.
  void write(std::string line);
  /// As stop of Worker.
  bool stop(std::chrono::milliseconds patience) { return worker_.stop(patience); }
  /// Lines dropped so far.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct Shared;
  static void write_out(Shared& shared);

  std::shared_ptr<Shared> shared_;
  Worker worker_;
};

}  // namespace dupwatch::process
