#include "daemon/core/reload.hpp"

#include <array>

namespace dupwatch::core {
namespace {

struct Row {
  std::string_view key;
  bool (*differs)(const Config& running, const Config& wanted);
  /// nullptr: the key is read once, or what follows from it can't be undone.
  void (*take)(Config& running, const Config& wanted) = nullptr;
  /// Whether this change of the key can be taken over.
  bool (*possible)(const Config& running, const Config& wanted) = nullptr;
};

template <auto Section, auto Member>
constexpr Row fixed(std::string_view key) {
  return {key, [](const Config& a, const Config& b) { return a.*Section.*Member != b.*Section.*Member; }};
}

template <auto Section, auto Member>
constexpr Row live(std::string_view key) {
  auto row = fixed<Section, Member>(key);
  row.take = [](Config& to, const Config& from) { to.*Section.*Member = from.*Section.*Member; };
  return row;
}

template <Rule rule>
constexpr Row of_rule(std::string_view key) {
  constexpr auto kAt = static_cast<std::size_t>(rule);
  return {key, [](const Config& a, const Config& b) { return a.rules.rules[kAt] != b.rules.rules[kAt]; }};
}

/// Between two pauses; the connection to heartbeat.dsn and the first message are made at the start.
constexpr Row heartbeat_interval() {
  auto row = live<&Config::heartbeat, &HeartbeatConfig::interval>("heartbeat.interval");
  row.possible = [](const Config& a, const Config& b) {
    return a.heartbeat.interval.count() != 0 && b.heartbeat.interval.count() != 0;
  };
  return row;
}

using C = Config;

constexpr auto kRows = std::to_array<Row>({
    fixed<&C::connection, &ConnectionConfig::dsn>("connection.dsn"),
    fixed<&C::connection, &ConnectionConfig::connect_timeout>("connection.connect_timeout"),
    fixed<&C::connection, &ConnectionConfig::startup_timeout>("connection.startup_timeout"),
    fixed<&C::connection, &ConnectionConfig::tcp_user_timeout>("connection.tcp_user_timeout"),
    fixed<&C::connection, &ConnectionConfig::backoff_min>("connection.backoff_min"),
    fixed<&C::connection, &ConnectionConfig::backoff_max>("connection.backoff_max"),
    fixed<&C::profile, &Profile::name>("profile"),
    {"table", [](const C& a, const C& b) { return a.profile != b.profile; }},
    fixed<&C::rules, &RuleConfig::engine>("engine"),
    of_rule<Rule::kDuplicate>("rules.duplicate"),
    of_rule<Rule::kDuplicateCreated>("rules.duplicate_created"),
    of_rule<Rule::kSecondTerminal>("rules.second_terminal"),
    of_rule<Rule::kLifecycleAfterClose>("rules.lifecycle_after_close"),
    of_rule<Rule::kDeliveryAfterDisposal>("rules.delivery_after_disposal"),
    of_rule<Rule::kIdScheme>("rules.id_scheme"),
    of_rule<Rule::kSlotGap>("rules.slot_gap"),
    of_rule<Rule::kDuplicateRunEvent>("rules.duplicate_run_event"),
    of_rule<Rule::kHookSelfConflict>("rules.hook_self_conflict"),
    of_rule<Rule::kRunLost>("rules.run_lost"),
    of_rule<Rule::kAfterRunEnd>("rules.after_run_end"),
    of_rule<Rule::kStuckStep>("rules.stuck_step"),
    of_rule<Rule::kOrphan>("rules.orphan"),
    of_rule<Rule::kProfileRule>("rules.profile_rule"),
    fixed<&C::slot, &SlotConfig::name>("slot.name"),
    fixed<&C::slot, &SlotConfig::plugin>("slot.plugin"),
    fixed<&C::slot, &SlotConfig::publication>("slot.publication"),
    fixed<&C::slot, &SlotConfig::temporary>("slot.temporary"),
    fixed<&C::slot, &SlotConfig::create>("slot.create"),
    fixed<&C::slot, &SlotConfig::failover>("slot.failover"),
    live<&C::slot, &SlotConfig::lost_policy>("slot.lost_policy"),
    live<&C::slot, &SlotConfig::max_retained_wal>("slot.max_retained_wal"),
    live<&C::poll, &PollConfig::interval>("poll.interval"),
    {"baseline", [](const C& a, const C& b) { return a.baseline != b.baseline; }},
    fixed<&C::index, &IndexConfig::memory_max_bytes>("index.memory_max"),
    fixed<&C::index, &IndexConfig::run_grace>("index.run_grace"),
    live<&C::recheck, &RecheckConfig::interval>("recheck.interval"),
    live<&C::recheck, &RecheckConfig::stuck_after>("recheck.stuck_after"),
    live<&C::recheck, &RecheckConfig::orphan_after>("recheck.orphan_after"),
    heartbeat_interval(),
    live<&C::heartbeat, &HeartbeatConfig::timeout>("heartbeat.timeout"),
    fixed<&C::heartbeat, &HeartbeatConfig::dsn>("heartbeat.dsn"),
    fixed<&C::findings, &FindingsConfig::file>("findings.file"),
    {"findings.table",
     [](const C& a, const C& b) {
       return a.findings.table_schema != b.findings.table_schema ||
              a.findings.table_name != b.findings.table_name;
     }},
    live<&C::findings, &FindingsConfig::log_rate_max>("findings.log_rate_max"),
    live<&C::findings, &FindingsConfig::acknowledged>("findings.acknowledged"),
    fixed<&C::findings, &FindingsConfig::keep>("findings.keep"),
    {"http.listen",
     [](const C& a, const C& b) { return a.http.host != b.http.host || a.http.port != b.http.port; }},
    live<&C::http, &HttpConfig::basic_auth>("http.basic_auth"),
    fixed<&C::http, &HttpConfig::web_config_file>("http.web_config_file"),
    live<&C::http, &HttpConfig::allowed_hosts>("http.allowed_hosts"),
    live<&C::http, &HttpConfig::external_url>("http.external_url"),
    fixed<&C::http, &HttpConfig::reload>("http.reload"),
    fixed<&C::webhook, &WebhookConfig::url>("webhook.url"),
    fixed<&C::webhook, &WebhookConfig::secret>("webhook.secret"),
    fixed<&C::webhook, &WebhookConfig::ca_file>("webhook.ca_file"),
    fixed<&C::webhook, &WebhookConfig::timeout>("webhook.timeout"),
    fixed<&C::webhook, &WebhookConfig::retry_for>("webhook.retry_for"),
    live<&C::webhook, &WebhookConfig::severities>("webhook.severities"),
    fixed<&C::quarantine, &QuarantineConfig::mode>("quarantine.mode"),
    fixed<&C::quarantine, &QuarantineConfig::dry_run>("quarantine.dry_run"),
    fixed<&C::quarantine, &QuarantineConfig::dsn>("quarantine.dsn"),
    fixed<&C::quarantine, &QuarantineConfig::rules>("quarantine.rules"),
    fixed<&C::quarantine, &QuarantineConfig::max_per_minute>("quarantine.max_per_minute"),
    fixed<&C::quarantine, &QuarantineConfig::max_per_hour>("quarantine.max_per_hour"),
    fixed<&C::quarantine, &QuarantineConfig::max_per_run>("quarantine.max_per_run"),
    live<&C::log, &LogConfig::format>("log.format"),
    live<&C::log, &LogConfig::level>("log.level"),
});

}  // namespace

ConfigChange take_over(Config& running, const Config& wanted) {
  ConfigChange change;
  for (const auto& row : kRows) {
    if (!row.differs(running, wanted)) continue;
    const bool can = row.take != nullptr && (row.possible == nullptr || row.possible(running, wanted));
    (can ? change.applied : change.needs_restart).push_back(row.key);
    if (can) row.take(running, wanted);
  }
  return change;
}

std::vector<ReloadKey> reload_keys() {
  std::vector<ReloadKey> keys;
  keys.reserve(kRows.size());
  for (const auto& row : kRows) keys.push_back({.name = row.key, .live = row.take != nullptr});
  return keys;
}

}  // namespace dupwatch::core
