#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "daemon/core/witness.hpp"
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
  /// The publication had its rows when it was written.
  bool published = true;
};

/// What our own queries do not show.
enum class Hidden : std::uint8_t { kNone, kAllRuns, kSomeRuns };

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
  /// START_REPLICATION is possible.
  [[nodiscard]] bool can_stream() const noexcept { return !publication_missing_; }
  [[nodiscard]] bool has_slot() const noexcept { return has_slot_; }
  [[nodiscard]] std::uint32_t timeline() const noexcept { return timeline_; }
  [[nodiscard]] std::uint32_t publication() const noexcept { return publication_; }
  [[nodiscard]] std::uint64_t postmaster() const noexcept { return postmaster_; }
  [[nodiscard]] std::uint64_t wal_end() const noexcept { return wal_end_; }

  /// Another hand moves the slot, or drops it and makes it again: to the end of WAL. Without a stream.
  void move_slot() { create_slot(); }
  void drop_slot() { has_slot_ = false; }
  void drop_publication() { publication_missing_ = true; }
  void make_publication() {
    publication_missing_ = false;
    ++publication_;
  }
  [[nodiscard]] bool publication_missing() const noexcept { return publication_missing_; }
  /// From now on the publication lacks inserts, and says nothing of it.
  void publish_inserts(bool yes) { publishes_ = yes; }
  void hide(Hidden hidden) { hidden_ = hidden; }

  /// A copy of the data directory, and the way back to it.
  void back_up();
  [[nodiscard]] bool has_backup() const noexcept { return backup_.has_value(); }
  void restore(bool other_timeline);

  /// The slot's position reaches the disk ...
  void checkpoint() { slot_on_disk_ = slot_; }
  /// ... and what did not is lost in a crash. Transactions are not: their commits were flushed.
  void crash();

  /// Rows of these runs in a snapshot taken at `step`. Assumed: it holds everything that committed before
  /// the position the stream started from, however late commits become visible (with synchronous
  /// replication a commit can be decoded long before other sessions see it).
  [[nodiscard]] std::vector<oracle::Event> snapshot(const std::set<std::string>& run_ids,
                                                    std::uint64_t step) const;
  /// The newest rows that are shown, and who wrote them.
  [[nodiscard]] std::vector<std::pair<const oracle::Event*, std::uint32_t>> tail(std::size_t rows,
                                                                                 std::uint64_t step) const;
  [[nodiscard]] bool shows(const std::string& run_id, const std::string& id, std::uint64_t step) const;
  /// pg_current_snapshot() and the end of WAL.
  [[nodiscard]] core::Witness::Moment moment(std::uint64_t step) const;
  /// All runs that have rows.
  [[nodiscard]] std::vector<std::string> run_ids() const;
  [[nodiscard]] const std::deque<Transaction>& transactions() const noexcept { return transactions_; }

 private:
  /// Where the walsender is.
  [[nodiscard]] std::uint64_t reached();
  [[nodiscard]] bool within_transaction() const noexcept { return row_ > 0; }
  [[nodiscard]] bool is_visible(const Transaction& transaction, std::uint64_t step) const noexcept {
    return transaction.visible_at <= step || transaction.commit_lsn < started_from_;
  }
  [[nodiscard]] bool is_hidden(const std::string& run_id) const noexcept;

  const Options& options_;
  core::Prng& random_;
  walsender::Frames frames_;
  std::deque<Transaction> transactions_;
  std::uint64_t wal_end_ = 0x1000;
  std::uint32_t xid_ = 700;
  std::uint64_t slot_ = 0;
  std::uint64_t slot_on_disk_ = 0;

  struct Backup {
    std::size_t transactions = 0;
    std::uint64_t wal_end = 0;
    std::uint32_t xid = 0;
    std::uint64_t slot = 0;
    bool has_slot = false;
    bool publication_missing = false;
    std::uint32_t publication = 0;
  };
  std::optional<Backup> backup_;
  bool has_slot_ = false;
  std::uint32_t timeline_ = 1;
  std::uint32_t publication_ = 20'000;
  std::uint64_t postmaster_ = 1;
  bool publication_missing_ = false;
  bool publishes_ = true;
  Hidden hidden_ = Hidden::kNone;

  bool streaming_ = false;
  bool relation_sent_ = false;
  std::uint64_t started_from_ = 0;
  std::size_t next_ = 0;  ///< transaction being sent
  const oracle::Event* sent_row_ = nullptr;
  std::size_t row_ = 0;  ///< 0 = its Begin, n = its nth row, rows + 1 = its Commit
};

}  // namespace dupwatch::sim
