#include <chrono>
#include <memory>

#include "daemon/postgres/connection_state.hpp"

/// Answers that are used row by row as they come.
namespace dupwatch::postgres {
namespace {

/// TLS decrypts a record of up to 16 KiB at once and libpq may take a part of it: a poll of the socket never
/// tells of the rest. Two more reads take what one record can hold.
class TlsRest {
 public:
  explicit TlsRest(PGconn* conn) : conn_(conn), left_(reads()) {}
  /// Read something without waiting: look again.
  [[nodiscard]] bool read() {
    if (left_ == 0) return false;
    --left_;
    return PQconsumeInput(conn_) == 1;
  }
  void begin() { left_ = reads(); }

 private:
  [[nodiscard]] int reads() const { return PQsslInUse(conn_) != 0 ? 2 : 0; }
  PGconn* conn_;
  int left_;
};

}  // namespace

std::optional<Error> Connection::each_row(Waiter& waiter, std::chrono::milliseconds silence_max,
                                          const std::function<void(const pg_result&)>& use) {
  if (broken()) return error(Stage::kQuery);
  TlsRest rest(state_->conn.get());
  std::optional<Error> failed;
  for (;;) {
    const bool written = flush();
    while (!busy()) {
      const auto result = next_result();
      if (!result) return failed;
      if (auto found = result_error(*result, Stage::kQuery); found && !failed) failed = std::move(found);
      if (PQresultStatus(result.get()) == PGRES_SINGLE_TUPLE) use(*result);
    }
    if (broken()) return failed ? std::move(failed) : error(Stage::kQuery);
    if (rest.read()) continue;
    const auto deadline = std::chrono::steady_clock::now() + silence_max;
    if (auto stopped = await_input(written, waiter, deadline, silence_max)) return stopped;
    rest.begin();
  }
}

std::optional<Error> Connection::copy_out(const std::string& query, Waiter& waiter,
                                          std::chrono::milliseconds silence_max,
                                          const std::function<void(std::string_view)>& use) {
  if (!send(query, {}, false)) return error(Stage::kQuery);
  auto* conn = state_->conn.get();
  TlsRest rest(conn);
  std::optional<Error> failed;
  bool copying = false;
  for (;;) {
    const bool written = flush();
    while (copying || !busy()) {
      if (copying) {
        char* raw = nullptr;
        const auto length = PQgetCopyData(conn, &raw, 1);
        const std::unique_ptr<char, FreeMemory> row{raw};
        if (length == 0) break;
        // Below zero: the end or an error, which the next result tells.
        copying = length > 0;
        if (copying) use({raw, static_cast<std::size_t>(length)});
        continue;
      }
      const auto result = next_result();
      if (!result) return failed;
      if (auto found = result_error(*result, Stage::kQuery); found && !failed) failed = std::move(found);
      copying = PQresultStatus(result.get()) == PGRES_COPY_OUT;
    }
    if (broken()) return failed ? std::move(failed) : error(Stage::kQuery);
    if (rest.read()) continue;
    const auto deadline = std::chrono::steady_clock::now() + silence_max;
    if (auto stopped = await_input(written, waiter, deadline, silence_max)) return stopped;
    rest.begin();
  }
}

}  // namespace dupwatch::postgres
