#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"
#include "tests/oracle/duplicates.hpp"

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
  return log.add(EventRow{.run_id = event.run_id,
                          .id = event.id,
                          .type = profile.find_type(event.type).value_or(RunLog::kUnlistedType),
                          .type_text = event.type,
                          .identity = identity,
                          .commit = commit},
                 codec);
}

/// A profile with several identity columns, types that are not listed and a closing type.
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
                   EventType{.name = "note"}};
  profile.unlisted_unique = true;
  return profile;
}

inline oracle::Rules orders_rules() {
  return oracle::Rules{.unique = {"opened", "closed"},
                       .unique_unless_null = {},
                       .others_unique = true,
                       .repeatable = {"note"},
                       .closes = {{"closed", {"opened", "closed"}}}};
}

/// The state a reader of the findings ends up with: the last record of each finding id.
class LastStates {
 public:
  void take(const Finding& finding) {
    states_[{finding.run_id, finding.duplicate.id}] =
        oracle::Verdict{.canonical_id = finding.canonical.id,
                        .closed_by = finding.after_close ? finding.closing_id : std::nullopt};
  }
  [[nodiscard]] const oracle::Verdicts& states() const noexcept { return states_; }

 private:
  oracle::Verdicts states_;
};

}  // namespace dupwatch::core
