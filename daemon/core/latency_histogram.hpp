#pragma once

#include <array>
#include <cstdint>

namespace dupwatch::core {

/// Upper bounds of the buckets, in seconds.
inline constexpr std::array<double, 14> kLatencyBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,    1,     2.5,  5,     10,   60};

struct LatencyHistogram {
  /// Not cumulative; the last bucket is +Inf.
  std::array<std::uint64_t, kLatencyBounds.size() + 1> buckets{};
  double sum_seconds = 0;
  void observe(double seconds) noexcept;
};

}  // namespace dupwatch::core
