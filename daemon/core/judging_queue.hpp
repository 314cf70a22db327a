#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/run_index.hpp"

namespace dupwatch::core {

/// Runs that wait to be judged as a whole: those of a read-back whose rows are in, and long runs in which a
/// row has changed more than its own finding. These are owed first, and come in when the pause after the last
/// round is over. Pure.
class JudgingQueue {
 public:
  /// Rows and verdicts of a piece.
  static constexpr std::size_t kPieceRows = 65'536;
  static constexpr std::size_t kPieceVerdicts = 512;
  /// Judging long runs again takes a fifth of the time at most: the work of a round, with so much for each
  /// row and each verdict, is followed by a pause of four times as long.
  static constexpr std::chrono::nanoseconds kPausePerRow{200};
  static constexpr std::chrono::nanoseconds kPausePerVerdict{8'000};
  static constexpr std::chrono::seconds kPauseMax{10};

  struct Entry {
    RunIndex::Handle run = RunIndex::kNone;
    Origin origin = Origin::kStream;
    std::uint64_t read_back = 0;  ///< 0 = it was not read back
    bool last = false;            ///< of its read-back
    bool doubtful = false;        ///< doubt() came after its rows
  };
  /// What a call may do.
  struct Budget {
    std::size_t rows = kPieceRows;
    std::size_t verdicts = kPieceVerdicts;
    [[nodiscard]] bool left() const noexcept { return rows != 0 && verdicts != 0; }
  };

  void add(Entry entry) { entries_.push_back(entry); }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] const Entry& front() const noexcept { return entries_.front(); }
  /// Judges on the first run, whose rows these are. True: it is judged, and no rows came meanwhile, which may
  /// have changed what was said of those before.
  [[nodiscard]] bool judge_piece(const ReplayRules& rules, const RunLog& log, Budget& budget,
                                 std::vector<ReplayRules::Verdict>& verdicts);
  /// The first run leaves. The pause counts from when the last one has.
  Entry pop(Instant now);
  /// What is known of the runs may be older than what comes.
  void doubt() noexcept {
    for (auto& entry : entries_) entry.doubtful = true;
  }

  void owe(std::string run_id) { owed_.push_back(std::move(run_id)); }
  [[nodiscard]] bool owes() const noexcept { return !owed_.empty(); }
  /// Runs are owed and may come in.
  [[nodiscard]] bool due(Instant now) const noexcept { return !owed_.empty() && now >= next_round_; }
  [[nodiscard]] std::vector<std::string> take_owed() { return std::exchange(owed_, {}); }
  /// When there is something to do; max() = when something is added.
  [[nodiscard]] Instant next(Instant now) const noexcept {
    if (!entries_.empty()) return now;
    return owed_.empty() ? Instant::max() : next_round_;
  }

  /// Nothing waits any more; those that did.
  [[nodiscard]] std::deque<Entry> forget();

 private:
  std::deque<Entry> entries_;
  ReplayRules::Progress progress_;
  std::size_t rows_begun_ = 0;  ///< of the run that is being judged
  std::vector<std::string> owed_;
  Instant next_round_{};
  std::chrono::nanoseconds pause_{};
};

}  // namespace dupwatch::core
