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
#include "daemon/core/coverage_record.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/process/event_fd.hpp"

namespace dupwatch::run {

/// Keeps what is known of coverage in a small file, which a thread of its own writes: a disk that hangs holds
/// up nothing. A position is in the file before it is confirmed, so at the next start a slot that stands
/// further on was moved by another hand.
class CoverageBook {
 public:
  /// A position waits for the file at most so long. Confirmed without it, it is a gap at the next start.
  static constexpr std::chrono::seconds kGrace{2};
  static constexpr std::chrono::milliseconds kSpacing{500};

  /// `wake` is signalled when something was written; it must outlive the book.
  explicit CoverageBook(process::EventFd& wake);
  ~CoverageBook();
  CoverageBook(const CoverageBook&) = delete;
  CoverageBook& operator=(const CoverageBook&) = delete;

  /// Beside findings.file where that is a regular file, else in systemd's StateDirectory; empty: nowhere.
  [[nodiscard]] static std::string path_for(const core::Config& config);
  /// Reads what an earlier process left; the words when it can't be used. Empty path: nothing is kept.
  [[nodiscard]] std::optional<std::string> open(std::string path);
  [[nodiscard]] bool kept() const noexcept { return !path_.empty(); }
  /// What is known now; nullopt: nothing of before.
  [[nodiscard]] const std::optional<core::CoverageRecord>& known() const noexcept { return record_; }

  /// A stream begins.
  void begin(core::CoverageOrigin origin, decoder::Lsn from, std::vector<core::CoverageGap> open_gaps);
  /// Other gaps are open now.
  void note_gaps(std::vector<core::CoverageGap> open_gaps);
  /// As much of `wanted` as may be confirmed now. Never goes back within a stream.
  [[nodiscard]] decoder::Lsn confirmable(decoder::Lsn wanted, core::Instant now);
  /// A position that confirmable() held back is written.
  [[nodiscard]] bool take_written();
  /// Waits until `position` may be confirmed, at most until `deadline`.
  void settle(decoder::Lsn position, core::Instant deadline);
  /// Why the file could not be written the last time; empty when it could.
  [[nodiscard]] std::string trouble() const;

 private:
  struct Page {
    std::string text;
    decoder::Lsn confirmed;
    std::uint64_t number = 0;
  };
  void submit();
  void work();
  [[nodiscard]] int open_fresh(const std::string& path);
  [[nodiscard]] std::string write(const std::string& text);

  process::EventFd& wake_;
  std::string path_;
  std::optional<core::CoverageRecord> record_;
  int spare_ = -1;  ///< of the thread
  std::uint64_t number_ = 0;
  core::Instant next_submit_{};
  /// Since when nothing was written although something waits.
  std::optional<core::Instant> waiting_;
  std::uint64_t waited_for_ = 0;  ///< number of the page that was written last then
  bool held_back_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Page> next_;
  Page written_;
  std::string trouble_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::run
