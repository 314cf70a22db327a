#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"

/// The configuration as the daemon uses it: every value checked, every default filled in.
namespace dupwatch::core {

using Milliseconds = std::chrono::milliseconds;

/// The one server that the slot is on, of those that a DSN may lead to.
struct ServerPin {
  /// As libpq names them; all empty = whichever the DSN leads to.
  std::string host;
  std::string hostaddr;
  std::string port;
  /// When its postmaster started, as the server writes it: no two servers share it. Empty = not compared.
  std::string started;
  /// Whatever target_session_attrs asks for.
  bool any_role = false;
};

struct ConnectionConfig {
  /// libpq conninfo string or URI. May hold a password: never logged, never exported.
  std::string dsn;
  Milliseconds connect_timeout{10'000};
  /// How long an unreachable server is retried before the first success; 0 = for ever.
  Milliseconds startup_timeout{60'000};
  /// Sets TCP_USER_TIMEOUT, so that a dead peer is noticed without waiting for the kernel's 15 minutes.
  Milliseconds tcp_user_timeout{30'000};
  Milliseconds backoff_min{100};
  Milliseconds backoff_max{30'000};
  /// Not from the file: a DSN of several servers leads queries to that of the stream.
  ServerPin server;
};

enum class PluginChoice : std::uint8_t { kAuto, kWal2json, kPgoutput };

/// What happens when the server has given the slot up (WAL removed, invalidated).
enum class LostPolicy : std::uint8_t { kRecreateAndScan, kStop, kPoll };

/// How much WAL the slot may hold back before dupwatch itself gives the slot up.
struct WalLimit {
  /// 0 = no limit.
  std::uint64_t bytes = std::uint64_t{10} << 30U;
  /// Not 0: share of the server's max_slot_wal_keep_size, in the place of `bytes` where the server has one.
  std::uint32_t percent = 0;
  friend bool operator==(const WalLimit&, const WalLimit&) = default;
};

struct SlotConfig {
  std::string name = "dupwatch";
  PluginChoice plugin = PluginChoice::kAuto;
  std::string publication = "dupwatch";
  /// A temporary slot retains no WAL once the daemon is gone; then every start begins without history.
  bool temporary = false;
  /// Create the slot when it does not exist; otherwise a missing slot stops the daemon.
  bool create = true;
  /// Standbys may keep a copy of the slot and go on from it when they are promoted; Postgres 17 and later.
  bool failover = false;
  LostPolicy lost_policy = LostPolicy::kRecreateAndScan;
  WalLimit max_retained_wal{};
};

/// What takes the stream's place while there is no slot: scans of the open runs.
struct PollConfig {
  Milliseconds interval{30'000};
};

enum class Baseline : std::uint8_t { kAll, kActive, kNone };

/// What decides severities.
struct RuleConfig {
  /// nullopt = auto: by the ids of each run, and by what the schema shows.
  std::optional<Engine> engine;
  RuleSettings rules{};
};

struct IndexConfig {
  std::uint64_t memory_max_bytes = std::uint64_t{256} << 20U;
  /// How long a run stays in the index after its terminal event.
  Milliseconds run_grace{60'000};
};

/// The periodic look at the tables: rows that are gone, and what no event shows.
struct RecheckConfig {
  /// 0 = off.
  Milliseconds interval{60'000};
  /// A step that runs for so long may be stuck.
  Milliseconds stuck_after{30 * 60'000};
  /// How long an entity may lack its event: both are written in one moment, but not in one transaction.
  Milliseconds orphan_after{5 * 60'000};
};

/// A message through the WAL and back, which proves that what commits arrives.
struct HeartbeatConfig {
  /// 0 = off.
  Milliseconds interval{30'000};
  /// A message that is not back after so long is a reason not to be ready.
  Milliseconds timeout{60'000};
  /// Where the message is written; empty = where the slot is. May hold a password.
  std::string dsn;
};

struct FindingsConfig {
  /// JSON lines, one per finding or change of one; empty = off. Synced to disk before its LSN is confirmed.
  std::string file;
  /// Table that holds the newest state of every finding; empty = off. Committed before its LSN is confirmed.
  std::string table_schema;
  std::string table_name;
  /// Log lines per minute and rule for findings that are neither fatal nor a conflict; 0 = no limit.
  std::uint32_t log_rate_max = 60;
  /// Finding ids that are no news: they are told, but not counted as open. Sorted.
  std::vector<std::uint64_t> acknowledged;
  /// Newest findings kept in memory for /api/findings.
  std::uint32_t keep = 1000;
};

/// What a client must know to be told more than whether dupwatch is well.
struct BasicAuthConfig {
  /// Empty = everybody is told everything.
  std::string user;
  /// Never logged, never exported.
  std::string password;
  [[nodiscard]] bool enabled() const noexcept { return !user.empty(); }
  friend bool operator==(const BasicAuthConfig&, const BasicAuthConfig&) = default;
};

struct HttpConfig {
  /// Empty host = HTTP off.
  std::string host = "127.0.0.1";
  /// 0 = any free port, which is logged.
  std::uint16_t port = 9788;
  BasicAuthConfig basic_auth{};
  /// In the format of Prometheus' exporter-toolkit; empty = none.
  std::string web_config_file{};
  /// Names that requests may be for, beside those that need no saying; see web::HostRules.
  std::vector<std::string> allowed_hosts{};
  /// Where people reach the page, without a slash at its end; empty = no links.
  std::string external_url{};
  /// POST /-/reload does what SIGHUP does.
  bool reload = false;
  [[nodiscard]] bool enabled() const noexcept { return !host.empty(); }
};

/// Findings sent to a URL as they are told.
struct WebhookConfig {
  /// Empty = off. May hold a token: never logged, never exported.
  std::string url;
  /// Key of the signature; empty = none.
  std::string secret;
  /// PEM file of the authorities to trust; empty = the system's.
  std::string ca_file;
  /// Of one attempt.
  Milliseconds timeout{10'000};
  /// How long a request is repeated before it is given up.
  Milliseconds retry_for{3'600'000};
  /// By Severity: fatal and conflict.
  std::array<bool, kSeverities> severities{true, true, false, false};
};

/// What becomes of the row at fault of a fatal finding.
enum class QuarantineMode : std::uint8_t {
  kObserve,  ///< nothing
  kRecord,   ///< it is copied to dupwatch.quarantine and stays in the log
  kRemove    ///< it is moved to dupwatch.quarantine
};
inline constexpr std::size_t kQuarantineModes = 3;
[[nodiscard]] std::string_view to_string(QuarantineMode mode) noexcept;

/// Taking fatal rows out of the log without being asked.
struct QuarantineConfig {
  QuarantineMode mode = QuarantineMode::kObserve;
  /// Everything but the writing.
  bool dry_run = false;
  /// Where the rows are taken out; empty = where the slot is. May hold a password.
  std::string dsn;
  /// By Rule; some of removable_rules().
  std::array<bool, kRules> rules = removable_rules();
  /// Acts on this table, by whichever instance. More in a minute or an hour open the circuit; more in one run
  /// are refused.
  std::uint32_t max_per_minute = 20;
  std::uint32_t max_per_hour = 200;
  std::uint32_t max_per_run = 5;
};

enum class LogFormat : std::uint8_t { kLogfmt, kJson };
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

struct LogConfig {
  LogFormat format = LogFormat::kLogfmt;
  LogLevel level = LogLevel::kInfo;
};

struct Config {
  ConnectionConfig connection;
  Profile profile = workflow_devkit_profile();
  SlotConfig slot;
  PollConfig poll;
  Baseline baseline = Baseline::kActive;
  RuleConfig rules;
  IndexConfig index;
  RecheckConfig recheck;
  HeartbeatConfig heartbeat;
  FindingsConfig findings;
  HttpConfig http;
  WebhookConfig webhook;
  QuarantineConfig quarantine;
  LogConfig log;
};

}  // namespace dupwatch::core
