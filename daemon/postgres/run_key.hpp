#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"

namespace dupwatch::postgres {

/// Types without length of the columns that make a run's key, e.g. "character varying", "uuid"; empty = text.
struct KeyTypes {
  KeyTypes() = default;
  // NOLINTBEGIN(google-explicit-constructor): most tables have no scope columns.
  KeyTypes(std::string run_type) : run(std::move(run_type)) {}
  KeyTypes(const char* run_type) : run(run_type) {}
  // NOLINTEND(google-explicit-constructor)
  KeyTypes(std::string run_type, std::vector<std::string> scope_types)
      : run(std::move(run_type)), scope(std::move(scope_types)) {}

  std::string run;
  /// In the order of Profile::scope_columns.
  std::vector<std::string> scope;
};

/// The key of a run (core/run_key.hpp) in SQL. Conditions name each column as it is, so that an index on the
/// scope columns and the run column is used; keys are taken apart by the server.
class RunKey {
 public:
  explicit RunKey(const core::Profile& profile, const KeyTypes& types = {});

  /// The key of a row; NULL where a part of it is. Without scope columns the run column itself.
  [[nodiscard]] std::string text(std::string_view alias) const;
  /// The columns, for ORDER BY, PARTITION BY and SELECT.
  [[nodiscard]] std::string columns(std::string_view alias) const;
  /// Both rows are of one run.
  [[nodiscard]] std::string same(std::string_view alias, std::string_view other) const;
  [[nodiscard]] std::string not_null(std::string_view alias) const;
  /// `op` is =, > or <=; `key` an expression for one key.
  [[nodiscard]] std::string compare(std::string_view alias, std::string_view op, std::string_view key) const;
  /// `keys`: an expression for an array of keys as text.
  [[nodiscard]] std::string is_one_of(std::string_view alias, std::string_view keys) const;
  /// The runs of for_runs() as an array, for the text of a COPY. It is a subquery, evaluated once: a plan
  /// without an index would parse the setting again for each row (250,000 rows took 97 s instead of 3).
  /// Joined, each run would be fetched by itself, where the array lets the server read each page once (a
  /// third of the rate after a restart); keys of several columns have to be joined.
  [[nodiscard]] std::string named_runs() const;
  /// SELECT of the columns' values of each key of the array, with the columns' names.
  [[nodiscard]] std::string taken_apart(std::string_view keys) const;

 private:
  [[nodiscard]] bool scoped() const noexcept { return names_.size() > 1; }
  /// The value of column `index` out of a key.
  [[nodiscard]] std::string part(std::string_view key, std::size_t index) const;

  /// Quoted; the run column is the last.
  std::vector<std::string> names_;
  std::vector<std::string> types_;
};

}  // namespace dupwatch::postgres
