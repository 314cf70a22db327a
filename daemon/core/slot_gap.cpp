#include "daemon/core/slot_gap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dupwatch::core {
namespace {

constexpr std::string_view kPrefix = "evnt_0000000000";
constexpr std::size_t kDigits = 16;

std::string slot_id(std::uint64_t slot) {
  return fmt::format("{}{:016}", kPrefix, slot);
}

}  // namespace

std::optional<std::uint64_t> SlotNumbers::slot_of(std::string_view id) noexcept {
  if (id.size() != kPrefix.size() + kDigits || !id.starts_with(kPrefix)) return std::nullopt;
  std::uint64_t slot = 0;
  const auto* end = id.data() + id.size();
  const auto [stopped, error] = std::from_chars(id.data() + kPrefix.size(), end, slot);
  return error == std::errc{} && stopped == end ? std::optional(slot) : std::nullopt;
}

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
      return Gap{.before = first ? std::string{} : slot_id(before), .behind = slot_id(slot)};
    }
    before = slot;
  }
  return std::nullopt;
}

}  // namespace dupwatch::core
