#include "daemon/config/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "daemon/config/builtin_profiles.hpp"
#include "daemon/config/reader.hpp"
#include "daemon/config/rules_section.hpp"

namespace dupwatch::config {
namespace {

using core::Milliseconds;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

[[nodiscard]] std::vector<std::string_view> profile_names() {
  std::vector<std::string_view> names{"workflow-devkit", "generic"};
  for (const auto& profile : builtin_profiles()) names.push_back(profile.name);
  return names;
}
// Each in the order of its enum.
constexpr std::array<std::string_view, 3> kBaselines = {"all", "active", "none"};
constexpr std::array<std::string_view, 3> kLostPolicies = {"recreate_and_scan", "stop", "poll"};
constexpr std::array<std::string_view, 2> kLogFormats = {"logfmt", "json"};

/// auto, then the generations.
[[nodiscard]] std::vector<std::string_view> engine_names() {
  std::vector<std::string_view> names{"auto"};
  for (std::size_t i = 0; i < core::kGenerations; ++i) {
    names.push_back(core::to_string(static_cast<core::Engine>(i)));
  }
  return names;
}
// default and off, then Severity.
constexpr std::array<std::string_view, 6> kRuleSettings = {"default",  "off",      "fatal",
                                                           "conflict", "harmless", "unknown"};

constexpr std::array<std::string_view, core::kQuarantineModes> kQuarantineModes = {"observe", "record",
                                                                                   "remove"};
/// Of the others something would be lost, or removal was not measured to heal.
[[nodiscard]] std::vector<std::string_view> removable_rule_names() {
  std::vector<std::string_view> names;
  const auto removable = core::removable_rules();
  for (std::size_t i = 0; i < core::kRules; ++i) {
    if (removable[i]) names.push_back(core::to_string(static_cast<core::Rule>(i)));
  }
  return names;
}

constexpr std::size_t kIdentityColumnsMax = 4;
constexpr std::size_t kAcknowledgedMax = 1000;
constexpr std::size_t kAllowedHostsMax = 64;

/// parse_duration and the like with their range bound.
[[nodiscard]] auto duration(Milliseconds min, Milliseconds max) {
  return [=](std::string_view text) { return parse_duration(text, {min, max}); };
}
[[nodiscard]] auto number(std::uint64_t min, std::uint64_t max) {
  return [=](std::string_view text) { return parse_number(text, {min, max}); };
}
[[nodiscard]] auto bytes(std::uint64_t min, std::uint64_t max) {
  return [=](std::string_view text) { return parse_bytes(text, {min, max}); };
}

template <class T>
void place(std::optional<Placed<T>>& target, std::optional<T> value, const Reader& reader) {
  if (value) target = Placed<T>{*std::move(value), reader.place()};
}

using R = const Reader&;

void read_basic_auth(std::optional<Placed<std::string>>& target, std::optional<std::string> value, R r,
                     Draft& d) {
  d.basic_auth.refused = d.basic_auth.refused || !value;
  place(target, std::move(value), r);
}

void read_engine(R r, Draft& d) {
  std::size_t index = 0;
  const auto names = engine_names();
  r.choice(index, names);
  if (index > 0) d.config.rules.engine = static_cast<core::Engine>(index - 1);
}

template <core::Rule rule>
void read_rule(R r, Draft& d) {
  std::size_t index = 0;
  r.choice(index, kRuleSettings);
  auto& setting = d.config.rules.rules[static_cast<std::size_t>(rule)];
  setting.enabled = index != 1;
  if (index > 1) setting.severity = static_cast<core::Severity>(index - 2);
}

void read_webhook_severities(R r, Draft& d) {
  const auto names = r.list(
      [](std::string_view text) -> Parsed<std::string> {
        auto index = parse_choice(text, kSeverityNames);
        if (auto* refusal = std::get_if<Refusal>(&index)) return std::move(*refusal);
        return std::string{text};
      },
      {1, kSeverityNames.size()});
  if (!names) return;
  auto& wanted = d.config.webhook.severities;
  wanted.fill(false);
  for (const auto& name : *names) {
    const auto at = std::ranges::find(kSeverityNames, name) - kSeverityNames.begin();
    wanted[static_cast<std::size_t>(at)] = true;
  }
}

void read_quarantine_rules(R r, Draft& d) {
  const auto names = r.list(
      [](std::string_view text) -> Parsed<std::string> {
        auto index = parse_choice(text, removable_rule_names());
        if (auto* refusal = std::get_if<Refusal>(&index)) return std::move(*refusal);
        return std::string{text};
      },
      {1, removable_rule_names().size()});
  if (!names) return;
  auto& rules = d.config.quarantine.rules;
  for (std::size_t i = 0; i < core::kRules; ++i) {
    rules[i] = std::ranges::count(*names, core::to_string(static_cast<core::Rule>(i))) != 0;
  }
}

constexpr auto kKeys = std::to_array<KeySpec>({
    {"connection"},
    {"connection.dsn", [](R r, Draft& d) { r.into(d.config.connection.dsn, parse_dsn); }, true},
    // libpq counts whole seconds and takes 1 for 2.
    {"connection.connect_timeout",
     [](R r, Draft& d) { r.into(d.config.connection.connect_timeout, duration(seconds{1}, minutes{10})); }},
    {"connection.startup_timeout",
     [](R r, Draft& d) { r.into(d.config.connection.startup_timeout, duration(seconds{0}, hours{24})); }},
    {"connection.tcp_user_timeout",
     [](R r, Draft& d) { r.into(d.config.connection.tcp_user_timeout, duration(seconds{0}, hours{1})); }},
    {"connection.backoff_min",
     [](R r, Draft& d) {
       r.into(d.config.connection.backoff_min, duration(Milliseconds{10}, minutes{1}));
       d.backoff_place = r.place();
     }},
    {"connection.backoff_max",
     [](R r, Draft& d) {
       r.into(d.config.connection.backoff_max, duration(Milliseconds{10}, hours{1}));
       d.backoff_place = r.place();
     }},
    {"profile",
     [](R r, Draft& d) {
       std::size_t index = d.generic ? 1 : 0;
       const auto names = profile_names();
       r.choice(index, names);
       d.generic = index == 1;
       if (index > 1) d.builtin = names[index];
       d.profile_place = r.place();
     }},
    {"table"},
    {"table.name", [](R r, Draft& d) { place(d.table.name, r.read(parse_table_name), r); }},
    {"table.scope_columns",
     [](R r, Draft& d) {
       place(d.table.scope_columns, r.list(parse_identifier, {0, core::Profile::kScopeMax}), r);
     }},
    {"table.run_column", [](R r, Draft& d) { place(d.table.run_column, r.read(parse_identifier), r); }},
    {"table.id_column", [](R r, Draft& d) { place(d.table.id_column, r.read(parse_identifier), r); }},
    {"table.identity_columns",
     [](R r, Draft& d) {
       place(d.table.identity_columns, r.list(parse_identifier, {1, kIdentityColumnsMax}), r);
     }},
    {"table.type_column", [](R r, Draft& d) { place(d.table.type_column, r.read(parse_identifier), r); }},
    {"table.types",
     [](R r, Draft& d) { place(d.table.types, r.list(parse_type_name, {1, core::Profile::kTypesMax}), r); }},
    {"table.closing",
     [](R r, Draft& d) {
       place(d.table.closing, r.map_of_lists(parse_type_name, core::Profile::kTypesMax), r);
     }},
    {"table.run_end_types",
     [](R r, Draft& d) {
       place(d.table.run_end_types, r.list(parse_type_name, {1, core::Profile::kTypesMax}), r);
     }},
    {"table.rules", [](R r, Draft& d) { place(d.table.rules, read_rules(r), r); }},
    {"table.order_watch", [](R r, Draft& d) { place(d.table.order_watch, r.read(parse_bool), r); }},
    {"table.run_label", [](R r, Draft& d) { place(d.table.run_label, r.read(parse_label), r); }},
    {"table.event_label", [](R r, Draft& d) { place(d.table.event_label, r.read(parse_label), r); }},
    {"engine", read_engine},
    {"rules"},
    {"rules.duplicate", read_rule<core::Rule::kDuplicate>},
    {"rules.duplicate_created", read_rule<core::Rule::kDuplicateCreated>},
    {"rules.second_terminal", read_rule<core::Rule::kSecondTerminal>},
    {"rules.lifecycle_after_close", read_rule<core::Rule::kLifecycleAfterClose>},
    {"rules.delivery_after_disposal", read_rule<core::Rule::kDeliveryAfterDisposal>},
    {"rules.id_scheme", read_rule<core::Rule::kIdScheme>},
    {"rules.slot_gap", read_rule<core::Rule::kSlotGap>},
    {"rules.duplicate_run_event", read_rule<core::Rule::kDuplicateRunEvent>},
    {"rules.hook_self_conflict", read_rule<core::Rule::kHookSelfConflict>},
    {"rules.run_lost", read_rule<core::Rule::kRunLost>},
    {"rules.after_run_end", read_rule<core::Rule::kAfterRunEnd>},
    {"rules.stuck_step", read_rule<core::Rule::kStuckStep>},
    {"rules.orphan", read_rule<core::Rule::kOrphan>},
    {"rules.profile_rule", read_rule<core::Rule::kProfileRule>},
    {"slot"},
    {"slot.name", [](R r, Draft& d) { r.into(d.config.slot.name, parse_slot_name); }},
    {"slot.plugin", [](R r, Draft& d) { r.into(d.config.slot.plugin, parse_plugin); }},
    {"slot.publication", [](R r, Draft& d) { r.into(d.config.slot.publication, parse_identifier); }},
    {"slot.temporary", [](R r, Draft& d) { r.into(d.config.slot.temporary, parse_bool); }},
    {"slot.create", [](R r, Draft& d) { r.into(d.config.slot.create, parse_bool); }},
    {"slot.failover",
     [](R r, Draft& d) {
       r.into(d.config.slot.failover, parse_bool);
       d.failover_place = r.place();
     }},
    {"slot.lost_policy", [](R r, Draft& d) { r.choice(d.config.slot.lost_policy, kLostPolicies); }},
    {"slot.max_retained_wal",
     [](R r, Draft& d) { r.into(d.config.slot.max_retained_wal, parse_wal_limit); }},
    {"poll"},
    {"poll.interval", [](R r, Draft& d) { r.into(d.config.poll.interval, duration(seconds{1}, hours{24})); }},
    {"baseline", [](R r, Draft& d) { r.choice(d.config.baseline, kBaselines); }},
    {"index"},
    {"index.memory_max",
     [](R r, Draft& d) {
       r.into(d.config.index.memory_max_bytes, bytes(std::uint64_t{64} << 10U, std::uint64_t{1024} << 30U));
     }},
    {"index.run_grace",
     [](R r, Draft& d) { r.into(d.config.index.run_grace, duration(seconds{0}, hours{24})); }},
    {"recheck"},
    {"recheck.interval",
     [](R r, Draft& d) { r.into(d.config.recheck.interval, duration(seconds{0}, hours{24})); }},
    {"recheck.stuck_after",
     [](R r, Draft& d) { r.into(d.config.recheck.stuck_after, duration(minutes{1}, hours{24 * 30})); }},
    {"recheck.orphan_after",
     [](R r, Draft& d) { r.into(d.config.recheck.orphan_after, duration(seconds{1}, hours{24 * 30})); }},
    {"heartbeat"},
    {"heartbeat.interval",
     [](R r, Draft& d) { r.into(d.config.heartbeat.interval, duration(seconds{0}, hours{1})); }},
    {"heartbeat.timeout",
     [](R r, Draft& d) { r.into(d.config.heartbeat.timeout, duration(seconds{1}, hours{1})); }},
    {"heartbeat.dsn", [](R r, Draft& d) { r.into(d.config.heartbeat.dsn, parse_dsn); }, true},
    {"findings"},
    {"findings.file", [](R r, Draft& d) { r.into(d.config.findings.file, parse_path); }},
    {"findings.table",
     [](R r, Draft& d) {
       const auto name = r.read([](std::string_view text) {
         return text.empty() ? Parsed<QualifiedName>{QualifiedName{}} : parse_table_name(text);
       });
       if (!name) return;
       d.config.findings.table_schema = name->schema;
       d.config.findings.table_name = name->name;
     }},
    {"findings.log_rate_max",
     [](R r, Draft& d) { r.into(d.config.findings.log_rate_max, number(0, 1'000'000)); }},
    {"findings.acknowledged",
     [](R r, Draft& d) {
       for (const auto& id : r.list(parse_finding_id, {0, kAcknowledgedMax}).value_or(std::vector<std::string>{})) {
         d.config.findings.acknowledged.push_back(std::stoull(id, nullptr, 16));
       }
       std::ranges::sort(d.config.findings.acknowledged);
     }},
    {"findings.keep", [](R r, Draft& d) { r.into(d.config.findings.keep, number(1, 100'000)); }},
    {"http"},
    {"http.listen",
     [](R r, Draft& d) {
       const auto listen = r.read(parse_listen);
       if (!listen) return;
       d.config.http.host = listen->host;
       d.config.http.port = listen->port;
     }},
    {"http.basic_auth"},
    {"http.basic_auth.user",
     [](R r, Draft& d) { read_basic_auth(d.basic_auth.user, r.read(parse_user), r, d); }},
    {"http.basic_auth.password",
     [](R r, Draft& d) { read_basic_auth(d.basic_auth.password, r.read(parse_password), r, d); }, true},
    {"http.basic_auth.password_file",
     [](R r, Draft& d) { read_basic_auth(d.basic_auth.password_file, r.read(parse_path), r, d); }},
    {"http.web_config_file", [](R r, Draft& d) { r.into(d.config.http.web_config_file, parse_path); }},
    {"http.allowed_hosts",
     [](R r, Draft& d) {
       if (auto hosts = r.list(parse_host_pattern, {0, kAllowedHostsMax})) {
         d.config.http.allowed_hosts = *std::move(hosts);
       }
     }},
    {"http.external_url", [](R r, Draft& d) { r.into(d.config.http.external_url, parse_external_url); }},
    {"http.reload", [](R r, Draft& d) { r.into(d.config.http.reload, parse_bool); }},
    {"webhook"},
    {"webhook.url", [](R r, Draft& d) { r.into(d.config.webhook.url, parse_url); }, true},
    {"webhook.secret", [](R r, Draft& d) { r.into(d.config.webhook.secret, parse_secret); }, true},
    {"webhook.ca_file", [](R r, Draft& d) { r.into(d.config.webhook.ca_file, parse_path); }},
    {"webhook.timeout",
     [](R r, Draft& d) { r.into(d.config.webhook.timeout, duration(seconds{1}, minutes{1})); }},
    {"webhook.retry_for",
     [](R r, Draft& d) { r.into(d.config.webhook.retry_for, duration(seconds{0}, hours{24})); }},
    {"webhook.severities", read_webhook_severities},
    {"quarantine"},
    {"quarantine.mode",
     [](R r, Draft& d) {
       r.choice(d.config.quarantine.mode, kQuarantineModes);
       d.quarantine_place = r.place();
     }},
    {"quarantine.dry_run", [](R r, Draft& d) { r.into(d.config.quarantine.dry_run, parse_bool); }},
    {"quarantine.dsn", [](R r, Draft& d) { r.into(d.config.quarantine.dsn, parse_dsn); }, true},
    {"quarantine.rules", read_quarantine_rules},
    {"quarantine.max_per_minute",
     [](R r, Draft& d) { r.into(d.config.quarantine.max_per_minute, number(1, 10'000)); }},
    {"quarantine.max_per_hour",
     [](R r, Draft& d) { r.into(d.config.quarantine.max_per_hour, number(1, 100'000)); }},
    {"quarantine.max_per_run",
     [](R r, Draft& d) { r.into(d.config.quarantine.max_per_run, number(1, 10'000)); }},
    {"log"},
    {"log.format", [](R r, Draft& d) { r.choice(d.config.log.format, kLogFormats); }},
    {"log.level", [](R r, Draft& d) { r.into(d.config.log.level, parse_log_level); }},
});

}  // namespace

std::span<const KeySpec> key_table() noexcept {
  return kKeys;
}

}  // namespace dupwatch::config
