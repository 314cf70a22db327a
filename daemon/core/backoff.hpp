#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace dupwatch::core {

/// SplitMix64: eight lines, replayable from one seed on every platform (std distributions are not).
class Prng {
 public:
  explicit Prng(std::uint64_t seed) noexcept : state_(seed) {}
  [[nodiscard]] std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  /// 0 <= result < bound; bound > 0. The bias of the modulo is below 2^-32 for bounds under 2^32.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }

 private:
  std::uint64_t state_;
};

/// Exponential backoff with full jitter on the upper half: delay n lies in [d/2, d], d = min * 2^n, capped at
/// max. Jitter keeps many sidecars from hitting a restarted primary in the same millisecond.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max, std::uint64_t seed) noexcept
      : min_(std::max(min, std::chrono::milliseconds{1})), max_(std::max(max, min_)), random_(seed) {}

  [[nodiscard]] std::chrono::milliseconds next() noexcept {
    auto ceiling = min_;
    for (std::uint32_t i = 0; i < attempt_ && ceiling < max_; ++i) ceiling *= 2;
    ceiling = std::min(ceiling, max_);
    ++attempt_;
    const auto half = ceiling / 2;
    return half +
           std::chrono::milliseconds{random_.below(static_cast<std::uint64_t>((ceiling - half).count()) + 1)};
  }
  void reset() noexcept { attempt_ = 0; }
  [[nodiscard]] std::uint32_t attempts() const noexcept { return attempt_; }

 private:
  std::chrono::milliseconds min_;
  std::chrono::milliseconds max_;
  Prng random_;
  std::uint32_t attempt_ = 0;
};

}  // namespace dupwatch::core
