#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/findings/findings_file.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/worker.hpp"

namespace dupwatch::findings {

/// The findings file on a thread of its own, so that a disk that hangs holds up nobody else. Of one thread,
/// which never waits but in wait_for_answer().
class FileWriter {
 public:
  struct Opened {
    FindingsFile::Trouble trouble;
    /// What an earlier process wrote, if that is on the disk: see read_history().
    std::vector<core::Finding> past;
  };

  /// Begins to open it. `wake` is signalled for each answer, and must outlive this. Throws as Worker does.
  FileWriter(std::string path, process::EventFd& wake);
  /// A call that has not come back by then is left behind.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// The answer to the constructor; given once.
  [[nodiscard]] std::optional<Opened> take_opened();
  /// One task at a time, after the file was opened.
  void begin(core::FileTask task);
  /// The answer to begin(); given once.
  [[nodiscard]] std::optional<FindingsFile::Result> take_result();
  /// False: there is none after `patience`.
  bool wait_for_answer(std::chrono::milliseconds patience);

 private:
  struct Shared;
  static void work(Shared& shared);

  std::shared_ptr<Shared> shared_;
  process::Worker worker_;
};

}  // namespace dupwatch::findings
