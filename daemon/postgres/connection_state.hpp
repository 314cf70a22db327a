#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/postgres/connection.hpp"
#include "daemon/postgres/dsn.hpp"

/// What a Connection owns; shared by connection.cpp (attempt, queries) and stream.cpp (CopyBoth).
namespace dupwatch::postgres {

struct FinishConnection {
  void operator()(PGconn* conn) const noexcept { PQfinish(conn); }
};
struct FreeMemory {
  template <class T>
  void operator()(T* memory) const noexcept {
    PQfreemem(memory);
  }
};
struct FreeCancel {
  void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
};

[[nodiscard]] inline std::string text_or_empty(const char* text) {
  return text == nullptr ? std::string{} : std::string{text};
}

/// Errors of waiting; the connection is unusable afterwards.
[[nodiscard]] Error interrupted();
[[nodiscard]] Error timed_out(std::chrono::milliseconds timeout);

struct Connection::State {
  std::unique_ptr<PGconn, FinishConnection> conn;
  ConnectParameters parameters;
  std::vector<Endpoint> endpoints;
  /// Passwords that no message may show.
  std::vector<std::string> secrets;
  std::chrono::milliseconds host_timeout{0};
  std::unique_ptr<char, FreeMemory> copy_buffer;
  std::optional<std::string> notice;
  /// An error that libpq does not know of: a DSN that can't be parsed, a host's time that is up.
  std::optional<Error> own_error;
  /// What the server said when it ended the stream or an idle session, kept because libpq hands it out once.
  std::optional<Error> last_words;
  std::string address;
  std::uint32_t attempt = 0;
  bool wants_write = true;
  bool connected = false;
  bool streaming = false;
  /// PQgetCopyData has returned -1: only results are left to read.
  bool ending = false;

  static void on_notice(void* self, const PGresult* result) {
    const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (text == nullptr || severity == nullptr) return;
    auto& state = *static_cast<State*>(self);
    const std::string_view what{severity};
    // A session that waits for no answer is told of its end by what libpq takes for a notice. NOTICE and INFO
    // tell of success.
    if (what == "FATAL" || what == "PANIC") {
      state.last_words = classify(Stage::kQuery, text_or_empty(PQresultErrorField(result, PG_DIAG_SQLSTATE)),
                                  one_line(text));
    } else if (what == "WARNING") {
      state.notice = one_line(text);
    }
  }

  void start() {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : parameters) {
      keywords.push_back(keyword.c_str());
      values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    conn.reset();
    conn.reset(PQconnectStartParams(keywords.data(), values.data(), 1));
    wants_write = true;
    if (!conn) return;
    // The text of a FATAL during start-up is all there is of it; verbose text has the SQLSTATE, in every
    // language.
    PQsetErrorVerbosity(conn.get(), PQERRORS_VERBOSE);
    PQsetNoticeReceiver(conn.get(), &State::on_notice, this);
    note_address();
  }

  void note_address() {
    auto now = text_or_empty(PQhost(conn.get())) + '/' + text_or_empty(PQhostaddr(conn.get())) + '/' +
               text_or_empty(PQport(conn.get()));
    if (attempt != 0 && now == address) return;
    address = std::move(now);
    ++attempt;
  }

  /// Reads on behind the last row of a stream that broke: the server's reason may already be here.
  void drain(Stage stage) {
    if (!streaming || last_words) return;
    for (char* raw = nullptr; !ending && PQgetCopyData(conn.get(), &raw, 1) > 0;) PQfreemem(raw);
    while (const Result result{PQgetResult(conn.get())}) {
      const auto status = PQresultStatus(result.get());
      if (auto error = result_error(*result, stage); error && !error->sqlstate.empty())
        last_words = std::move(error);
      if (status == PGRES_COPY_BOTH || status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
    }
    streaming = false;
  }
};

}  // namespace dupwatch::postgres
