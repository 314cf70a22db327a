#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/core/durability.hpp"

namespace dupwatch::findings {

/// findings.file: opened, written, synced, and opened again when its path leads to another file, as after a
/// rotation. Every call may take as long as the disk does. Used by one thread at a time.
class FindingsFile {
 public:
  /// What went wrong, in the words of the system.
  struct Trouble {
    enum class Step : std::uint8_t { kNone, kOpen, kWrite, kSync };
    Step step = Step::kNone;
    /// errno.
    int error = 0;
    explicit operator bool() const noexcept { return step != Step::kNone; }
  };
  struct Result {
    core::FileOutcome outcome;
    Trouble trouble;
  };

  explicit FindingsFile(std::string path) : path_(std::move(path)) {}
  ~FindingsFile();
  FindingsFile(const FindingsFile&) = delete;
  FindingsFile& operator=(const FindingsFile&) = delete;

  /// Opens or creates the file, and brings what is in it to the disk.
  [[nodiscard]] Trouble open();
  /// What an earlier process wrote is on the disk: it may be in the page cache alone, and a sync that failed
  /// has given it up.
  [[nodiscard]] bool past_is_on_disk() const noexcept { return past_is_on_disk_; }
  /// Writes and syncs, unless the file is another one by now: it is opened then, and the task comes again.
  [[nodiscard]] Result perform(const core::FileTask& task);
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  [[nodiscard]] Trouble open_once();
  [[nodiscard]] bool is_ours() const;
  [[nodiscard]] Result reopened();
  /// errno, 0 = all of it was written.
  [[nodiscard]] int write_all(std::string_view bytes, std::size_t& written);
  void close_file();

  std::string path_;
  int fd_ = -1;
  bool past_is_on_disk_ = false;
  /// False where path and descriptor disagree from the start, as for some files below /proc.
  bool has_identity_ = false;
  /// Where the file ends at least: it may only grow.
  off_t end_ = 0;
};

}  // namespace dupwatch::findings
