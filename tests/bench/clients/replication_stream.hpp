#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace dupwatch::bench {

struct CloseConnection {
  void operator()(PGconn* conn) const noexcept { PQfinish(conn); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ConnectionPtr = std::unique_ptr<PGconn, CloseConnection>;
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

/// Throws std::runtime_error with libpq's words.
[[nodiscard]] ConnectionPtr connect(const std::string& dsn);
/// Runs one statement; throws unless the server took it.
ResultPtr execute(PGconn* conn, const std::string& sql);

/// "16/B374D848"
[[nodiscard]] std::uint64_t parse_lsn(const std::string& text);

/// What begins every message of the stream; `body` is a view into libpq's buffer.
struct Message {
  enum class Kind : char { kData, kKeepalive };
  Kind kind = Kind::kData;
  /// Of a data message its own position, of a keepalive the server's end of WAL.
  std::uint64_t lsn = 0;
  bool reply_requested = false;
  std::string_view body;
};

/// The least that a client of the stream must do: it reads every message and says how far it has come.
class ReplicationStream {
 public:
  /// `command` is the whole START_REPLICATION.
  ReplicationStream(const std::string& dsn, const std::string& command);

  /// Calls `take(const Message&)` for every message that is there, waits at most `timeout_ms` for the first
  /// one, and sends the status when it is due. Returns false as soon as `take` does.
  template <typename Take>
  bool turn(int timeout_ms, Take&& take) {
    wait(timeout_ms);
    char* raw = nullptr;
    for (int length = PQgetCopyData(conn_.get(), &raw, 1); length != 0;
         length = PQgetCopyData(conn_.get(), &raw, 1)) {
      if (length < 0) fail();
      const std::unique_ptr<char, decltype(&PQfreemem)> owned{raw, &PQfreemem};
      const auto message = parse({raw, static_cast<std::size_t>(length)});
      bytes_ += static_cast<std::uint64_t>(length);
      seen_ = message.lsn > seen_ ? message.lsn : seen_;
      if (!take(message)) return false;
      if (message.reply_requested) send_status();
    }
    send_status_when_due();
    return true;
  }

  void send_status();
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  static Message parse(std::string_view bytes);
  void wait(int timeout_ms);
  void send_status_when_due();
  [[noreturn]] void fail() const;

  ConnectionPtr conn_;
  std::uint64_t seen_ = 0;
  std::uint64_t bytes_ = 0;
  std::int64_t next_status_ms_ = 0;
};

/// CLOCK_MONOTONIC, in nanoseconds.
[[nodiscard]] std::int64_t monotonic_ns();

/// True for a message that ends a transaction, of wal2json (format version 2) and of pgoutput alike.
[[nodiscard]] bool is_commit(std::string_view body);
/// True for an inserted row.
[[nodiscard]] bool is_insert(std::string_view body);

}  // namespace dupwatch::bench
