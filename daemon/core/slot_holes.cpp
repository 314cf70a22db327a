#include "daemon/core/slot_holes.hpp"

#include <algorithm>

namespace dupwatch::core {
namespace {

constexpr std::chrono::seconds kRetry{1};

}  // namespace

void SlotHoles::note(std::string_view run_id, std::uint64_t rows, std::uint64_t greatest, Instant now) {
  const auto missing = greatest > rows ? greatest - rows : 0;
  const auto known = runs_.find(run_id);
  if (known == runs_.end()) {
    if (missing == 0) return;
    if (runs_.size() >= kRunsMax) {
      // Those that the table knows no hole of are asked about once more, should they show one again.
      std::erase_if(runs_, [](const auto& entry) { return entry.second.due == Instant::max(); });
      if (runs_.size() >= kRunsMax) return;
    }
    ask_at(runs_.emplace(run_id, Run{.missing = missing}).first->second, now + kLasts);
    return;
  }
  auto& run = known->second;
  if (missing < run.missing && run.told) {
    // Filled, or one of several is: the table says which.
    run.filled = true;
    ask_at(run, std::min(run.due, now));
  } else if (missing == 0) {
    runs_.erase(known);
    return;
  } else if (missing > run.missing && !run.told && run.due == Instant::max()) {
    ask_at(run, now + kLasts);
  }
  run.missing = missing;
}

void SlotHoles::ask_at(Run& run, Instant when) noexcept {
  run.due = when;
  next_ = std::min(next_, when);
}

std::vector<std::string> SlotHoles::due(Instant now, std::size_t count) {
  std::vector<std::string> out;
  if (next_ > now) return out;
  next_ = Instant::max();
  for (auto& [run_id, run] : runs_) {
    if (run.due <= now && out.size() < count) {
      out.push_back(run_id);
      run.due = now + kAskedAgain;
    }
    next_ = std::min(next_, run.due);
  }
  return out;
}

void SlotHoles::answered(std::string_view run_id, bool hole, Instant now) {
  const auto known = runs_.find(run_id);
  if (known == runs_.end()) return;
  auto& run = known->second;
  run.told = hole;
  if (hole) {
    // A commit is in the stream before a query sees it, by far where a synchronous standby is waited for.
    const bool unseen = run.filled || run.missing == 0;
    run.filled = false;
    ask_at(run, now + (unseen ? std::chrono::seconds{kRetry} : std::chrono::seconds{kAskedAgain}));
  } else if (run.missing == 0) {
    runs_.erase(known);
  } else {
    run.due = Instant::max();
  }
}

void SlotHoles::unanswered(std::string_view run_id, Instant now) {
  const auto known = runs_.find(run_id);
  if (known != runs_.end()) ask_at(known->second, now + kRetry);
}

bool SlotHoles::told(std::string_view run_id) const {
  const auto known = runs_.find(run_id);
  return known != runs_.end() && known->second.told;
}

}  // namespace dupwatch::core
