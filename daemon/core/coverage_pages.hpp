#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/coverage_record.hpp"
#include "daemon/core/instant.hpp"

namespace dupwatch::core {

/// What the coverage file is to be given, and the position that may be confirmed for it: a position is in the
/// file before it is confirmed, so at the next start a slot that stands further on was moved by another hand.
/// Pure: whoever owns the file writes the pages, the daemon and the simulator alike. Not thread-safe.
class CoveragePages {
 public:
  /// A position waits for the file at most so long. Confirmed without it, it is a gap at the next start.
  static constexpr std::chrono::seconds kGrace{2};
  static constexpr std::chrono::milliseconds kSpacing{500};

  struct Page {
    std::string text;
    decoder::Lsn confirmed;
    /// Grows; 0 = none.
    std::uint64_t number = 0;
  };

  /// Without a file positions are confirmed as they come, and no page is made.
  void keep() noexcept { kept_ = true; }
  [[nodiscard]] bool kept() const noexcept { return kept_; }
  /// What the file says at the start; nullopt: nothing that can be used.
  void restore(std::optional<CoverageRecord> record) { record_ = std::move(record); }
  /// What is known now; nullopt: nothing of before.
  [[nodiscard]] const std::optional<CoverageRecord>& known() const noexcept { return record_; }

  /// A stream begins.
  void begin(CoverageOrigin origin, decoder::Lsn from, std::vector<CoverageGap> open_gaps);
  /// Other gaps are open now. Before the first stream there is nothing that they are of.
  void note_gaps(std::vector<CoverageGap> open_gaps);
  /// The newest page, once. One that was taken before it and is not written yet need not be.
  [[nodiscard]] std::optional<Page> take_page();
  /// The page was written, and synced.
  void written(std::uint64_t number, decoder::Lsn confirmed) noexcept;

  /// As much of `wanted` as may be confirmed now. Never goes back within a stream.
  [[nodiscard]] decoder::Lsn confirmable(decoder::Lsn wanted, Instant now);
  /// The page that confirmable() waited for is written; once.
  [[nodiscard]] bool take_written() noexcept;
  /// The last position of the stream: no other page is spaced from it.
  void settle(decoder::Lsn position);
  /// The file did not take a page for longer than is waited.
  [[nodiscard]] bool waits_too_long(Instant now) const noexcept {
    return waiting_ && now - *waiting_ > kGrace;
  }
  /// The newest page is written.
  [[nodiscard]] bool settled() const noexcept { return written_number_ == number_; }
  [[nodiscard]] std::uint64_t newest() const noexcept { return number_; }

 private:
  void make_page();

  bool kept_ = false;
  std::optional<CoverageRecord> record_;
  std::optional<Page> page_;
  std::uint64_t number_ = 0;
  std::uint64_t written_number_ = 0;
  std::uint64_t begun_with_ = 0;  ///< this stream's first page
  decoder::Lsn written_;
  decoder::Lsn allowed_;  ///< what confirmable() has given
  Instant next_page_{};
  /// Since when nothing was written although something waits, and the page that was the last one then.
  std::optional<Instant> waiting_;
  std::uint64_t waited_for_ = 0;
  bool held_back_ = false;
};

}  // namespace dupwatch::core
