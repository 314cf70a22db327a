#include "daemon/core/slot_gap.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/core/engine.hpp"

namespace dupwatch::core {
namespace {

std::string slot_id(std::uint64_t slot) {
  return fmt::format("{}{:026}", TokenCodec::kSlotPrefix, slot);
}

}  // namespace

void SlotNumbers::add(std::string_view id) {
  if (const auto slot = slot_of(id)) {
    slots_.push_back(*slot);
  } else {
    mixed_ = true;
  }
}

std::optional<SlotNumbers::Gap> SlotNumbers::first_gap() {
  if (mixed_) return std::nullopt;
  std::ranges::sort(slots_);
  std::uint64_t before = 0;
  for (const auto slot : slots_) {
    const bool first = before == 0;
    if (slot > before + 1 && !(first && slot == 2)) {
      return Gap{.before = first ? std::string{} : slot_id(before), .after = slot_id(slot)};
    }
    before = slot;
  }
  return std::nullopt;
}

}  // namespace dupwatch::core
