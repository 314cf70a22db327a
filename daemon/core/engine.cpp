#include "daemon/core/engine.hpp"

#include <charconv>

namespace dupwatch::core {
namespace {

constexpr std::string_view kZeros = "0000000000";
constexpr std::size_t kSlotDigits = TokenCodec::kBodyChars - kZeros.size();
constexpr unsigned kBitsPerDigit = 5;
constexpr unsigned kDigitsPerHalf = kSlotDigits / 2;
constexpr unsigned kHalfBits = kBitsPerDigit * kDigitsPerHalf;

/// Whether each of eight digits of base 32 is a decimal one.
constexpr bool is_decimal(std::uint64_t digits) noexcept {
  constexpr std::uint64_t kOnes = 0b00001'00001'00001'00001'00001'00001'00001'00001;
  const auto bit = [&](unsigned n) { return digits >> n & kOnes; };
  // Above nine: 16 and more, or 8 with 2 or 4.
  return (bit(4) | (bit(3) & (bit(2) | bit(1)))) == 0;
}

constexpr std::uint64_t upper_half(const Token& id) noexcept {
  return (id.hi & 0xFFFFU) << (64 - kHalfBits) | id.lo >> kHalfBits;
}
constexpr std::uint64_t lower_half(const Token& id) noexcept {
  return id.lo & ((std::uint64_t{1} << kHalfBits) - 1);
}

}  // namespace

std::string_view to_string(Engine engine) noexcept {
  switch (engine) {
    case Engine::kV4:
      return "v4";
    case Engine::kV5BeforeClassSkip:
      return "v5-before-class-skip";
    case Engine::kV5BeforeAttributeSkip:
      return "v5-before-attribute-skip";
    case Engine::kV5:
      return "v5";
    case Engine::kV5SingleOrchestrator:
      return "v5-single-orchestrator";
    case Engine::kUnknown:
      return "unknown";
  }
  return "?";
}

std::optional<std::uint64_t> slot_of(std::string_view id) noexcept {
  const auto prefix = TokenCodec::kSlotPrefix;
  if (id.size() != prefix.size() + TokenCodec::kBodyChars || !id.starts_with(prefix)) return std::nullopt;
  const auto body = id.substr(prefix.size());
  if (!body.starts_with(kZeros)) return std::nullopt;
  std::uint64_t slot = 0;
  const auto* end = body.data() + body.size();
  const auto [stopped, error] = std::from_chars(body.data(), end, slot);
  return error == std::errc{} && stopped == end ? std::optional(slot) : std::nullopt;
}

bool is_slot_number(const Token& id) noexcept {
  return id.kind == Token::kSlotKind && id.hi >> 16U == 0 && is_decimal(upper_half(id)) &&
         is_decimal(lower_half(id));
}

std::uint64_t slot_of(const Token& slot_number) noexcept {
  std::uint64_t slot = 0;
  for (const auto half : {upper_half(slot_number), lower_half(slot_number)}) {
    for (auto shift = kHalfBits; shift != 0; shift -= kBitsPerDigit) {
      slot = slot * 10 + (half >> (shift - kBitsPerDigit) & 31U);
    }
  }
  return slot;
}

std::uint64_t ulid_millis(const Token& id) noexcept {
  return id.packed() ? id.hi >> 16U : 0;
}

}  // namespace dupwatch::core
