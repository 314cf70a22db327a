#include "daemon/core/rule_doubts.hpp"

#include <algorithm>

namespace dupwatch::core {

bool RuleDoubts::note(std::string_view run_id, std::uint64_t finding_id, Instant now) {
  auto known = runs_.find(run_id);
  if (known == runs_.end()) {
    if (runs_.size() >= kRunsMax) return false;
    known = runs_.emplace(run_id, Run{}).first;
    ask_at(known->second, now + kLasts);
  }
  auto& rows = known->second.rows;
  if (rows_ >= kRowsMax) return rows.contains(finding_id);
  if (rows.emplace(finding_id, now + kLasts).second) ++rows_;
  return true;
}

void RuleDoubts::ask_at(Run& run, Instant when) {
  run.due = when;
  next_ = std::min(next_, when);
}

std::vector<std::string> RuleDoubts::due(Instant now, std::size_t count) {
  std::vector<std::string> out;
  if (next_ > now) return out;
  next_ = Instant::max();
  for (auto& [run_id, run] : runs_) {
    if (run.due <= now && out.size() < count) {
      out.push_back(run_id);
      run.due = Instant::max();
      run.asked = now;
    } else {
      next_ = std::min(next_, run.due);
    }
  }
  return out;
}

bool RuleDoubts::has_lasted(std::string_view run_id, std::uint64_t finding_id) const {
  const auto run = runs_.find(run_id);
  if (run == runs_.end()) return false;
  const auto row = run->second.rows.find(finding_id);
  return row != run->second.rows.end() && row->second <= run->second.asked;
}

void RuleDoubts::answered(std::string_view run_id) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end()) return;
  auto& run = found->second;
  rows_ -= std::erase_if(run.rows, [&](const auto& row) { return row.second <= run.asked; });
  if (run.rows.empty()) {
    runs_.erase(found);
  } else {
    ask_at(run, std::ranges::max_element(run.rows, {}, [](const auto& row) { return row.second; })->second);
  }
}

void RuleDoubts::put_off(std::string_view run_id, Instant now) {
  const auto run = runs_.find(run_id);
  if (run != runs_.end()) ask_at(run->second, now + kRetry);
}

void RuleDoubts::clear() noexcept {
  runs_.clear();
  rows_ = 0;
  next_ = Instant::max();
}

}  // namespace dupwatch::core
