#include "daemon/core/rule_doubts.hpp"

#include <algorithm>

namespace dupwatch::core {

void RuleDoubts::note(std::string_view run_id, Instant now) {
  ask_at(run_id, now + kLasts);
}

void RuleDoubts::put_off(std::string_view run_id, Instant now) {
  ask_at(run_id, now + kRetry);
}

void RuleDoubts::ask_at(std::string_view run_id, Instant when) {
  if (runs_.contains(run_id) || runs_.size() >= kRunsMax) return;
  runs_.emplace(run_id, when);
  next_ = std::min(next_, when);
}

std::vector<std::string> RuleDoubts::due(Instant now, std::size_t count) {
  std::vector<std::string> out;
  if (next_ > now) return out;
  next_ = Instant::max();
  for (auto run = runs_.begin(); run != runs_.end();) {
    if (run->second <= now && out.size() < count) {
      out.push_back(run->first);
      run = runs_.erase(run);
    } else {
      next_ = std::min(next_, run->second);
      ++run;
    }
  }
  return out;
}

void RuleDoubts::clear() noexcept {
  runs_.clear();
  next_ = Instant::max();
}

}  // namespace dupwatch::core
