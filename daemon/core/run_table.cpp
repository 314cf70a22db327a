#include "daemon/core/run_table.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/planted.hpp"

namespace dupwatch::core {

RunTable::RunTable() : slots_(kHomesMin + kTail, kFree) {}

void RunTable::insert(Handle run, std::uint32_t hash) {
  if ((runs_ + 1) * 8 > homes_ * 7) grow();
  auto pushed = slot(hash, run);
  auto i = home(hash);
  while (slots_[i] < pushed) {
    count_work(Work::kProbes);
    ++i;
  }
  while (pushed != kFree) {
    count_work(Work::kProbes);
    std::swap(slots_[i++], pushed);
  }
  if (i == slots_.size()) slots_.push_back(kFree);
  ++runs_;
}

void RunTable::erase(Handle run, std::uint32_t hash) {
  auto i = home(hash);
  while (slots_[i] != slot(hash, run)) ++i;
  // What was pushed behind its home moves back.
  for (; slots_[i + 1] != kFree && home_of(slots_[i + 1]) <= i; ++i) slots_[i] = slots_[i + 1];
  slots_[i] = kFree;
  --runs_;
}

void RunTable::grow() {
  homes_ += homes_ / 2;
  const auto old = std::exchange(slots_, std::vector<Slot>(homes_ + kTail, kFree));
  std::size_t next = 0;
  for (const auto entry : old) {
    if (entry == kFree) continue;
    next = std::max(next, home_of(entry));
    slots_[next++] = entry;
    if (next == slots_.size()) slots_.push_back(kFree);
  }
}

}  // namespace dupwatch::core
