#include "tests/bench/clients/replication_stream.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <stdexcept>

namespace dupwatch::bench {
namespace {

// As often as the daemon does.
constexpr std::int64_t kStatusIntervalMs = 1000;
constexpr std::size_t kDataHeader = 25;
constexpr std::size_t kKeepaliveSize = 18;
// wal2json writes {"action":"I", and so on.
constexpr std::string_view kAction = R"({"action":")";

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes.substr(0, 8)) value = value << 8U | static_cast<unsigned char>(byte);
  return value;
}

void put(char* at, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8U) at[i] = static_cast<char>(value & 0xffU);
}

char action(std::string_view body) {
  if (body.starts_with(kAction) && body.size() > kAction.size()) return body[kAction.size()];
  return body.empty() ? '\0' : body.front();
}

}  // namespace

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

ConnectionPtr connect(const std::string& dsn) {
  ConnectionPtr conn{PQconnectdb(dsn.c_str())};
  if (PQstatus(conn.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(conn.get()));
  return conn;
}

ResultPtr execute(PGconn* conn, const std::string& sql) {
  ResultPtr result{PQexec(conn, sql.c_str())};
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
    throw std::runtime_error(sql + ": " + PQerrorMessage(conn));
  return result;
}

std::uint64_t parse_lsn(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos)
    throw std::runtime_error("not an LSN: \"" + text + "\", expected something like 16/B374D848");
  return std::stoull(text.substr(0, slash), nullptr, 16) << 32U |
         std::stoull(text.substr(slash + 1), nullptr, 16);
}

bool is_commit(std::string_view body) {
  return action(body) == 'C';
}

bool is_insert(std::string_view body) {
  return action(body) == 'I';
}

ReplicationStream::ReplicationStream(const std::string& dsn, const std::string& command)
    : conn_(connect(dsn + " replication=database")) {
  (void)execute(conn_.get(), command);
}

Message ReplicationStream::parse(std::string_view bytes) {
  if (bytes.size() >= kDataHeader && bytes.front() == 'w')
    return {
        .kind = Message::Kind::kData, .lsn = big_endian(bytes.substr(1)), .body = bytes.substr(kDataHeader)};
  if (bytes.size() >= kKeepaliveSize && bytes.front() == 'k')
    return {.kind = Message::Kind::kKeepalive,
            .lsn = big_endian(bytes.substr(1)),
            .reply_requested = bytes[17] != 0,
            .body = {}};
  throw std::runtime_error("a message of the stream is neither data nor a keepalive");
}

void ReplicationStream::wait(int timeout_ms) {
  pollfd fd{.fd = PQsocket(conn_.get()), .events = POLLIN, .revents = 0};
  if (poll(&fd, 1, timeout_ms) > 0 && PQconsumeInput(conn_.get()) != 1) fail();
}

void ReplicationStream::send_status_when_due() {
  const auto now_ms = monotonic_ns() / 1'000'000;
  if (now_ms < next_status_ms_) return;
  next_status_ms_ = now_ms + kStatusIntervalMs;
  send_status();
}

void ReplicationStream::send_status() {
  std::array<char, 34> update{'r'};
  for (const std::size_t at : {1U, 9U, 17U}) put(update.data() + at, seen_);
  if (PQputCopyData(conn_.get(), update.data(), static_cast<int>(update.size())) != 1 ||
      PQflush(conn_.get()) < 0)
    fail();
}

void ReplicationStream::fail() const {
  throw std::runtime_error(PQerrorMessage(conn_.get()));
}

}  // namespace dupwatch::bench
