#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"

/// Events as the engine writes them: runs of five steps, each created and completed; ids are ULIDs with 80
/// random bits, the correlation ids of a run are consecutive draws of one monotonic sequence.
namespace dupwatch::bench {

inline constexpr std::size_t kIdBytes = 31;
using IdText = std::array<char, kIdBytes>;

inline std::string_view view(const IdText& text) noexcept {
  return {text.data(), text.size()};
}

/// prefix + the 26 digits of a 48-bit time and 80 further bits.
inline IdText ulid(std::string_view prefix, std::uint64_t millis, std::uint64_t high16, std::uint64_t low64) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  IdText out{};
  std::uint64_t hi = (millis << 16U) | high16;
  for (std::size_t i = kIdBytes; i-- > prefix.size();) {
    out[i] = kDigits[low64 & 31U];
    low64 = (low64 >> 5U) | (hi << 59U);
    hi >>= 5U;
  }
  prefix.copy(out.data(), prefix.size());
  return out;
}

/// SplitMix64: cheap enough to make a load between two measurements.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() noexcept {
    auto x = state_ += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31U);
  }

 private:
  std::uint64_t state_;
};

struct EventText {
  IdText run;
  IdText id;
  IdText correlation;
  std::uint8_t type = 0;
};

/// Any run's events by number, so that loads of any size need no memory.
class Load {
 public:
  static constexpr std::size_t kEventsPerRun = 10;
  static constexpr std::uint64_t kEpoch = 1'795'000'000'000;

  explicit Load(const core::Profile& profile)
      : created_(*profile.find_type("step_created")), completed_(*profile.find_type("step_completed")) {}

  /// The first `count` events of run `number`, appended. Events lie some 200 ms apart.
  void append_run(std::uint64_t number, std::size_t count, std::vector<EventText>& out) const {
    Random random(number);
    const auto started = kEpoch + number * 7;
    const auto run = ulid("wrun_", started, random() & 0xFFFFU, random());
    const auto sequence = random();
    auto millis = started;
    for (std::size_t i = 0; i < count; ++i) {
      millis += 1 + random() % 400;
      out.push_back({.run = run,
                     .id = ulid("wevt_", millis, random() & 0xFFFFU, random()),
                     .correlation = ulid("step_", started, number & 0xFFFFU, sequence + i / 2),
                     .type = i % 2 == 0 ? created_ : completed_});
    }
  }

 private:
  std::uint8_t created_;
  std::uint8_t completed_;
};

}  // namespace dupwatch::bench
