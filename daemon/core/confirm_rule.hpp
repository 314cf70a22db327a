#pragma once

#include <cstdint>
#include <deque>

#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// The one rule that says which position may be confirmed to the server (promise I3): the end of the newest
/// transaction up to which everything is judged and every finding is durable. Positions:
///   received >= judged >= durable = what is confirmed.
/// While nothing is pending, a keepalive moves `judged` too, so that an idle watched table holds back no WAL;
/// with a transaction open or a read-back outstanding it must not, or a crash would lose what was never
/// judged.
class ConfirmRule {
 public:
  /// A stream starts at the slot's confirmed position. It can lie behind what an earlier stream confirmed (a
  /// server crash or failover moves slots back); going on from the higher one could skip transactions of a
  /// new timeline.
  void stream_started(decoder::Lsn from);

  void begin() noexcept { open_transaction_ = true; }
  /// `read_back` is the newest read-back that any row so far waits for, 0 = none.
  void commit(decoder::Lsn end_lsn, std::uint64_t read_back);
  void keepalive(decoder::Lsn wal_end) noexcept;
  /// Read-backs complete in order.
  void read_back_done(std::uint64_t read_back);
  /// From here on no commit counts as judged, whatever is done: a run is to be judged again.
  void hold() noexcept { held_ = true; }
  /// All that hold() was called for is judged, or waits for read-backs up to this one (0 = none).
  void release(std::uint64_t read_back);

  /// All findings of transactions up to judged() are being written now ...
  void findings_taken() noexcept { taken_ = judged_; }
  /// ... and have become durable.
  void findings_durable() noexcept;
  /// ... up to `position` alone, a value of taken() since the stream started.
  void findings_durable(decoder::Lsn position) noexcept;
  [[nodiscard]] decoder::Lsn taken() const noexcept { return taken_; }

  [[nodiscard]] decoder::Lsn judged() const noexcept { return judged_; }
  [[nodiscard]] decoder::Lsn confirmed() const noexcept { return durable_; }
  [[nodiscard]] bool idle() const noexcept { return !open_transaction_ && waiting_.empty() && !held_; }

 private:
  struct Waiting {
    decoder::Lsn end_lsn;
    std::uint64_t read_back = 0;
  };
  void advance();

  bool open_transaction_ = false;
  bool held_ = false;
  decoder::Lsn judged_;
  decoder::Lsn taken_;
  decoder::Lsn durable_;
  std::uint64_t read_back_done_ = 0;
  /// One entry per outstanding read-back at most: transactions that wait for the same one are merged.
  std::deque<Waiting> waiting_;
};

}  // namespace dupwatch::core
