#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"
#include "tests/unit/postgres/answering/answering_libpq.hpp"

/// What a server answers that has the engine's table and a log in it.
namespace dupwatch::table::served {

/// Type and entity of each event, "" = none, in the order of their ids.
using Log = std::vector<std::pair<std::string, std::string>>;

/// A ULID, or with `slots` a slot number.
inline std::string id_of(std::size_t number, bool slots = false) {
  return (slots ? "evnt_000000000000000000000000" : "wevt_01KQ3V6T00M2N5P8R1S4V7X0") +
         std::string(number < 10 ? "0" : "") + std::to_string(number);
}

/// A row of event_select(): run, id, type, entity, xmin, commit time, spec version, and created_at behind
/// them.
inline answering::Row event_row(std::string run, std::string id, std::string type,
                                const std::string& entity) {
  const auto correlation = entity.empty() ? std::nullopt : std::optional(entity);
  return {std::move(run), std::move(id), std::move(type), correlation,
          "4711",         std::nullopt,  std::nullopt,    std::nullopt};
}

inline std::vector<answering::Row> run_rows(const std::string& run, const Log& log, bool slots = false) {
  std::vector<answering::Row> rows;
  for (std::size_t i = 0; i < log.size(); ++i)
    rows.push_back(event_row(run, id_of(i + 1, slots), log[i].first, log[i].second));
  return rows;
}

/// A step is created again after it has completed: fatal to 4.x, and healed by taking event 6 out.
inline Log late_copy() {
  return {{"run_created", ""},        {"run_started", ""},          {"step_created", "step_a"},
          {"step_started", "step_a"}, {"step_completed", "step_a"}, {"step_created", "step_a"},
          {"step_created", "step_b"}};
}

/// The answer about a table that the rules can judge.
[[nodiscard]] answering::Row healthy_table(const core::Profile& profile);
/// The answers to read_table_facts().
void serve_table(answering::Server& server, const core::Profile& profile);

}  // namespace dupwatch::table::served
