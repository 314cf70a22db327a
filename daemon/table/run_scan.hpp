#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/postgres/audit_queries.hpp"
#include "daemon/postgres/connection.hpp"

namespace dupwatch::table {

/// Reads a log run by run, in pieces of some ten thousand rows, at most at a given rate. Holds one piece.
class RunScan {
 public:
  static constexpr std::uint64_t kPieceRows = 10'000;

  struct Plan {
    /// SELECT ... FROM ... AS e; the first column is the run.
    std::string select;
    /// Further condition, empty = none.
    std::string condition;
    /// Begin behind this run.
    std::optional<std::string> after;
    /// Rows a second, 0 = as fast as it goes.
    std::uint64_t rate_max = 0;
  };
  RunScan(const core::Profile& profile, const postgres::KeyTypes& types, Plan plan);

  /// Reads the next piece: `row` for each row, grouped by run, `run_end` behind the last row of each run. An
  /// error leaves the scan where it was before the piece.
  [[nodiscard]] std::optional<postgres::Error> next(postgres::Connection& sql, postgres::Waiter& waiter,
                                                    const std::function<void(const pg_result&, int)>& row,
                                                    const std::function<void(const std::string&)>& run_end);
  [[nodiscard]] bool done() const noexcept { return done_; }
  /// Everything up to this run has been read; nullopt = nothing yet.
  [[nodiscard]] const std::optional<std::string>& last_run() const noexcept { return plan_.after; }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_; }

 private:
  [[nodiscard]] std::optional<postgres::Error> find_end(postgres::Connection& sql, postgres::Waiter& waiter,
                                                        std::optional<std::string>& end) const;
  [[nodiscard]] std::optional<postgres::Error> hold_rate(postgres::Waiter& waiter, std::uint64_t rows,
                                                         postgres::Instant began) const;

  postgres::RunPieces pieces_;
  Plan plan_;
  std::uint64_t rows_ = 0;
  std::uint64_t runs_ = 0;
  bool done_ = false;
};

}  // namespace dupwatch::table
