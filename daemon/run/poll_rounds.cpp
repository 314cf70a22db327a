#include "daemon/run/poll_rounds.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {

bool PollRounds::wait(core::Instant until, postgres::Waiter& waiter) {
  const auto begun = process::steady_now();
  // The last slot's figures are nobody's any more.
  parts_.monitor.no_slot();
  // Room for the scan beside the two connections that look for a slot again.
  parts_.sql.renew({}, begun);
  const bool waits = until > begun;
  // Without a pause the first scan is for a slot whose creation is held up.
  next_ = waits ? begun : begun + config_.poll.interval;
  parts_.life.polls(waits);
  if (!waits) return true;
  process::Log::Fields fields{{"event", "polling"},
                              {"interval_ms", std::to_string(config_.poll.interval.count()), true}};
  if (until != core::Instant::max()) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(until - process::steady_now());
    fields.push_back({"slot_again_in_s", std::to_string(left.count()), true});
  }
  parts_.log.warn("no replication slot: the open runs are scanned at intervals", fields);
  for (auto now = process::steady_now(); now < until; now = process::steady_now()) {
    const auto wanted = std::min(until, std::max(next_, now + std::chrono::milliseconds{250}));
    if (waiter.wait(parts_.wake.fd(), POLLIN, wanted) == postgres::Waiter::Outcome::kInterrupted) {
      return false;
    }
    parts_.wake.clear();
  }
  return true;
}

void PollRounds::turn(core::Instant now) {
  if (!parts_.life.scans_for_want_of_slot()) return;
  if (now >= next_ && parts_.scans.may_begin(now) && parts_.findings.accepts()) {
    next_ = now + config_.poll.interval;
    ++scans_;
    parts_.scans.poll();
  }
  parts_.findings.report(now);
}

void PollRounds::interval_changed(core::Instant now) {
  next_ = std::min(next_, now + config_.poll.interval);
}

}  // namespace dupwatch::run
