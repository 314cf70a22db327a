#pragma once

#include <poll.h>

#include <deque>
#include <vector>

#include "daemon/postgres/connection.hpp"

namespace dupwatch::scripted {

/// Gives the outcomes it was told, kReady when there are none left, and remembers what was waited for.
class PlannedWaiter final : public postgres::Waiter {
 public:
  std::deque<Outcome> outcomes;
  std::vector<short> waited;

  Outcome wait(int, short events, postgres::Instant) override {
    waited.push_back(events);
    if (outcomes.empty()) return Outcome::kReady;
    const auto outcome = outcomes.front();
    outcomes.pop_front();
    return outcome;
  }
};

}  // namespace dupwatch::scripted
