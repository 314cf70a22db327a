#pragma once

#include <chrono>
#include <cstddef>
#include <deque>

#include "daemon/core/instant.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// How long the watch has been behind the server: the age of the oldest sampled end of WAL that is not judged
/// yet. A commit's own timestamp would be wrong here: after an idle hour the first new commit would look an
/// hour late.
class LagMeter {
 public:
  /// The server's flushed end of WAL was `tip` at `now`.
  void sample(decoder::Lsn tip, Instant now) noexcept;
  void judged(decoder::Lsn position) noexcept;
  [[nodiscard]] std::chrono::duration<double> lag(Instant now) const noexcept;
  [[nodiscard]] decoder::Lsn tip() const noexcept { return tip_; }
  void reset() noexcept { *this = LagMeter{}; }

 private:
  struct Sample {
    decoder::Lsn tip;
    Instant at;
  };
  /// Beyond this every second sample is given up, and later ones are kept as far apart: a lag is then told
  /// too short by up to a hundredth of the longest one.
  static constexpr std::size_t kSamplesMax = 256;

  /// Ascending in tip and time.
  std::deque<Sample> unreached_;
  Instant::duration spacing_{};
  decoder::Lsn judged_;
  decoder::Lsn tip_;
};

}  // namespace dupwatch::core
