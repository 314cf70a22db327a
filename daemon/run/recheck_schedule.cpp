#include "daemon/run/recheck_schedule.hpp"

#include <utility>

namespace dupwatch::run {

void RecheckSchedule::interval_changed(core::Instant now) {
  const bool on = config_.recheck.interval.count() != 0;
  if (on && !recheck_) recheck_ = std::make_unique<Recheck>(config_, parts_.wake);
  plan_.schedule(on ? now + config_.recheck.interval : core::Instant::max());
}

void RecheckSchedule::turn(core::Instant now) {
  if (!recheck_ || parts_.findings.loading()) return;
  if (auto answers = recheck_->take()) take(std::move(*answers));
  plan_.request(parts_.watch.take_look_requests(), now, Recheck::kRunsMax);
  if (now < plan_.deadline()) return;
  const auto interval = config_.recheck.interval;
  // One of the two at a time, so that three connections are the most.
  if (!parts_.life.streaming() || recheck_->busy() || parts_.scans.running()) {
    plan_.postpone(now, interval);
    return;
  }
  parts_.server.session_comes();
  recheck_->remember(parts_.findings.take_restored());
  auto runs = plan_.begin(now, interval);
  for (auto& run : parts_.watch.next_rechecks(Recheck::kRunsMax - runs.size(), now)) {
    runs.push_back(std::move(run));
  }
  const auto& source = parts_.source;
  auto known = parts_.watch.known_findings(runs);
  recheck_->begin({.connection = source.connection,
                   .runs = std::move(runs),
                   .known = std::move(known),
                   .read_back_copy = source.read_back_copy,
                   .traits = source.traits,
                   .settings = config_.recheck});
}

void RecheckSchedule::take(Recheck::Answers answers) {
  // The stream is of another server by now, and this says nothing of its rows.
  if (answers.server != parts_.source.connection.server.started) return;
  const auto trouble = answers.error ? answers.error->message : std::string{};
  if (answers.error && trouble != told_) {
    parts_.log.warn("the periodic look at the tables failed; it is tried again after recheck.interval",
                    {{"reason", std::string(to_string(answers.error->cause))},
                     {"sqlstate", answers.error->sqlstate},
                     {"error", trouble},
                     {"remedy", answers.error->remedy}});
  }
  told_ = trouble;
  if (answers.error) {
    parts_.server.note_farewell(*answers.error);
  } else {
    guard_ = answers.guard;
  }
  for (auto& view : answers.views) parts_.watch.rechecked(std::move(view), answers.asked);
  parts_.findings.record_confirmed(parts_.watch.take_confirmed());
}

void RecheckSchedule::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  out.guard.enabled = guard_ && guard_->enabled;
  if (guard_) out.guard.suppressed = guard_->suppressed.value_or(0);
}

}  // namespace dupwatch::run
