#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/postgres/copy_fields.hpp"

namespace dupwatch::table {

/// One row of an event_select: run, id, type ('' for a table without types), identity columns, xmin, commit
/// time, spec version. Views live as long as the result or the fields.
class TableRow {
 public:
  /// Most identity columns a profile can have.
  static constexpr std::size_t kIdentityMax = 4;

  TableRow(const core::Profile& profile, const pg_result& result, int row);
  TableRow(const core::Profile& profile, const postgres::CopyFields& fields);
  /// Columns as a result has them.
  TableRow(const core::Profile& profile, std::span<const std::optional<std::string_view>> columns);

  [[nodiscard]] std::string_view run_id() const noexcept { return run_id_; }
  [[nodiscard]] std::string_view id() const noexcept { return id_; }
  [[nodiscard]] std::string_view type() const noexcept { return type_; }
  [[nodiscard]] std::span<const decoder::Value> identity() const noexcept {
    return std::span(identity_).first(identity_size_);
  }
  [[nodiscard]] const core::CommitInfo& commit() const noexcept { return commit_; }
  /// 0 = it has none.
  [[nodiscard]] int spec() const noexcept { return spec_; }
  /// Adds the row to its run's log if it has a run and an id, and a rule needs it.
  void add_to(core::RunLog& log, const core::Profile& profile, core::TokenCodec& codec) const;

 private:
  template <class Next>
  void fill(Next next);

  std::string_view run_id_;
  std::string_view id_;
  std::string_view type_;
  std::array<decoder::Value, kIdentityMax> identity_{};
  std::size_t identity_size_ = 0;
  core::CommitInfo commit_;
  int spec_ = 0;
};

}  // namespace dupwatch::table
