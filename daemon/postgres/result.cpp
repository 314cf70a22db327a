#include <libpq-fe.h>

#include "daemon/postgres/connection.hpp"

namespace dupwatch::postgres {

void ResultDeleter::operator()(pg_result* result) const noexcept {
  PQclear(result);
}

std::optional<std::string_view> cell(const pg_result& result, int row, int column) {
  if (PQgetisnull(&result, row, column) != 0) return std::nullopt;
  return std::string_view{PQgetvalue(&result, row, column),
                          static_cast<std::size_t>(PQgetlength(&result, row, column))};
}

int row_count(const pg_result& result) {
  return PQntuples(&result);
}

bool starts_copy(const pg_result& result) {
  return PQresultStatus(&result) == PGRES_COPY_OUT;
}

namespace {

std::string_view field(const pg_result& result, int code) {
  const char* text = PQresultErrorField(&result, code);
  return text == nullptr ? std::string_view{} : std::string_view{text};
}

std::string message_of(const pg_result& result, Stage stage) {
  std::string message{field(result, PG_DIAG_MESSAGE_PRIMARY)};
  // libpq's own errors have no fields.
  if (message.empty()) return one_line(PQresultErrorMessage(&result));
  const auto append = [&](std::string_view label, int code) {
    const auto text = field(result, code);
    if (!text.empty()) message.append("; ").append(label).append(text);
  };
  append("detail: ", PG_DIAG_MESSAGE_DETAIL);
  append("hint: ", PG_DIAG_MESSAGE_HINT);
  // Names the slot, the plugin's callback and the LSN at which decoding stopped.
  if (stage == Stage::kStream) append("context: ", PG_DIAG_CONTEXT);
  return one_line(message);
}

}  // namespace

std::optional<Error> result_error(const pg_result& result, Stage stage) {
  const auto status = PQresultStatus(&result);
  // Not a switch: each libpq has kinds of success that the one before does not have (17: PGRES_TUPLES_CHUNK).
  if (status != PGRES_BAD_RESPONSE && status != PGRES_FATAL_ERROR && status != PGRES_PIPELINE_ABORTED) {
    return std::nullopt;
  }
  return classify(stage, field(result, PG_DIAG_SQLSTATE), message_of(result, stage));
}

}  // namespace dupwatch::postgres
