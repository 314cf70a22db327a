#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/coverage_pages.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/process/event_fd.hpp"

namespace dupwatch::run {

/// Writes the pages of core::CoveragePages to a small file, on a thread of its own: a disk that hangs holds
/// up nothing.
class CoverageBook {
 public:
  /// `wake` is signalled when something was written; it must outlive the book.
  explicit CoverageBook(process::EventFd& wake);
  ~CoverageBook();
  CoverageBook(const CoverageBook&) = delete;
  CoverageBook& operator=(const CoverageBook&) = delete;

  /// Beside findings.file where that is a regular file, else in systemd's StateDirectory; empty: nowhere.
  [[nodiscard]] static std::string path_for(const core::Config& config);
  /// Reads what an earlier process left; the words when it can't be used. Empty path: nothing is kept.
  [[nodiscard]] std::optional<std::string> open(std::string path);
  [[nodiscard]] bool kept() const noexcept { return pages_.kept(); }
  /// What is known now; nullopt: nothing of before.
  [[nodiscard]] const std::optional<core::CoverageRecord>& known() const noexcept { return pages_.known(); }

  /// As core::CoveragePages.
  void begin(core::CoverageOrigin origin, decoder::Lsn from, std::vector<core::CoverageGap> open_gaps);
  void note_gaps(std::vector<core::CoverageGap> open_gaps);
  [[nodiscard]] decoder::Lsn confirmable(decoder::Lsn wanted, core::Instant now);
  [[nodiscard]] bool take_written();
  /// Waits until `position` may be confirmed, at most until `deadline`.
  void settle(decoder::Lsn position, core::Instant deadline);
  /// Why the file could not be written the last time; empty when it could.
  [[nodiscard]] std::string trouble() const;

 private:
  using Page = core::CoveragePages::Page;
  /// Gives the thread the newest page, and takes from it what was written.
  void exchange();
  void work();
  [[nodiscard]] int open_fresh(const std::string& path);
  [[nodiscard]] std::string write(const std::string& text);

  process::EventFd& wake_;
  std::string path_;
  core::CoveragePages pages_;
  int spare_ = -1;  ///< of the thread

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Page> next_;
  Page written_;
  std::string trouble_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::run
