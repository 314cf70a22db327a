#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

/// A libpq that plays a script. scripted_libpq.cpp defines the PQ* functions that dupwatch uses, and a
/// definition in the program wins over the one in libpq.so, so the production code runs unchanged against it.
/// Every call that acts (sends, receives, connects) must be the next one of the script; accessors answer from
/// the state the script set.
namespace dupwatch::scripted {

/// A PGresult to hand out.
struct FakeResult {
  /// ExecStatusType.
  int status = 0;
  std::string sqlstate{};
  std::string message{};
  std::vector<std::vector<std::string>> rows{};
};

/// One expected call and what it does.
struct Step {
  std::string function{};
  int returns = 0;
  /// PQerrorMessage from here on, when not empty.
  std::string error{};
  /// PQgetCopyData's row.
  std::string data{};
  /// PQgetResult's result; null = no more.
  std::shared_ptr<FakeResult> result{};
  /// The connection is broken from here on (CONNECTION_BAD).
  bool breaks = false;
  /// PQhostaddr from here on, when not empty.
  std::string address{};
  /// A notice that the call delivers, when not empty.
  std::string warning{};
  /// What an idle session is told of its end, as libpq hands it on: as a notice. With `message` of a FATAL.
  std::shared_ptr<FakeResult> fatal{};
};

class Script {
 public:
  Script();
  /// Fails the test when steps are left over, or anything that libpq handed out was not given back.
  ~Script();
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  Script& then(Step step);
  /// The steps that connect: start, one poll, non-blocking.
  Script& connects();
  /// Parameters of the newest PQconnectStartParams, in order.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& parameters() const;
  /// What PQsendQuery, PQsendQueryParams and PQputCopyData were given, in order.
  [[nodiscard]] const std::vector<std::string>& sent() const;
  /// The socket of the connection; always writable.
  [[nodiscard]] int fd() const;
};

[[nodiscard]] std::shared_ptr<FakeResult> command_ok();
[[nodiscard]] std::shared_ptr<FakeResult> copy_both();
[[nodiscard]] std::shared_ptr<FakeResult> copy_out();
[[nodiscard]] std::shared_ptr<FakeResult> tuples(std::vector<std::vector<std::string>> rows);
[[nodiscard]] std::shared_ptr<FakeResult> failure(std::string sqlstate, std::string message);

}  // namespace dupwatch::scripted
