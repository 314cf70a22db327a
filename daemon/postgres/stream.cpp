#include "daemon/postgres/connection_state.hpp"

namespace dupwatch::postgres {

Connection::CopyRead Connection::read_copy() {
  auto& state = *state_;
  state.copy_buffer.reset();
  if (!state.conn || !state.streaming) return error(Stage::kStream);
  if (state.ending) return end_of_copy();
  auto* conn = state.conn.get();
  char* raw = nullptr;
  const auto length = PQgetCopyData(conn, &raw, 1);
  if (length > 0) {
    state.copy_buffer.reset(raw);
    const auto bytes = std::as_bytes(std::span{raw, static_cast<std::size_t>(length)});
    return CopyData{bytes};
  }
  // A connection that broke leaves nothing to wait for.
  if (length == 0)
    return PQstatus(conn) == CONNECTION_BAD ? CopyRead{error(Stage::kStream)} : CopyRead{WouldBlock{}};
  if (length == -1) return end_of_copy();
  return error(Stage::kStream);
}

/// Behind the last row: what ended the stream. Waits for nothing; called again as long as it says WouldBlock.
Connection::CopyRead Connection::end_of_copy() {
  auto& state = *state_;
  auto* conn = state.conn.get();
  state.ending = true;
  for (;;) {
    if (PQisBusy(conn) != 0) {
      return PQstatus(conn) == CONNECTION_BAD ? CopyRead{error(Stage::kStream)} : CopyRead{WouldBlock{}};
    }
    const Result result{PQgetResult(conn)};
    if (!result) {
      state.streaming = false;
      return EndOfCopy{};
    }
    if (auto failed = result_error(*result, Stage::kStream)) {
      state.streaming = false;
      state.last_words = *failed;
      return std::move(*failed);
    }
    const auto status = PQresultStatus(result.get());
    // The server said CopyDone and waits for ours.
    if (status == PGRES_COPY_IN && !end_copy()) return error(Stage::kStream);
    if (status == PGRES_COMMAND_OK) {
      // A fast shutdown: the server's part ends here, and the connection with it.
      state.streaming = false;
      return EndOfCopy{};
    }
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      state.ending = false;
      return WouldBlock{};
    }
  }
}

bool Connection::write_copy(std::span<const char> bytes) {
  if (broken() || !state_->streaming) return false;
  auto* conn = state_->conn.get();
  if (PQputCopyData(conn, bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  return PQflush(conn) >= 0;
}

bool Connection::end_copy() {
  if (broken() || !state_->streaming) return false;
  auto* conn = state_->conn.get();
  return PQputCopyEnd(conn, nullptr) == 1 && PQflush(conn) >= 0;
}

}  // namespace dupwatch::postgres
