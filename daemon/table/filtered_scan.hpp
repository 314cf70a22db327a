#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/copy_fields.hpp"

namespace dupwatch::table {

/// Reads a whole log in the order of its pages to find the runs that may have a finding, and then those.
class FilteredScan {
 public:
  struct Plan {
    /// The second reading: SELECT ... FROM ... AS e; the first column is the run.
    std::string select;
    /// TableForm::key_types().
    postgres::KeyTypes key_types;
    /// See RunFilter.
    bool refuses_ulids = false;
    /// Where runs say their own generation.
    core::SpecSource specs = core::SpecSource::kNone;
    core::TextOrder ids = core::TextOrder::kBytes;
  };
  /// A second session with the server of `sql`; nullopt: there is none to be had.
  using Open = std::function<std::optional<postgres::Connection>()>;
  FilteredScan(const core::Profile& profile, Plan plan, postgres::Connection& sql, Open open_other)
      : profile_(profile), plan_(std::move(plan)), sql_(sql), open_other_(std::move(open_other)) {}

  /// The first reading; false: the table can't be read so, or it would not be faster. It has to be read in
  /// order of runs then. `progress` gets the rows so far. A large table is read on two sessions: the server
  /// makes the rows' text no faster than one core can, and the filter takes less than that.
  [[nodiscard]] postgres::Expected<bool> find(postgres::Waiter& waiter,
                                              const std::function<void(std::uint64_t)>& progress);
  /// The second one, in order of runs: `row` for each row, `run_end` behind the last row of each run. Pages
  /// of a large table are no longer in the server's memory by then, and one session fetches them no faster
  /// than the first reading went.
  [[nodiscard]] std::optional<postgres::Error> read(
      postgres::Waiter& waiter, const std::function<void(const postgres::CopyFields&)>& row,
      const std::function<void(const std::string&)>& run_end);
  /// All of the table once it was found.
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_; }
  /// The last run of the second reading.
  [[nodiscard]] const std::optional<std::string>& last_run() const noexcept { return last_run_; }

 private:
  [[nodiscard]] postgres::Connection* other();
  [[nodiscard]] std::optional<postgres::Error> sort(postgres::Waiter& waiter);

  const core::Profile& profile_;
  Plan plan_;
  postgres::Connection& sql_;
  Open open_other_;
  std::optional<postgres::Connection> other_;
  std::vector<std::string> suspects_;
  std::uint64_t rows_ = 0;
  std::uint64_t runs_ = 0;
  std::optional<std::string> last_run_;
};

}  // namespace dupwatch::table
