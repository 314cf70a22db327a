#include "daemon/table/run_scan.hpp"

#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::table {
namespace {

using postgres::Error;
using postgres::Result;

// A piece is read by index; a server that needs longer is in trouble, and its own statement_timeout speaks
// first.
constexpr std::chrono::minutes kPieceTimeout{10};

}  // namespace

RunScan::RunScan(const core::Profile& profile, const postgres::KeyTypes& types, Plan plan)
    : pieces_(profile, types), plan_(std::move(plan)) {}

std::optional<Error> RunScan::find_end(postgres::Connection& sql, postgres::Waiter& waiter,
                                       std::optional<std::string>& end) const {
  postgres::Connection::Params params;
  if (plan_.after) params.emplace_back(*plan_.after);
  const auto answer = sql.execute(pieces_.end_query(!plan_.after, kPieceRows), params, waiter, kPieceTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return *error;
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) != 0) end = postgres::cell(result, 0, 0);
  return std::nullopt;
}

std::optional<Error> RunScan::next(postgres::Connection& sql, postgres::Waiter& waiter,
                                   const std::function<void(const pg_result&, int)>& row,
                                   const std::function<void(const std::string&)>& run_end) {
  const auto began = process::steady_now();
  std::optional<std::string> end;
  if (auto error = find_end(sql, waiter, end)) return error;
  postgres::Connection::Params params;
  if (plan_.after) params.emplace_back(*plan_.after);
  if (end) params.emplace_back(*end);
  const auto answer =
      sql.execute(pieces_.rows_query(plan_.select, plan_.condition, !plan_.after, end.has_value()), params,
                  waiter, kPieceTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return *error;
  const auto& result = *std::get<Result>(answer);
  std::optional<std::string> run;
  const int count = postgres::row_count(result);
  for (int i = 0; i < count; ++i) {
    const auto of_row = postgres::cell(result, i, 0).value_or(std::string_view{});
    if (run != of_row) {
      if (run) run_end(*run);
      run = of_row;
      ++runs_;
    }
    row(result, i);
  }
  if (run) run_end(*run);
  rows_ += static_cast<std::uint64_t>(count);
  plan_.after = end ? end : run ? run : plan_.after;
  done_ = !end;
  return hold_rate(waiter, static_cast<std::uint64_t>(count), began);
}

std::optional<Error> RunScan::hold_rate(postgres::Waiter& waiter, std::uint64_t rows,
                                        postgres::Instant began) const {
  if (plan_.rate_max == 0 || done_) return std::nullopt;
  const auto due = began + std::chrono::microseconds(rows * 1'000'000 / plan_.rate_max);
  if (due <= process::steady_now() || waiter.wait(-1, 0, due) != postgres::Waiter::Outcome::kInterrupted)
    return std::nullopt;
  return Error{.fault = postgres::Fault::kTransient,
               .cause = postgres::Cause::kInterrupted,
               .sqlstate = {},
               .message = "interrupted",
               .remedy = {}};
}

}  // namespace dupwatch::table
