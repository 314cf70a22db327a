#include "daemon/run/repeated_work_report.hpp"

#include <utility>

namespace dupwatch::run {

void RepeatedWorkReport::turn(core::Instant now) {
  if (now - minute_ >= std::chrono::minutes{1}) {
    if (const auto count = std::exchange(left_out_, 0); count != 0) {
      log_.info("more work was done again than was said; dupwatch_repeated_work_total counts it all",
                {{"event", "repeated_work_suppressed"}, {"suppressed", std::to_string(count), true}});
    }
    minute_ = now;
    lines_ = 0;
  }
  const auto most = config_.findings.log_rate_max;
  watch_.repeated_work().settle(now);
  for (const auto& step : watch_.repeated_work().take()) {
    if (most != 0 && lines_ >= most) {
      ++left_out_;
      continue;
    }
    ++lines_;
    log(step);
  }
}

void RepeatedWorkReport::log(const core::RepeatedStep& step) {
  log_.info("the body of a step was begun again without a retry: what it does may have been done twice",
            {{"event", "repeated_work"},
             {"kind", "step_body"},
             {"run_id", step.run_id},
             {"correlation_id", step.correlation_id},
             {"event_id", step.event_id},
             {"commit_lsn", step.commit.lsn.valid() ? decoder::to_string(step.commit.lsn) : std::string{}},
             {"starts", std::to_string(step.starts), true},
             {"retries", std::to_string(step.retries), true},
             {"after_close", step.after_close ? "true" : "false", true},
             {"look", core::explain_command(step.run_id)}});
}

void RepeatedWorkReport::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  const auto& work = watch_.repeated_work();
  out.repeated.steps_total = work.total();
  const auto& kept = work.kept();
  const auto shown = std::min(kept.size(), kShownMax);
  out.repeated.steps = {kept.end() - static_cast<std::ptrdiff_t>(shown), kept.end()};
}

}  // namespace dupwatch::run
