#include "daemon/run/acknowledger.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/process/clock.hpp"
#include "daemon/web/json.hpp"

namespace dupwatch::run {
namespace {

constexpr std::chrono::seconds kLookInterval{1};

web::Response failure(int status, std::string_view sentence) {
  return {status, web::kJsonContentType, web::error_json(sentence)};
}

}  // namespace

bool Acknowledger::turn(core::Instant now) {
  // What an earlier process knew is not there yet.
  if (outputs_.loading()) return false;
  if (done_) answer_when_durable(now);
  bool changed = now >= next_look_ && look_after(now);
  if (is_asked_.load(std::memory_order_relaxed)) {
    take_wish(now);
    changed = changed || done_;
  }
  return changed;
}

bool Acknowledger::look_after(core::Instant now) {
  next_look_ = now + kLookInterval;
  watch_.expire_acknowledgements(process::wall_now(), now);
  const bool told = watch_.has_findings();
  if (told) outputs_.report(watch_.take_findings(), now);
  if (outputs_.take_replaced()) {
    for (auto& finding : watch_.acknowledged()) outputs_.record_again(std::move(finding));
  }
  return told;
}

void Acknowledger::take_wish(core::Instant now) {
  std::optional<web::AcknowledgeRequest> wish;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    is_asked_ = false;
    number = number_;
    wish = std::exchange(wish_, std::nullopt);
  }
  if (!wish) return;
  const auto outcome = wish->acknowledgement
                           ? watch_.acknowledge(wish->finding_id, *std::move(wish->acknowledgement), now)
                           : watch_.unacknowledge(wish->finding_id, now);
  if (outcome != Outcome::kDone) return answer(number, refusal(outcome));
  if (watch_.has_findings()) outputs_.report(watch_.take_findings(), now);
  done_ = Done{.number = number,
               .finding_id = wish->finding_id,
               .added = outputs_.durability().added(),
               .until = now + kDurableMax};
  outputs_.sync(now);
  wake_.signal();
}

void Acknowledger::answer_when_durable(core::Instant now) {
  const bool durable = outputs_.is_durable(done_->added);
  if (!durable && outputs_.keeps_findings() && now < done_->until) return;
  const auto finding = outputs_.reported(done_->finding_id);
  answer(done_->number, {200, web::kJsonContentType,
                         fmt::format(R"({{"durable":{},"finding":{}}})", durable,
                                     finding ? core::to_json(*finding) : "null")});
  done_.reset();
}

web::Response Acknowledger::refusal(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      break;
    case Outcome::kNotKnown:
      return failure(404, "no such finding is known");
    case Outcome::kDoesNotStand:
      return failure(409, "the finding is closed: there is nothing to acknowledge");
    case Outcome::kNot:
      return failure(409, "the finding is not acknowledged");
    case Outcome::kConfiguration:
      return failure(409,
                     "findings.acknowledged of the configuration names the finding: take it out there, and "
                     "reload");
    case Outcome::kFull:
      return failure(507, fmt::format("{} findings are acknowledged already: take some back, or let them end",
                                      core::Acknowledgements::kMax));
  }
  return failure(500, "no outcome");
}

web::Response Acknowledger::ask(const web::AcknowledgeRequest& wish) {
  std::unique_lock lock(mutex_);
  if (stop_ || busy_) return failure(503, "the daemon is busy or stops; try again");
  busy_ = true;
  ++number_;
  wish_ = wish;
  answer_.reset();
  is_asked_ = true;
  wake_.signal();
  changed_.wait_for(lock, kAnswerMax, [this] { return stop_ || answer_.has_value(); });
  busy_ = false;
  if (answer_) return *std::exchange(answer_, std::nullopt);
  const bool untouched = std::exchange(wish_, std::nullopt).has_value();
  return failure(503, untouched ? "the daemon does not get to it; nothing was changed"
                                : "the daemon has not answered in time; look whether it was done");
}

void Acknowledger::answer(std::uint64_t number, web::Response response) {
  {
    const std::lock_guard lock(mutex_);
    if (number == number_) answer_ = std::move(response);
  }
  changed_.notify_all();
}

void Acknowledger::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

}  // namespace dupwatch::run
