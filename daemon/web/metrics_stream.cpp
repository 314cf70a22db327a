#include <algorithm>
#include <array>
#include <string_view>

#include "daemon/web/metric_parts.hpp"
#include "decoder/decoder.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::web {
namespace {

using core::kDisconnects;
using core::kStreamStates;
using decoder::kDecodeErrorKinds;

constexpr std::string_view kOther = "other";

void collect_stream_state(S s, Out out) {
  one_hot<core::StreamState, kStreamStates>(s.status.state, "state", out);
}

void collect_disconnects(S s, Out out) {
  for (std::size_t i = 0; i < kDisconnects; ++i) {
    out.add(s.status.stream.disconnects[i], {{"reason", to_string(static_cast<core::Disconnect>(i))}});
  }
}

void collect_lag_bytes(S s, Out out) {
  // Before the first confirmation the position is 0, and the whole of WAL is not a lag.
  const bool known = s.status.stream.confirmed.valid();
  out.add(known ? decoder::bytes_between(s.status.stream.confirmed, s.status.stream.server_end)
                : std::uint64_t{0});
}

/// Series of a metric by event type. The engine has 20 types or so; what a table lists above this counts as
/// other.
constexpr std::size_t kTypeSeriesMax = 24;

void collect_events(S s, Out out) {
  const auto& counts = s.status.counters.events_by_type;
  if (s.profile.has_rules()) {
    // Each rule has types of its own: they are not counted by themselves.
    std::uint64_t all = 0;
    for (const auto count : counts) all += count;
    out.add(all, {{"event_type", kOther}});
    return;
  }
  auto unlisted = counts[core::Profile::kTypesMax];
  const auto shown = std::min(s.profile.types.size(), kTypeSeriesMax - 1);
  for (std::size_t i = shown; i < s.profile.types.size(); ++i) unlisted += counts[i];
  // A configured type may have the very name that stands for all unlisted ones.
  std::size_t named_other = shown;
  for (std::size_t i = 0; i < shown; ++i) {
    if (s.profile.types[i].name == kOther) named_other = i;
  }
  for (std::size_t i = 0; i < shown; ++i) {
    const auto count = counts[i] + (named_other == i ? unlisted : 0);
    out.add(count, {{"event_type", s.profile.types[i].name}});
  }
  if (named_other == shown) out.add(unlisted, {{"event_type", kOther}});
}

void collect_decode_errors(S s, Out out) {
  for (std::size_t i = 0; i < kDecodeErrorKinds; ++i) {
    out.add(s.status.counters.decode_errors[i],
            {{"reason", decoder::label(static_cast<decoder::DecodeErrorKind>(i))}});
  }
}

constexpr auto kStreamMetrics = std::to_array<MetricDef>({
    {"dupwatch_ready", kGauge, "", "1", "1 while the stream is open and caught up, as /readyz says", 1,
     [](S s, Out out) { out.add(s.status.ready); }},
    {"dupwatch_stream_state", kGauge, "state", "1", "1 for the state the stream is in, 0 for the others",
     kStreamStates, collect_stream_state},
    {"dupwatch_stream_connected", kGauge, "", "1", "1 while START_REPLICATION is open", 1,
     [](S s, Out out) { out.add(s.status.state == core::StreamState::kStreaming); }},
    {"dupwatch_stream_disconnects_total", kCounter, "reason", "1",
     "Failed attempts to connect and lost connections", kDisconnects, collect_disconnects},
    {"dupwatch_stream_received_bytes_total", kCounter, "", "bytes", "Payload received from the walsender", 1,
     [](S s, Out out) { out.add(s.status.counters.received_bytes); }},
    {"dupwatch_stream_transactions_total", kCounter, "", "1", "Transactions received whole", 1,
     [](S s, Out out) { out.add(s.status.counters.transactions); }},
    {"dupwatch_stream_status_updates_total", kCounter, "", "1", "Standby status updates sent to the server",
     1, [](S s, Out out) { out.add(s.status.counters.status_updates); }},
    {"dupwatch_stream_last_message_timestamp_seconds", kGauge, "", "unix time",
     "When the walsender last sent something, keepalives included; 0 = not yet", 1,
     [](S s, Out out) { out.add(s.status.stream.last_message_unix_seconds); }},
    {"dupwatch_stream_lag_bytes", kGauge, "", "bytes",
     "WAL between the server's end of WAL and the confirmed position", 1, collect_lag_bytes},
    {"dupwatch_stream_lag_seconds", kGauge, "", "seconds",
     "Age of the newest judged commit while behind, 0 when caught up", 1,
     [](S s, Out out) { out.add(s.status.stream.lag_seconds); }},
    {"dupwatch_stream_server_lsn_bytes", kGauge, "", "bytes", "The server's end of WAL as last reported", 1,
     [](S s, Out out) { out.add(s.status.stream.server_end.value); }},
    {"dupwatch_stream_received_lsn_bytes", kGauge, "", "bytes", "WAL position received", 1,
     [](S s, Out out) { out.add(s.status.stream.received.value); }},
    {"dupwatch_stream_confirmed_lsn_bytes", kGauge, "", "bytes",
     "WAL position confirmed to the server: everything before it is judged for good", 1,
     [](S s, Out out) { out.add(s.status.stream.confirmed.value); }},
    {"dupwatch_heartbeat_enabled", kGauge, "", "1",
     "1 while messages of dupwatch's own are sent through the slot; 0 = off, or refused by the server", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.enabled); }},
    {"dupwatch_heartbeat_last_sent_timestamp_seconds", kGauge, "", "unix time",
     "When the last one was written; 0 = not yet", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.last_sent_unix_seconds); }},
    {"dupwatch_heartbeat_last_received_timestamp_seconds", kGauge, "", "unix time",
     "When the last one came back; before the first, when waiting for it began", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.last_returned_unix_seconds); }},
    {"dupwatch_loop_turn_seconds", MetricType::kHistogram, "", "seconds",
     "Turns of the loop that reads the stream, from its wake to its next wait", kHistogramSeries,
     [](S s, Out out) { out.add(s.status.counters.loop_turn); }},
    {"dupwatch_heartbeat_roundtrip_seconds", MetricType::kHistogram, "", "seconds",
     "From writing a message to its return through the slot", kHistogramSeries,
     [](S s, Out out) { out.add(s.status.heartbeat.round_trip); }},
    {"dupwatch_heartbeat_failures_total", kCounter, "", "1", "Messages that could not be written", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.failures); }},
    {"dupwatch_events_received_total", kCounter, "event_type", "1",
     "Rows of the watched table received, by event type; other = a type the profile does not list",
     kTypeSeriesMax, collect_events},
    {"dupwatch_redeliveries_total", kCounter, "", "1",
     "Rows seen again with the same run and id, which are not duplicates", 1,
     [](S s, Out out) { out.add(s.status.counters.redeliveries); }},
    {"dupwatch_decode_errors_total", kCounter, "reason", "1",
     "Messages that could not be decoded, whose rows were therefore not checked", kDecodeErrorKinds,
     collect_decode_errors},
});

}  // namespace

std::span<const MetricDef> stream_metrics() noexcept {
  return kStreamMetrics;
}

}  // namespace dupwatch::web
