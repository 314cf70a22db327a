#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

/// Reading a whole log in the order of its pages, and then some of its runs.
namespace dupwatch::postgres {

/// How the table lies on the disk.
struct TableExtent {
  /// Pages; nullopt: not a table that can be read page by page (see table_extent).
  std::optional<std::int64_t> pages;
  /// Differs after rows were moved from one page to another.
  std::string layout;
};
/// Pages are given for a heap of its own, without partitions or children, whose ctid may be read, when the
/// planner may use it and the run column tells runs apart byte by byte.
[[nodiscard]] Expected<TableExtent> table_extent(Connection& sql, const core::Profile& profile,
                                                 Waiter& waiter);

/// COPY of run, id, type ('' when there is none) and identity columns as text, from one page to before
/// another; without `end` to the end of the table.
[[nodiscard]] std::string pages_copy(const core::Profile& profile, std::int64_t begin,
                                     std::optional<std::int64_t> end);

/// Splits a row of pages_copy.
class CopyFields {
 public:
  /// Views live as long as `line` and until the next call.
  void split(std::string_view line);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// nullopt = NULL.
  [[nodiscard]] const std::optional<std::string_view>& operator[](std::size_t index) const noexcept {
    return fields_[index];
  }

 private:
  /// Run, id, type and the identity columns of a profile.
  static constexpr std::size_t kFieldsMax = 3 + 4;
  [[nodiscard]] std::optional<std::string_view> value_of(std::string_view field);

  std::array<std::optional<std::string_view>, kFieldsMax> fields_{};
  std::size_t size_ = 0;
  /// What had escapes, written out.
  std::string text_;
};

/// The runs ($1, array_literal) in the order of the run column.
[[nodiscard]] std::string sorted_runs_query(const core::Profile& profile, std::string_view run_type);
/// `select` (with FROM, alias e) for the runs of $1 (array_literal), in order of runs.
[[nodiscard]] std::string picked_runs_query(const core::Profile& profile, std::string_view select,
                                            std::string_view run_type);

}  // namespace dupwatch::postgres
