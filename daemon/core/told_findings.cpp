#include "daemon/core/told_findings.hpp"

#include <utility>

#include "daemon/core/keyed_hash.hpp"
#include "daemon/core/planted.hpp"

namespace dupwatch::core {
namespace {

constexpr std::uint64_t kVerdictMask = 0xFF;
constexpr std::size_t kSlotsMin = 1024;

}  // namespace

std::uint64_t ToldFindings::key_of(std::uint64_t id) const noexcept {
  // Never that of a free slot.
  return (hash_words(id, 0, 0, seed_) | (kVerdictMask + 1)) & ~kVerdictMask;
}

std::size_t ToldFindings::slot_of(std::uint64_t key) const noexcept {
  const auto mask = slots_.size() - 1;
  auto slot = (key >> 8U) & mask;
  while (slots_[slot] != 0 && (slots_[slot] & ~kVerdictMask) != key) {
    count_work(Work::kProbes);
    slot = (slot + 1) & mask;
  }
  return slot;
}

void ToldFindings::put(std::uint64_t id, std::uint8_t verdict) {
  const auto key = key_of(id);
  if (!slots_.empty()) {
    if (auto& known = slots_[slot_of(key)]; known != 0) {
      known = key | verdict;
      return;
    }
  }
  if (entries_ == entries_max_) {
    slots_ = {};
    entries_ = 0;
  }
  if (slots_.empty()) slots_.assign(kSlotsMin, 0);
  if ((entries_ + 1) * 8 > slots_.size() * 7) {
    const auto old = std::exchange(slots_, std::vector<std::uint64_t>(slots_.size() * 2, 0));
    for (const auto entry : old) {
      if (entry != 0) slots_[slot_of(entry & ~kVerdictMask)] = entry;
    }
  }
  slots_[slot_of(key)] = key | verdict;
  ++entries_;
}

bool ToldFindings::has(std::uint64_t id, std::uint8_t verdict) const noexcept {
  if (slots_.empty()) return false;
  const auto key = key_of(id);
  return slots_[slot_of(key)] == (key | verdict);
}

}  // namespace dupwatch::core
