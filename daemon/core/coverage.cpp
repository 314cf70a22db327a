#include "daemon/core/coverage.hpp"

#include <algorithm>

namespace dupwatch::core {

std::string_view to_string(GapReason reason) noexcept {
  switch (reason) {
    case GapReason::kFirstStart:
      return "first_start";
    case GapReason::kSlotCreated:
      return "slot_created";
    case GapReason::kOtherHistory:
      return "other_history";
    case GapReason::kPositionAhead:
      return "position_ahead";
    case GapReason::kDecodeError:
      return "decode_error";
    case GapReason::kTableChanged:
      return "table_changed";
    case GapReason::kSlotLost:
      return "slot_lost";
    case GapReason::kFuse:
      return "fuse";
    case GapReason::kPoisonRow:
      return "poison_row";
    case GapReason::kRowSecurity:
      return "row_security";
    case GapReason::kUnknownPast:
      return "unknown_past";
    case GapReason::kRestored:
      return "restored";
    case GapReason::kDeaf:
      return "deaf";
    case GapReason::kBlind:
      return "blind";
  }
  return "?";
}

void Coverage::open(GapReason reason, decoder::Lsn from, decoder::Lsn to, decoder::Timestamp now) {
  complete_since_.reset();
  ++revision_;
  for (auto& entry : entries_) {
    if (entry.gap.closed || entry.gap.reason != reason) continue;
    entry.gap.from = std::min(entry.gap.from, from);
    entry.gap.to = std::max(entry.gap.to, to);
    if (!is_planted(Planted::kCloseUnscanned)) entry.scanned = false;
    return;
  }
  ++total_[static_cast<std::size_t>(reason)];
  entries_.push_back(
      {.gap = {.reason = reason, .from = from, .to = to, .opened = now, .closed = std::nullopt}});
  if (entries_.size() <= kGapsMax) return;
  // At most kGapReasons are open, so there is a closed one.
  entries_.erase(
      std::ranges::find_if(entries_, [](const Entry& entry) { return entry.gap.closed.has_value(); }));
}

bool Coverage::needs_scan() const noexcept {
  return std::ranges::any_of(entries_,
                             [](const Entry& entry) { return !entry.gap.closed && !entry.scanned; });
}

void Coverage::scan_begins() noexcept {
  for (auto& entry : entries_) entry.scanned = true;
}

std::vector<CoverageGap> Coverage::scan_ended(decoder::Timestamp now) {
  std::vector<CoverageGap> out;
  for (auto& entry : entries_) {
    if (entry.gap.closed || !entry.scanned) continue;
    entry.gap.closed = now;
    out.push_back(entry.gap);
    closing_ = true;
    awaited_.reset();
    ++revision_;
  }
  if (complete() && !complete_since_) complete_since_ = now;
  return out;
}

void Coverage::scan_failed() noexcept {
  for (auto& entry : entries_) {
    if (!entry.gap.closed) entry.scanned = false;
  }
}

void Coverage::started(decoder::Timestamp now) noexcept {
  if (complete() && !complete_since_) complete_since_ = now;
}

bool Coverage::complete() const noexcept {
  return std::ranges::all_of(entries_, [](const Entry& entry) { return entry.gap.closed.has_value(); });
}

std::vector<CoverageGap> Coverage::gaps() const {
  std::vector<CoverageGap> out;
  for (const auto& entry : entries_) out.push_back(entry.gap);
  return out;
}

std::vector<CoverageGap> Coverage::open_gaps() const {
  std::vector<CoverageGap> out;
  for (const auto& entry : entries_) {
    if (!entry.gap.closed) out.push_back(entry.gap);
  }
  return out;
}

std::vector<CoverageGap> Coverage::recorded_gaps() const {
  std::vector<CoverageGap> out;
  for (const auto& entry : entries_) {
    if (entry.recorded) out.push_back(entry.gap);
  }
  return out;
}

void Coverage::forget_closed() noexcept {
  for (auto& entry : entries_) entry.recorded = entry.recorded && !entry.gap.closed;
  closing_ = false;
  awaited_.reset();
  ++revision_;
}

std::array<std::uint64_t, kGapReasons> Coverage::open_now() const noexcept {
  std::array<std::uint64_t, kGapReasons> out{};
  for (const auto& entry : entries_) {
    if (!entry.gap.closed) ++out[static_cast<std::size_t>(entry.gap.reason)];
  }
  return out;
}

std::optional<GapReason> Coverage::open_reason() const noexcept {
  for (const auto& entry : entries_) {
    if (!entry.gap.closed) return entry.gap.reason;
  }
  return std::nullopt;
}

}  // namespace dupwatch::core
