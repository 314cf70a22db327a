#include <array>
#include <string_view>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

// pg_replication_slots.wal_status.
constexpr std::array<std::string_view, 4> kWalStatuses = {"reserved", "extended", "unreserved", "lost"};

void collect_slot_bytes(std::int64_t bytes, S s, Out out) {
  // Absent when unknown or unlimited: 0 would read as "about to be lost", -1 as a number.
  if (bytes >= 0) out.add(static_cast<double>(bytes), {{"slot_name", s.status.slot.name}});
}

void collect_wal_status(S s, Out out) {
  for (const auto value : kWalStatuses) {
    out.add(s.status.slot.wal_status == value, {{"slot_name", s.status.slot.name}, {"wal_status", value}});
  }
}

constexpr auto kSlotMetrics = std::to_array<MetricDef>({
    {"dupwatch_slot_retained_wal_bytes", kGauge, "slot_name", "bytes",
     "WAL the server keeps for the slot; absent until known", 1,
     [](S s, Out out) { collect_slot_bytes(s.status.slot.retained_bytes, s, out); }},
    {"dupwatch_slot_safe_wal_bytes", kGauge, "slot_name", "bytes",
     "WAL that can still be written before the slot is lost; absent when unlimited or not known", 1,
     [](S s, Out out) { collect_slot_bytes(s.status.slot.safe_bytes, s, out); }},
    {"dupwatch_slot_wal_status", kGauge, "slot_name,wal_status", "1",
     "1 for the slot's wal_status, 0 for the others; all 0 until known", kWalStatuses.size(),
     collect_wal_status},
    {"dupwatch_slot_time_to_lost_seconds", kGauge, "slot_name", "seconds",
     "Until the slot is given up by the fuse or by the server, at the rate of the last 5 min; absent while "
     "it is not approaching that",
     1,
     [](S s, Out out) {
       if (const auto& left = s.status.slot.seconds_to_lost) {
         out.add(*left, {{"slot_name", s.status.slot.name}});
       }
     }},
    {"dupwatch_slot_lost_total", kCounter, "", "1", "Times the server had invalidated the slot", 1,
     [](S s, Out out) { out.add(s.status.slot.lost); }},
    {"dupwatch_slot_fuse_blown_total", kCounter, "", "1",
     "Times dupwatch dropped its slot because of the WAL it retained", 1,
     [](S s, Out out) { out.add(s.status.slot.fuse_blown); }},
    {"dupwatch_poison_rows_total", kCounter, "", "1",
     "Places in the WAL that the output plugin could not deliver and that were stepped over", 1,
     [](S s, Out out) { out.add(s.status.slot.poison_rows); }},
    {"dupwatch_watch_mode", kGauge, "mode", "1",
     "1 for the way the log is watched, 0 for the other: polling = no slot, the open runs are scanned at "
     "intervals",
     core::kWatchModes,
     [](S s, Out out) { one_hot<core::WatchMode, core::kWatchModes>(s.status.mode, "mode", out); }},
    {"dupwatch_polls_total", kCounter, "", "1", "Scans of the open runs begun while there was no slot", 1,
     [](S s, Out out) { out.add(s.status.slot.polls); }},
});

}  // namespace

std::span<const MetricDef> slot_metrics() noexcept {
  return kSlotMetrics;
}

}  // namespace dupwatch::web
