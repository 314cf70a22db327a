#include "daemon/core/slot_guard.hpp"

#include <algorithm>

namespace dupwatch::core {

std::optional<std::uint64_t> fuse_bytes(const WalLimit& limit, std::int64_t keep_size_bytes) noexcept {
  if (limit.percent == 0) return limit.bytes == 0 ? std::nullopt : std::optional(limit.bytes);
  if (keep_size_bytes < 0) return WalLimit{}.bytes;
  // Divided first: the setting goes up to 2^63 bytes. What is lost is below 100 bytes.
  return std::max(std::uint64_t{1}, static_cast<std::uint64_t>(keep_size_bytes) / 100 * limit.percent);
}

LostPolicy lost_policy(const SlotConfig& slot) noexcept {
  const bool may_create = slot.create || slot.lost_policy != LostPolicy::kRecreateAndScan;
  return may_create ? slot.lost_policy : LostPolicy::kStop;
}

void RetentionTrend::sample(std::int64_t retained_bytes, GuardTime now) {
  if (!samples_.empty() && now - samples_.back().at < kSpacing) return;
  samples_.push_back({now, retained_bytes});
  while (now - samples_.front().at > kWindow) samples_.pop_front();
}

double RetentionTrend::rate() const noexcept {
  if (samples_.size() < 2) return 0;
  const auto& first = samples_.front();
  const auto& last = samples_.back();
  const std::chrono::duration<double> time = last.at - first.at;
  return std::max(0.0, static_cast<double>(last.bytes - first.bytes) / time.count());
}

std::optional<double> RetentionTrend::seconds_to(std::uint64_t limit) const noexcept {
  if (samples_.empty()) return std::nullopt;
  const auto left = static_cast<double>(limit) - static_cast<double>(samples_.back().bytes);
  if (left <= 0) return 0.0;
  const auto speed = rate();
  return speed > 0 ? std::optional(left / speed) : std::nullopt;
}

Milliseconds SlotReturn::lost(GuardTime now, bool at_once) noexcept {
  if (streaming_since_ && now - *streaming_since_ >= kHealthy) losses_ = 0;
  streaming_since_.reset();
  ++losses_;
  const auto doublings = at_once ? losses_ - 1 : losses_;
  if (doublings == 0) return Milliseconds{0};
  auto pause = step_;
  for (std::uint32_t i = 1; i < doublings && pause < kPauseMax; ++i) pause *= 2;
  return std::min<Milliseconds>(pause, kPauseMax);
}

std::uint32_t PoisonWatch::failed(std::string_view sqlstate, std::string_view message,
                                  decoder::Lsn confirmed) {
  if (count_ != 0 && sqlstate == sqlstate_ && message == message_ && confirmed == confirmed_) {
    ++count_;
  } else {
    sqlstate_ = sqlstate;
    message_ = message;
    confirmed_ = confirmed;
    count_ = 1;
  }
  return count_;
}

}  // namespace dupwatch::core
