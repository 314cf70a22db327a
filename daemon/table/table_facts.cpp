#include "daemon/table/table_facts.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "daemon/postgres/form_faults.hpp"
#include "daemon/postgres/scan_queries.hpp"

namespace dupwatch::table {
namespace {

using postgres::Error;

Error refusal(postgres::Cause cause, std::string message, std::string remedy) {
  return Error{.fault = postgres::Fault::kNeedsOperator,
               .cause = cause,
               .sqlstate = {},
               .message = std::move(message),
               .remedy = std::move(remedy)};
}

/// Keeps the first error; the values after it are defaults.
template <class T>
T value_of(postgres::Expected<T> answer, std::optional<Error>& error) {
  if (auto* failed = std::get_if<Error>(&answer)) {
    if (!error) error = std::move(*failed);
    return T{};
  }
  return std::get<T>(std::move(answer));
}

}  // namespace

postgres::Expected<TableFacts> read_table_facts(const core::Config& config, postgres::Connection& sql,
                                                postgres::Waiter& waiter) {
  const auto& profile = config.profile;
  const auto table = profile.qualified_name();
  std::optional<Error> error;
  const auto found = value_of(postgres::find_table(sql, profile, config.slot.publication, waiter), error);
  if (error) return std::move(*error);
  for (auto& problem : postgres::find_form_faults({.config = config}, found)) {
    // What only a stream lacks is no matter of who reads the table.
    if (problem.hides_from_queries()) {
      return refusal(cause_of(problem.fault), std::move(problem.found), std::move(problem.fix));
    }
  }
  TableFacts out{.key_types = found->key_types(profile)};
  out.traits.ids = postgres::id_order(*found, profile);
  if (!value_of(postgres::has_select(sql, profile, waiter), error) && !error) {
    return refusal(postgres::Cause::kNoSelectRight, fmt::format("no right to SELECT from {}", table),
                   "grant it as `dupwatch setup --print-sql` shows");
  }
  out.run_index = value_of(postgres::has_run_index(sql, profile, waiter), error);
  out.extras = {.commit_time = value_of(postgres::tracks_commit_time(sql, waiter), error),
                .xmin = value_of(postgres::has_select_on_xmin(sql, profile, waiter), error)};
  out.rows_estimate =
      static_cast<std::uint64_t>(value_of(postgres::estimated_rows(sql, profile, waiter), error));
  if (profile.runs) {
    const auto signs = value_of(postgres::engine_signs(sql, profile, waiter), error);
    out.traits.engines = core::auto_engines(signs);
    out.traits.specs = out.extras.specs = signs.specs;
  }
  if (error) return std::move(*error);
  return out;
}

Error no_run_index(const core::Config& config) {
  const auto table = config.profile.qualified_name();
  const auto key = postgres::RunKey(config.profile).columns("");
  return refusal(
      postgres::Cause::kNoRunIndex, fmt::format("no index of {} leads with {}", table, key),
      fmt::format("CREATE INDEX CONCURRENTLY ON {} ({}); without it every piece of the audit would "
                  "read the whole table",
                  table, key));
}

}  // namespace dupwatch::table
