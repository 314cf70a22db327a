#include "daemon/postgres/connection_state.hpp"

namespace dupwatch::postgres {
namespace {

bool send_in_pipeline(PGconn* conn, const Connection::Statement& statement) {
  std::vector<const char*> values;
  values.reserve(statement.params.size());
  for (const auto& param : statement.params) values.push_back(param ? param->c_str() : nullptr);
  return PQsendQueryParams(conn, statement.text.c_str(), static_cast<int>(values.size()), nullptr,
                           values.data(), nullptr, nullptr, 0) == 1;
}

/// The answers of one batch.
struct BatchAnswers {
  std::vector<Result> results;
  /// What follows it was not run.
  std::optional<Error> failed;
};

/// Takes what is there without waiting; true when the batch is over.
bool take_answers(PGconn* conn, BatchAnswers& answers) {
  while (PQisBusy(conn) == 0) {
    Result result{PQgetResult(conn)};
    if (!result) {
      if (PQstatus(conn) == CONNECTION_BAD) return false;
      continue;  // the end of one statement's answer
    }
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) return true;
    if (auto error = result_error(*result, Stage::kQuery)) {
      if (!answers.failed) answers.failed = std::move(error);
    } else {
      answers.results.push_back(std::move(result));
    }
  }
  return false;
}

}  // namespace

std::variant<std::vector<Result>, Error> Connection::execute_batch(std::span<const Statement> statements,
                                                                   Waiter& waiter,
                                                                   std::chrono::milliseconds timeout) {
  if (broken()) return error(Stage::kQuery);
  auto* conn = state_->conn.get();
  if (PQenterPipelineMode(conn) != 1) return error(Stage::kQuery);
  for (const auto& statement : statements) {
    if (!send_in_pipeline(conn, statement)) return error(Stage::kQuery);
  }
  if (PQpipelineSync(conn) != 1) return error(Stage::kQuery);
  BatchAnswers answers;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const bool written = flush();
    if (take_answers(conn, answers)) break;
    if (broken()) return answers.failed ? std::move(*answers.failed) : error(Stage::kQuery);
    if (auto stopped = await_input(written, waiter, deadline, timeout)) return std::move(*stopped);
  }
  if (PQexitPipelineMode(conn) != 1) return error(Stage::kQuery);
  if (answers.failed) return std::move(*answers.failed);
  return std::move(answers.results);
}

}  // namespace dupwatch::postgres
