#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

/// What the daemon must find, computed in the plainest way from whole tables of strings. Shares no code with
/// the daemon: a mistake would have to be made twice to go unseen.
namespace dupwatch::oracle {

/// One row of the watched table.
struct Event {
  std::string run_id;
  std::string id;
  std::vector<std::optional<std::string>> identity;
  std::string type;

  friend bool operator==(const Event&, const Event&) = default;
};

/// Which types admit no duplicate, and what closes what.
struct Rules {
  std::set<std::string> unique;
  /// Unique unless all identity columns are NULL.
  std::set<std::string> unique_unless_null;
  /// Types named neither here nor among the closings' are unique too.
  bool others_unique = false;
  std::set<std::string> repeatable;
  /// Closing type -> the types whose rows it closes.
  std::map<std::string, std::set<std::string>> closes;

  [[nodiscard]] bool admits_no_duplicate(const Event& event) const {
    if (unique.contains(event.type)) return true;
    bool all_null = true;
    for (const auto& value : event.identity) all_null = all_null && !value;
    if (unique_unless_null.contains(event.type)) return !all_null;
    return others_unique && !repeatable.contains(event.type);
  }
};

inline Rules workflow_devkit_rules() {
  const std::set<std::string> step = {"step_created", "step_started", "step_retrying", "step_completed",
                                      "step_failed"};
  const std::set<std::string> wait = {"wait_created", "wait_completed"};
  const std::set<std::string> hook = {"hook_created", "hook_received", "hook_disposed", "hook_conflict"};
  return Rules{.unique = {"run_created", "step_created", "step_completed", "step_failed", "wait_created",
                          "wait_completed", "hook_created", "hook_disposed"},
               .unique_unless_null = {"attr_set"},
               .others_unique = false,
               .repeatable = {},
               .closes = {{"step_completed", step},
                          {"step_failed", step},
                          {"wait_completed", wait},
                          {"hook_disposed", hook}}};
}

struct Verdict {
  std::string canonical_id;
  /// The smallest id of a closing event that is smaller than the duplicate's: set = after close.
  std::optional<std::string> closed_by;

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << "canonical " << verdict.canonical_id
             << (verdict.closed_by ? ", closed by " + *verdict.closed_by : "");
}

/// (run id, duplicate's id) -> verdict.
using Verdicts = std::map<std::pair<std::string, std::string>, Verdict>;

/// Every row of an identity but the one with the smallest id. Rows of the same run and id are one row.
inline Verdicts duplicates(const std::vector<Event>& rows, const Rules& rules) {
  using Identity = std::vector<std::optional<std::string>>;
  std::map<std::pair<std::string, Identity>, std::map<std::string, std::string>> entities;
  for (const auto& row : rows) entities[{row.run_id, row.identity}].emplace(row.id, row.type);
  Verdicts out;
  for (const auto& [entity, rows_by_id] : entities) {
    std::map<std::string, std::string> smallest_by_type;
    for (const auto& [id, type] : rows_by_id) {  // ascending
      const auto [canonical, first] = smallest_by_type.try_emplace(type, id);
      const Event row{.run_id = entity.first, .id = id, .identity = entity.second, .type = type};
      if (first || !rules.admits_no_duplicate(row)) continue;
      std::optional<std::string> closed_by;
      for (const auto& [other_id, other_type] : rows_by_id) {
        const auto closing = rules.closes.find(other_type);
        const bool closes = closing != rules.closes.end() && closing->second.contains(type);
        if (closes && !closed_by && other_id < id) closed_by = other_id;
      }
      out[{entity.first, id}] = Verdict{.canonical_id = canonical->second, .closed_by = closed_by};
    }
  }
  return out;
}

}  // namespace dupwatch::oracle
