#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "tests/oracle/event.hpp"
#include "tests/sim/options.hpp"
#include "tests/walsender/frames.hpp"

namespace dupwatch::sim {

struct Transaction {
  std::uint64_t commit_lsn = 0;
  std::uint64_t end_lsn = 0;
  std::uint32_t xid = 0;
  std::vector<oracle::Event> rows;
  /// Step from which on other sessions see it.
  std::uint64_t visible_at = 0;
};

/// Postgres as far as the daemon meets it: a table, its WAL, one slot, one walsender, and snapshots.
class Server {
 public:
  Server(const Options& options, core::Prng& random);

  /// Commits rows; `step` is the time of the simulation.
  const Transaction& commit(std::vector<oracle::Event> rows, std::uint64_t step);
  /// WAL of other tables.
  void write_other_wal(std::uint64_t bytes) { wal_end_ += bytes; }
  /// Creates the slot at the end of WAL.
  void create_slot();

  /// START_REPLICATION at 0/0: the stream begins at the slot's position, which is returned. A larger
  /// `wanted` moves it on, as the server does.
  std::uint64_t start_stream(std::uint64_t wanted);
  void end_stream();
  [[nodiscard]] bool streaming() const noexcept { return streaming_; }
  /// The next CopyData of the plugin's output; nullopt when everything committed has been sent.
  [[nodiscard]] std::optional<std::string> next_message();
  /// The row in the message sent last; nullptr when it was of another kind.
  [[nodiscard]] const oracle::Event* sent_row() const noexcept { return sent_row_; }
  /// A keepalive as it could be sent now. Between transactions its position lies before the next one; within
  /// one it is the end of WAL, more than a real server says, because it must not matter.
  [[nodiscard]] std::string keepalive(std::uint64_t& position);
  /// A message outside of transactions that stands in the WAL at `position`, where a keepalive could.
  [[nodiscard]] std::string message(std::uint64_t& position, std::string_view content);
  void receive_status(std::uint64_t confirmed);

  [[nodiscard]] std::uint64_t slot() const noexcept { return slot_; }
  /// The slot's position reaches the disk ...
  void checkpoint() { slot_on_disk_ = slot_; }
  /// ... and what did not is lost in a crash. Transactions are not: their commits were flushed.
  void crash();

  /// Rows of these runs in a snapshot taken at `step`. Assumed: it holds everything that committed before
  /// the position the stream started from, however late commits become visible (with synchronous
  /// replication a commit can be decoded long before other sessions see it).
  [[nodiscard]] std::vector<oracle::Event> snapshot(const std::set<std::string>& run_ids,
                                                    std::uint64_t step) const;
  [[nodiscard]] const std::deque<Transaction>& transactions() const noexcept { return transactions_; }

 private:
  /// Where the walsender is.
  [[nodiscard]] std::uint64_t reached();
  [[nodiscard]] bool within_transaction() const noexcept { return row_ > 0; }

  const Options& options_;
  core::Prng& random_;
  walsender::Frames frames_;
  std::deque<Transaction> transactions_;
  std::uint64_t wal_end_ = 0x1000;
  std::uint32_t xid_ = 700;
  std::uint64_t slot_ = 0;
  std::uint64_t slot_on_disk_ = 0;

  bool streaming_ = false;
  bool relation_sent_ = false;
  std::uint64_t started_from_ = 0;
  std::size_t next_ = 0;  ///< transaction being sent
  const oracle::Event* sent_row_ = nullptr;
  std::size_t row_ = 0;  ///< 0 = its Begin, n = its nth row, rows + 1 = its Commit
};

}  // namespace dupwatch::sim
