#include "daemon/core/engine.hpp"

#include <charconv>

namespace dupwatch::core {
namespace {

constexpr std::string_view kZeros = "0000000000";
constexpr std::size_t kSlotDigits = TokenCodec::kBodyChars - kZeros.size();
constexpr unsigned kBitsPerDigit = 5;

// Spec versions, as packages/world of the engine names them. Those below the first are of 4.x.
constexpr int kAttributes = 4;
constexpr int kCompression = 5;
constexpr int kSlotIdentity = 6;
constexpr int kForceClaim = 8;
constexpr int kSingleOrchestrator = 9;
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

std::string_view to_string(SpecSource source) noexcept {
  switch (source) {
    case SpecSource::kNone:
      return "none";
    case SpecSource::kEvents:
      return "events";
    case SpecSource::kRuns:
      return "runs";
  }
  return "?";
}

std::string_view to_string(EngineFrom from) noexcept {
  switch (from) {
    case EngineFrom::kConfiguration:
      return "configuration";
    case EngineFrom::kRun:
      return "run";
    case EngineFrom::kLog:
      return "log";
  }
  return "?";
}

std::string_view clause_of(EngineFrom from) noexcept {
  switch (from) {
    case EngineFrom::kConfiguration:
      return "as configured";
    case EngineFrom::kRun:
      return "by the run's spec version";
    case EngineFrom::kLog:
      return "by schema and newest runs";
  }
  return "?";
}

std::optional<Engine> engine_of_spec(int spec) noexcept {
  if (spec <= 0) return std::nullopt;
  if (spec < kAttributes) return Engine::kV4;
  if (spec <= kCompression) return Engine::kV5BeforeClassSkip;
  if (spec == kSlotIdentity) return Engine::kV5BeforeAttributeSkip;
  if (spec <= kForceClaim) return Engine::kV5;
  return spec == kSingleOrchestrator ? Engine::kV5SingleOrchestrator : Engine::kUnknown;
}

int spec_of(std::string_view text) noexcept {
  int spec = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, spec);
  return error == std::errc{} && stopped == end && spec > 0 ? spec : 0;
}

TakenEngine engine_of_run(const AutoEngines& log, std::optional<Engine> own, bool slots) noexcept {
  // Whatever its ids look like: a run of 4.x may get a slot number from elsewhere and goes on, and one of 5.x
  // with ULIDs is refused by its own engines, not judged by those of 4.x.
  if (log.by_run != SpecSource::kNone && own) return {.engine = *own, .from = EngineFrom::kRun};
  return {.engine = slots ? log.slots : log.ulids, .from = EngineFrom::kLog};
}

AutoEngines auto_engines(const EngineSigns& signs) noexcept {
  const auto both = [&](Engine engine, std::string_view why, bool unreplayed = false) {
    return AutoEngines{
        .ulids = engine, .slots = engine, .why = why, .by_run = signs.specs, .unreplayed = unreplayed};
  };
  if (!signs.slot_table) {
    if (!signs.v5_columns) return {.why = "the schema is one of 4.x: it has no column of 5.0"};
    return {.ulids = Engine::kV5BeforeClassSkip,
            .why = "the schema has columns of 5.0 and no table of slots",
            .by_run = signs.specs};
  }
  const auto newest = signs.spec_greatest;
  if (newest > kSingleOrchestrator) {
    return both(Engine::kUnknown, "runs have a spec version above 9, which no engine known here has", true);
  }
  if (newest == kSingleOrchestrator && signs.spec_least == newest) {
    return both(Engine::kV5SingleOrchestrator, "runs have spec version 9", true);
  }
  if (newest == kSingleOrchestrator) {
    return both(Engine::kUnknown, "some of the newest runs have spec version 9 and some an earlier one",
                true);
  }
  if (newest > kSlotIdentity && newest <= kForceClaim)
    return both(Engine::kV5, "runs have spec version 7 or 8");
  if (newest == kSlotIdentity) return both(Engine::kV5BeforeAttributeSkip, "runs have spec version 6");
  if (newest >= kAttributes && newest <= kCompression) {
    return both(Engine::kV5BeforeClassSkip, "runs have spec version 4 or 5");
  }
  if (newest > 0) {
    return {.slots = signs.seq_in_band ? Engine::kUnknown : Engine::kV5,
            .why = "the schema has the table of slots, and the newest runs are of 4.x still",
            .by_run = signs.specs};
  }
  if (signs.seq_in_band) {
    return both(Engine::kUnknown, "the schema is that of spec version 9, and no run's spec version is known",
                true);
  }
  return both(Engine::kV5, "the schema has the table of slots, and no run's spec version is known");
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
