#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "tests/oracle/event.hpp"
#include "tests/unit/postgres/answering/answering_libpq.hpp"
#include "tests/walsender/frames.hpp"

namespace dupwatch::run::streamed {

/// A database with the engine's log and a slot on it, as far as a daemon asks: what is committed is in the
/// table and in the stream, and comes again until it is confirmed. From any thread.
class Database {
 public:
  explicit Database(decoder::Plugin plugin,
                    const core::Profile& profile = core::Profile{core::workflow_devkit_profile()});

  using Event = oracle::Event;
  /// One transaction; the end of its commit record.
  std::uint64_t commit(const std::vector<Event>& rows);
  /// Into the table without a word of the stream.
  void put_silently(const Event& row);
  /// Out of the table; a stream of insertions says nothing of it.
  void remove(const std::string& id);
  void truncate();
  /// A message that is no row, as of another writer.
  void keepalive(bool reply_requested);

  /// The position that the client has confirmed.
  [[nodiscard]] std::uint64_t confirmed() const;
  /// Whether a session streams.
  [[nodiscard]] bool streams() const;

  /// What pg_replication_slots shows.
  struct Slot {
    bool exists = true;
    bool active = false;
    std::string plugin{};
    std::string wal_status = "reserved";
    std::string invalidation{};
    std::int64_t retained = 4'096;
  };
  /// Somebody else moves it to the end of WAL, behind a commit that nobody saw.
  void advance_slot();
  void change_slot(const Slot& slot);
  [[nodiscard]] Slot slot() const;
  /// Another answer of pg_class and its kin about the table; empty: there is no such table.
  void change_table(std::optional<answering::Row> row);
  [[nodiscard]] answering::Row table() const;

  answering::Server server;

 private:
  struct Row {
    Event event;
    std::uint32_t xid = 0;
  };
  struct Transaction {
    std::uint64_t end = 0;
    std::vector<std::string> messages;
  };
  void serve_slot();
  void serve_rows();
  void serve_rounds();
  [[nodiscard]] answering::Answer slot_row() const;
  [[nodiscard]] answering::Answer created();
  [[nodiscard]] answering::Answer stream_from(std::string_view command);
  [[nodiscard]] answering::Answer rows_of(std::string_view query, bool copy) const;
  [[nodiscard]] std::uint64_t next(std::uint64_t bytes);
  void note_updates() const;
  std::uint64_t publish(Transaction transaction);

  core::Profile profile_;
  walsender::Frames frames_;
  // All below: under answering::mutex().
  Slot slot_;
  std::optional<answering::Row> table_;
  std::vector<Row> rows_;
  std::vector<Transaction> transactions_;
  std::uint64_t end_ = 0x1000;
  std::uint32_t xid_ = 700;
  mutable std::uint64_t confirmed_ = 0x1000;
};

}  // namespace dupwatch::run::streamed
