#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/sieve_queries.hpp"

namespace dupwatch::app {

/// Reads a whole log in the order of its pages to find the runs that may have a finding, and then those.
class SieveScan {
 public:
  struct Plan {
    /// The second reading: SELECT ... FROM ... AS e; the first column is the run.
    std::string select;
    /// TableIdentity::run_type.
    std::string run_type;
    /// See RunSieve.
    bool refuses_ulids = false;
  };
  SieveScan(const core::Profile& profile, Plan plan) : profile_(profile), plan_(std::move(plan)) {}

  /// The first reading; false: the table can't be read so, or it would not be faster. It has to be read in
  /// order of runs then. `progress` gets the rows so far.
  [[nodiscard]] postgres::Expected<bool> find(postgres::Connection& sql, postgres::Waiter& waiter,
                                              const std::function<void(std::uint64_t)>& progress);
  /// The second one, in order of runs: `row` for each row, `run_end` behind the last row of each run. Pages
  /// of a large table are no longer in the server's memory by then, and one session fetches them no faster
  /// than the first reading went: so `other` is a second session with the same server, if there is one.
  [[nodiscard]] std::optional<postgres::Error> read(postgres::Connection& sql, postgres::Connection* other,
                                                    postgres::Waiter& waiter,
                                                    const std::function<void(const pg_result&)>& row,
                                                    const std::function<void(const std::string&)>& run_end);
  /// There is so much to read that a second session pays.
  [[nodiscard]] bool wants_other() const noexcept;
  /// All of the table once it was found.
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_; }
  /// The last run of the second reading.
  [[nodiscard]] const std::optional<std::string>& last_run() const noexcept { return last_run_; }

 private:
  [[nodiscard]] std::optional<postgres::Error> sort(postgres::Connection& sql, postgres::Waiter& waiter);

  const core::Profile& profile_;
  Plan plan_;
  std::vector<std::string> suspects_;
  std::uint64_t rows_ = 0;
  std::uint64_t runs_ = 0;
  std::optional<std::string> last_run_;
};

}  // namespace dupwatch::app
