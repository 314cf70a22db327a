#include "daemon/run/admission_probe.hpp"

#include <utility>

namespace dupwatch::run {
namespace {

using postgres::Connection;

// A login takes a few round trips, and its socket is not among those that the loop polls.
constexpr std::chrono::milliseconds kLookAgain{10};

}  // namespace

void AdmissionProbe::started(core::ConnectionConfig connection, core::Instant now) {
  connection_ = std::move(connection);
  attempt_.reset();
  farewell_.reset();
  hurried_ = false;
  next_ = now + kInterval;
}

void AdmissionProbe::hurry(core::Instant now) noexcept {
  attempt_.reset();
  hurried_ = true;
  next_ = now;
}

void AdmissionProbe::tick(core::Instant now, bool others) {
  if (now < next_) return;
  next_ = now + kInterval;
  if (!attempt_) {
    if (others && !hurried_) return;
    begun_ = now;
    attempt_.emplace(connection_, Connection::Kind::kSql);
  }
  switch (attempt_->advance()) {
    case Connection::Progress::kWantRead:
    case Connection::Progress::kWantWrite:
      if (now - begun_ < kAttemptMax) {
        next_ = now + kLookAgain;
        return;
      }
      break;
    case Connection::Progress::kFailed:
      if (auto error = attempt_->error(postgres::Stage::kConnect); postgres::says_goodbye(error)) {
        farewell_ = std::move(error);
      }
      break;
    case Connection::Progress::kReady:
      break;
  }
  attempt_.reset();
  hurried_ = false;
}

}  // namespace dupwatch::run
