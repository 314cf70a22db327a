#include "daemon/run/status_publisher.hpp"

#include <algorithm>
#include <utility>

#include "daemon/web/verdict.hpp"

namespace dupwatch::run {
namespace {

constexpr std::chrono::milliseconds kPublishInterval{250};

}  // namespace

StatusPublisher::StatusPublisher(const core::Config& config, process::Log& log)
    : log_(log), store_(config.findings.keep), service_(log) {}

void StatusPublisher::turn(bool streaming, core::Instant now) {
  if (now >= next_) publish(now);
  service_.turn(streaming, now);
}

core::Instant StatusPublisher::deadline() const noexcept {
  return std::min(next_, service_.deadline());
}

core::StatusSnapshot StatusPublisher::snapshot(core::Instant now) const {
  core::StatusSnapshot out;
  for (const auto* part : parts_) {
    part->describe(out, now);
    if (out.not_ready_reason.empty()) out.not_ready_reason = part->trouble(now);
  }
  out.ready = out.not_ready_reason.empty();
  out.counters.log_lines_lost = log_.dropped();
  return out;
}

void StatusPublisher::publish(core::Instant now) {
  next_ = now + kPublishInterval;
  auto status = snapshot(now);
  service_.status(web::judge(status, true).sentence);
  store_.publish(std::move(status));
}

}  // namespace dupwatch::run
