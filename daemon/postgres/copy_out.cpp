#include "daemon/postgres/connection_state.hpp"

/// Rows of COPY TO STDOUT, used one by one as they come.
namespace dupwatch::postgres {

Connection::CopyRow Connection::next_copy_row() {
  auto& state = *state_;
  state.copy_buffer.reset();
  if (!state.conn) return EndOfCopy{};
  char* raw = nullptr;
  const auto length = PQgetCopyData(state.conn.get(), &raw, 1);
  if (length == 0) return WouldBlock{};
  // Below zero: the end or an error.
  if (length < 0) return EndOfCopy{};
  state.copy_buffer.reset(raw);
  return std::string_view{raw, static_cast<std::size_t>(length)};
}

bool Connection::take_copied(CopyAnswer& answer, const std::function<void(std::string_view)>& use) {
  while (answer.copying || !busy()) {
    if (answer.copying) {
      const auto read = next_copy_row();
      if (std::holds_alternative<WouldBlock>(read)) return false;
      const auto* row = std::get_if<std::string_view>(&read);
      answer.copying = row != nullptr;
      if (row != nullptr) use(*row);
      continue;
    }
    const auto result = next_result();
    if (!result) return true;
    if (auto error = result_error(*result, Stage::kQuery); error && !answer.failed)
      answer.failed = std::move(error);
    answer.copying = starts_copy(*result);
  }
  return false;
}

std::optional<Error> Connection::copy_out(const std::string& query, Waiter& waiter,
                                          std::chrono::milliseconds silence_max,
                                          const std::function<void(std::string_view)>& use) {
  if (!send(query, {})) return error(Stage::kQuery);
  return receive_copy(waiter, silence_max, use);
}

std::optional<Error> Connection::receive_copy(Waiter& waiter, std::chrono::milliseconds silence_max,
                                              const std::function<void(std::string_view)>& use) {
  CopyAnswer answer;
  for (;;) {
    const bool written = flush();
    if (take_copied(answer, use)) return std::move(answer.failed);
    if (broken()) return answer.failed ? std::move(answer.failed) : error(Stage::kQuery);
    const auto deadline = std::chrono::steady_clock::now() + silence_max;
    if (auto stopped = await_input(written, waiter, deadline, silence_max)) return stopped;
  }
}

}  // namespace dupwatch::postgres
