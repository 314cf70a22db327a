#include "daemon/core/order_watch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace dupwatch::core {
namespace {

constexpr double kMicros = 1e6;

}  // namespace

void OrderWatch::begin(const decoder::Begin& transaction) {
  // After a reconnect the stream repeats what was not confirmed. Another server's positions may be smaller,
  // but its transactions are newer.
  again_ = transaction.commit_lsn <= last_.commit_lsn && transaction.commit_time <= last_.commit_time;
  transaction_ = transaction;
  has_rows_ = false;
}

void OrderWatch::row(std::string_view id) {
  if (again_ || id.size() > kIdBytesMax) return;
  ++rows_;
  if (!has_rows_ || less(greatest_, id)) greatest_ = id;
  has_rows_ = true;
  if (steps_.empty() || !less(id, steps_.back().id)) {
    observe(0);
    return;
  }
  ++behind_;
  const auto passed = std::ranges::upper_bound(
      steps_, id, [&](std::string_view a, std::string_view b) { return less(a, b); }, &Step::id);
  observe(std::max<std::int64_t>(0, transaction_.commit_time.micros - passed->micros));
}

void OrderWatch::commit() {
  if (again_) return;
  last_ = transaction_;
  if (!has_rows_ || (!steps_.empty() && !less(steps_.back().id, greatest_))) return;
  steps_.push_back({.id = greatest_, .micros = transaction_.commit_time.micros});
  if (steps_.size() > kStepsMax) thin_out();
}

void OrderWatch::observe(std::int64_t micros) {
  const auto length = static_cast<std::uint64_t>(micros);
  ++buckets_[bucket_of(length)];
  longest_ = std::max(longest_, length);
  delay_.observe(static_cast<double>(micros) / kMicros);
}

void OrderWatch::thin_out() {
  const auto now = steps_.back().micros;
  std::deque<Step> kept;
  for (auto& step : steps_) {
    // One step for both: what lies between their ids is told to have been passed at the earlier moment.
    if (!kept.empty() && step.micros - kept.back().micros < (now - step.micros) / kAgeShare) {
      kept.back().id = std::move(step.id);
    } else {
      kept.push_back(std::move(step));
    }
  }
  while (kept.size() > kStepsMax) {
    kept[1].micros = kept[0].micros;
    kept.pop_front();
  }
  steps_ = std::move(kept);
}

std::size_t OrderWatch::bucket_of(std::uint64_t micros) noexcept {
  if (micros < kParts) return micros;
  const auto shift = static_cast<unsigned>(std::bit_width(micros) - std::bit_width(kParts));
  return shift * kParts + (micros >> shift);
}

std::uint64_t OrderWatch::end_of(std::size_t bucket) noexcept {
  if (bucket < 2 * kParts) return bucket;
  const auto shift = bucket / kParts - 1;
  return ((bucket - shift * kParts + 1) << shift) - 1;
}

double OrderWatch::needed_by(double share) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(rows_)));
  std::uint64_t counted = 0;
  for (std::size_t i = 0; i < kBuckets && wanted != 0; ++i) {
    counted += buckets_[i];
    if (counted >= wanted) return static_cast<double>(std::min(end_of(i), longest_)) / kMicros;
  }
  return 0;
}

OrderWatchStats OrderWatch::stats() const {
  OrderWatchStats out{.enabled = true, .rows = rows_, .behind = behind_, .delay = delay_, .needed = {}};
  std::ranges::transform(kOrderShares, out.needed.begin(), [&](double share) { return needed_by(share); });
  return out;
}

}  // namespace dupwatch::core
