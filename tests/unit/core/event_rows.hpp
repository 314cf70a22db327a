#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"
#include "tests/oracle/findings.hpp"

/// Rows for the core's tests.
namespace dupwatch::core {

/// prefix + 26 characters of base 32 that end in `n`: sorts by n within a prefix.
inline std::string ulid(std::string_view prefix, std::uint64_t n) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string body = "01JZ0000000000000000000000";
  for (auto i = body.size(); n != 0; n /= 32) body[--i] = kDigits[n % 32];
  return std::string(prefix) + body;
}

/// The slot-numbered ids of the 5.x line.
inline std::string slot_id(std::uint64_t n) {
  auto digits = std::to_string(n);
  return "evnt_" + std::string(26 - digits.size(), '0') + digits;
}

inline std::vector<decoder::Value> values_of(const std::vector<std::optional<std::string>>& identity) {
  std::vector<decoder::Value> values;
  for (const auto& value : identity) {
    values.push_back(value ? decoder::Value::of(*value) : decoder::Value::null());
  }
  return values;
}

/// Adds the row as Watch does for a row of a tracked type.
inline RunLog::Added add_event(RunLog& log, TokenCodec& codec, const Profile& profile,
                               const oracle::Event& event, const CommitInfo& commit = {}) {
  const auto identity = values_of(event.identity);
  auto row = make_event_row(profile, profile.find_type(event.type), event.type);
  row.run_id = event.run_id;
  row.id = event.id;
  row.identity = identity;
  row.commit = commit;
  return log.add(row, codec);
}

/// Whether Watch keeps the row.
inline bool is_tracked(const Profile& profile, const oracle::Event& event) {
  const auto type = profile.find_type(event.type);
  if (!type) return profile.unlisted_unique;
  return profile.types[*type].tracked(
      std::ranges::none_of(event.identity, [](const auto& value) { return value.has_value(); }));
}

/// A profile with several identity columns, types that are not listed, a closing type and one that ends the
/// run.
inline Profile orders_profile() {
  Profile profile;
  profile.name = "generic";
  profile.schema = "shop";
  profile.table = "order_events";
  profile.run_column = "tenant";
  profile.id_column = "id";
  profile.identity_columns = {"order_id", "line"};
  profile.type_column = "kind";
  profile.types = {EventType{.name = "opened", .unique = true, .group = 1},
                   EventType{.name = "closed", .unique = true, .closes = true, .group = 1},
                   EventType{.name = "note"},
                   EventType{.name = "archived", .unique = true, .ends_run = true}};
  profile.unlisted_unique = true;
  return profile;
}

inline oracle::Log orders_log() {
  oracle::Log log;
  log.kinds = {oracle::Kind{.opening = {"opened"},
                            .closing = {"closed"},
                            .one_end = false,
                            .living = {},
                            .deliveries = {},
                            .conflicts = {}}};
  log.unique = {"archived"};
  log.run_ends = {"archived"};
  log.others_unique = true;
  log.repeatable = {"note"};
  return log;
}

/// The finding as the oracle would put it.
inline oracle::Key key_of(const Finding& finding) {
  const bool of_the_run = finding.rule == Rule::kIdScheme || finding.rule == Rule::kRunLost;
  return {finding.run_id, std::string(to_string(finding.rule)), of_the_run ? "" : finding.duplicate.id};
}
inline oracle::Verdict verdict_of(const Finding& finding) {
  return {.severity = std::string(to_string(finding.severity)),
          .state = std::string(to_string(finding.state)),
          .row_id = finding.duplicate.id,
          .canonical_id = finding.canonical.id,
          .closed_by = finding.after_close ? finding.closing_id() : std::nullopt};
}

/// What a reader of the findings ends up with: the last record of each, but for those that are gone.
class LastStates {
 public:
  void take(const Finding& finding) {
    if (finding.state == FindingState::kGone) {
      states_.erase(key_of(finding));
    } else {
      states_[key_of(finding)] = verdict_of(finding);
    }
  }
  [[nodiscard]] const oracle::Findings& states() const noexcept { return states_; }
  /// The same without what a later row has superseded.
  [[nodiscard]] oracle::Findings current(const oracle::Findings& truth,
                                         const oracle::Settings& settings = {}) const {
    auto out = states_;
    std::erase_if(out,
                  [&](const auto& entry) { return oracle::is_superseded(entry.first, truth, settings); });
    return out;
  }

 private:
  oracle::Findings states_;
};

}  // namespace dupwatch::core
