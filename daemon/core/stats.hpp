#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/coverage.hpp"
#include "daemon/core/engine_tables.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/latency_histogram.hpp"
#include "daemon/core/order_watch.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/quarantine_stats.hpp"
#include "daemon/core/repeated_work.hpp"
#include "daemon/core/schema_history.hpp"
#include "daemon/core/witness.hpp"
#include "decoder/decoder.hpp"
#include "decoder/lsn.hpp"

/// What the daemon knows about itself, as plain values: the stream thread fills a snapshot in its own time
/// and hands it to the web thread. Nothing here is touched per event but the counters.
namespace dupwatch::core {

/// Why a run left the index. Closed: metric labels.
enum class Eviction : std::uint8_t { kRunEnded, kMemory, kInvalidated };
inline constexpr std::size_t kEvictions = 3;
[[nodiscard]] std::string_view to_string(Eviction eviction) noexcept;

/// Counters since the daemon's start.
struct Counters {
  /// Rows received, by index into Profile::types; the last place is for unlisted types.
  std::array<std::uint64_t, Profile::kTypesMax + 1> events_by_type{};
  std::uint64_t transactions = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t redeliveries = 0;
  std::array<std::uint64_t, decoder::kDecodeErrorKinds> decode_errors{};
  /// New findings by rule, severity when first told, and origin.
  std::array<std::array<std::array<std::uint64_t, kOrigins>, kSeverities>, kRules> findings{};
  /// Of the fatal ones those whose run may return before it meets the row, by rule and origin.
  std::array<std::array<std::uint64_t, kOrigins>, kRules> findings_may_return{};
  /// Not among `findings`: fatal ones of the stream whose run had ended when they were first seen.
  std::array<std::uint64_t, kRules> findings_after_end{};
  std::uint64_t finding_changes = 0;
  std::uint64_t findings_log_suppressed = 0;
  std::uint64_t log_lines_lost = 0;
  std::uint64_t read_backs = 0;
  std::uint64_t read_back_runs = 0;
  std::uint64_t read_back_rows = 0;
  std::uint64_t read_back_failures = 0;
  /// Runs read back, by the generation that they are judged for and by who said so.
  std::array<std::array<std::uint64_t, kEngineFroms>, kEngines> runs_by_engine{};
  std::array<std::uint64_t, kEvictions> evictions{};
  std::uint64_t status_updates = 0;
  std::uint64_t truncates = 0;
  /// Descriptions of the watched table that pgoutput sent.
  std::uint64_t relations = 0;
  LatencyHistogram commit_to_flag;
  /// How far behind the run's newest id an event's id was when it committed; in ULID runs alone.
  LatencyHistogram commit_order_inversion;
  /// From a wake of the stream's loop to its next wait.
  LatencyHistogram loop_turn;
};

enum class StreamState : std::uint8_t {
  kConnecting,
  kStarting,
  kStreaming,
  kBackingOff,
  kStopping,
  kPolling,
  kStandby  ///< another dupwatch holds the slot: this one takes over when it is gone
};
inline constexpr std::size_t kStreamStates = 7;
[[nodiscard]] std::string_view to_string(StreamState state) noexcept;

enum class BaselineState : std::uint8_t { kNotNeeded, kRunning, kComplete, kFailed };
inline constexpr std::size_t kBaselineStates = 4;
[[nodiscard]] std::string_view to_string(BaselineState state) noexcept;

/// Why the stream was left. Closed: metric labels.
enum class Disconnect : std::uint8_t { kConnectFailed, kServerClosed, kNetwork, kError, kHeartbeatLost };
inline constexpr std::size_t kDisconnects = 5;
[[nodiscard]] std::string_view to_string(Disconnect reason) noexcept;

struct HeartbeatStatus {
  /// Beats are sent: neither switched off nor refused by the server.
  bool enabled = false;
  /// Unix time, 0 = none yet.
  double last_sent_unix_seconds = 0;
  /// Before the first one: since when it is waited for; 0 before the first stream.
  double last_returned_unix_seconds = 0;
  std::uint64_t failures = 0;
  LatencyHistogram round_trip;
};

/// What became of a finding on its way to webhook.url. Closed: metric labels.
enum class WebhookOutcome : std::uint8_t {
  kDelivered,
  kRefused,  ///< a status that says that repeating won't help
  kExpired,  ///< not taken within webhook.retry_for
  kDropped   ///< too many waited
};
inline constexpr std::size_t kWebhookOutcomes = 4;
[[nodiscard]] std::string_view to_string(WebhookOutcome outcome) noexcept;

struct WebhookStats {
  bool enabled = false;
  std::array<std::uint64_t, kWebhookOutcomes> findings{};
  std::uint64_t failed_attempts = 0;
  std::uint64_t waiting = 0;
};

/// The HTTP server.
struct HttpStats {
  /// Requests answered with 401.
  std::uint64_t unauthorized = 0;
  /// Requests refused for their Host or Origin.
  std::uint64_t foreign = 0;
  /// Connections sent away to make room for others.
  std::uint64_t evicted = 0;
  std::uint64_t connections = 0;
  /// The web configuration file was in order when it was read last, or there is none.
  bool web_config_successful = true;
  /// End of the certificate in force, seconds since 1970; 0 = plain HTTP.
  std::int64_t certificate_not_after = 0;
};

struct ConfigReload {
  /// The last attempt was one; true before the first.
  bool successful = true;
  /// Unix time of the last success; the start counts as one.
  double succeeded_unix_seconds = 0;
};

/// The engine's schema, and what became of it since the start.
struct SchemaStatus {
  /// As schema_text() and schema_release() have it; empty: not known, or no schema of the engine.
  std::string releases;
  std::string_view newest;
  /// The oldest first.
  std::vector<SchemaChange> changes;
  std::uint64_t changes_total = 0;
  RowLosses losses;
};

/// Work that was done again since the start.
struct RepeatedStatus {
  std::uint64_t steps_total = 0;
  /// The last ones, the oldest first.
  std::vector<RepeatedStep> steps;
};

/// How the log is watched at present. Closed: metric labels.
enum class WatchMode : std::uint8_t { kStreaming, kPolling };
inline constexpr std::size_t kWatchModes = 2;
[[nodiscard]] std::string_view to_string(WatchMode mode) noexcept;

/// The stream as it stands.
struct StreamStatus {
  std::array<std::uint64_t, kDisconnects> disconnects{};
  decoder::Lsn received;
  decoder::Lsn confirmed;
  /// The server's end of WAL as last reported, from frames and from the slot poll.
  decoder::Lsn server_end;
  /// Age of the newest judged commit while behind, 0 when caught up.
  double lag_seconds = 0;
  /// Unix time of the last byte from the walsender, 0 = none yet.
  double last_message_unix_seconds = 0;
};

/// The server that is watched.
struct ServerStatus {
  std::string version;
  std::string system_identifier;
  std::uint32_t timeline = 0;
};

struct IndexStatus {
  std::uint64_t runs = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_max = 0;
  /// Runs.
  std::uint64_t read_back_pending = 0;
};

struct FindingsStatus {
  /// In state open, by rule and severity.
  std::array<std::array<std::uint64_t, kSeverities>, kRules> open{};
  /// Of the fatal ones those whose run may return before it meets the row, by rule.
  std::array<std::uint64_t, kRules> may_return{};
  /// In state acknowledged, by severity.
  std::array<std::uint64_t, kSeverities> acknowledged{};
  /// Neither the findings file nor the table has refused the last write.
  bool durable = true;
  /// The table has yet to take them.
  std::uint64_t waiting = 0;
  /// Of the file, of the table.
  std::array<std::uint64_t, 2> write_failures{};
};

struct BaselineStatus {
  BaselineState state = BaselineState::kNotNeeded;
  std::uint64_t rows = 0;
  std::uint64_t runs = 0;
  /// Estimated total of runs to judge, 0 = unknown.
  std::uint64_t runs_total = 0;
};

struct SlotStatus {
  std::string name;
  std::string plugin;
  /// From pg_replication_slots; negative = not known or unlimited.
  std::int64_t retained_bytes = -1;
  std::int64_t safe_bytes = -1;
  std::string wal_status;
  /// nullopt: not known, no limit, or the slot is not on its way there.
  std::optional<double> seconds_to_lost;
  std::uint64_t fuse_blown = 0;
  /// How often the slot was.
  std::uint64_t lost = 0;
  std::uint64_t poison_rows = 0;
  /// Scans in the place of a slot.
  std::uint64_t polls = 0;
};

struct CoverageStatus {
  /// What was not seen, the oldest first.
  std::vector<CoverageGap> gaps;
  std::array<std::uint64_t, kGapReasons> opened{};
  std::array<std::uint64_t, kGapReasons> open{};
  /// nullopt while a gap is open.
  std::optional<decoder::Timestamp> complete_since;
};

/// Of `dupwatch guard`, as of the last look at the tables.
struct GuardStatus {
  bool enabled = false;
  std::uint64_t suppressed = 0;
};

/// What every part of the daemon says of itself: one member for each, filled in by it alone.
struct StatusSnapshot {
  Counters counters;
  StreamState state = StreamState::kConnecting;
  WatchMode mode = WatchMode::kStreaming;
  bool ready = false;
  /// Why not ready, a sentence for people; empty when ready.
  std::string not_ready_reason;
  /// As configured; nullopt: auto, which stands for what follows.
  std::optional<Engine> engine;
  AutoEngines auto_engines;
  /// The watched table and publication can be watched as they are.
  bool table_identity_ok = true;
  StreamStatus stream;
  ServerStatus server;
  IndexStatus index;
  FindingsStatus findings;
  BaselineStatus baseline;
  SlotStatus slot;
  CoverageStatus coverage;
  HeartbeatStatus heartbeat;
  WebhookStats webhook;
  QuarantineStats quarantine;
  GuardStatus guard;
  HttpStats http;
  ConfigReload config_reload;
  WitnessStats witness;
  SchemaStatus schema;
  RepeatedStatus repeated;
  OrderWatchStats order_watch;
  EngineTablesStatus engine_tables;
};

}  // namespace dupwatch::core
