#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/durability.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/findings/file_writer.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::findings {

/// Carries out what Durability wants of findings.file, as fast as the disk allows and without waiting for it,
/// and says what the disk is up to. Of the loop thread. Without a path it does nothing.
class FileOutput {
 public:
  /// References must outlive it.
  FileOutput(std::string path, core::Durability& durability, process::Log& log, process::EventFd& wake);

  /// Opens the file, and waits a moment for that; the reason when it can't be opened. Throws as Worker does.
  [[nodiscard]] std::optional<std::string> open();
  /// It is not known yet what an earlier process wrote: nothing may be judged.
  [[nodiscard]] bool opening() const noexcept { return opening_; }
  /// What an earlier process wrote, once it is not opening() any more; given once.
  [[nodiscard]] std::vector<core::Finding> take_past() { return std::exchange(past_, {}); }

  /// Takes the answer to the last task and begins the next. Never waits.
  void turn(core::Instant now);
  /// When turn() wants to be called at the latest.
  [[nodiscard]] core::Instant deadline() const noexcept;
  /// Looks whether the path still leads to the file, at once whatever went wrong before.
  void check() noexcept;
  /// True once after each sync that succeeded.
  [[nodiscard]] bool take_progress() noexcept { return std::exchange(progress_, false); }
  /// Waits for an answer of the disk, at the end of the process.
  void wait(std::chrono::milliseconds patience);

  /// True once after another file has been begun at the path: what was written before is not in it.
  [[nodiscard]] bool take_replaced() noexcept { return std::exchange(replaced_, false); }
  /// Why the file takes nothing; empty when it does.
  [[nodiscard]] std::string trouble(core::Instant now) const;
  /// Attempts that failed.
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  void opened(FileWriter::Opened answer, core::Instant now);
  void finished(const FindingsFile::Result& result, core::Instant now);
  void failed(FindingsFile::Trouble trouble, core::Instant now);
  void complain(const char* what, core::Instant now);
  void note_silence(core::Instant now);

  std::string path_;
  core::Durability& durability_;
  process::Log& log_;
  process::EventFd& wake_;
  std::unique_ptr<FileWriter> writer_;
  bool opening_ = false;
  std::vector<core::Finding> past_;
  /// Of what is under way.
  core::Instant begun_{};
  bool silent_ = false;
  bool progress_ = false;
  bool replaced_ = false;
  std::string trouble_;
  std::uint64_t failures_ = 0;
  /// Nothing is begun before, after a failure.
  core::Instant retry_at_{};
  core::Instant next_check_{};
  core::Instant next_complaint_{};
};

}  // namespace dupwatch::findings
