#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/core/instant.hpp"
#include "daemon/core/keyed_hash.hpp"
#include "daemon/core/run_log.hpp"
#include "decoder/change.hpp"

namespace dupwatch::core {

/// Rows of runs whose logs are packed and cost too much to be opened for each: they wait and come in
/// together, run by run, in rounds. A round is followed by a pause of four times its work, so that opening
/// takes a fifth of the time at most, however many long runs take turns; without such a run before it, a row
/// waits for its commit alone. Not thread-safe.
class DeferredRows {
 public:
  /// At this bound a round begins whatever the pause; rows cost their texts and some ten bytes.
  static constexpr std::size_t kBytesMax = std::size_t{4} << 20U;
  /// Four times what unpacking a row of a log and packing it again takes.
  static constexpr std::chrono::nanoseconds kPausePerRow{400};
  static constexpr std::chrono::seconds kPauseMax{10};

  /// `seed` varies hash tables, nothing else.
  explicit DeferredRows(std::uint64_t seed) : places_(0, KeyedHash{.seed = seed}) {}

  [[nodiscard]] bool empty() const noexcept { return runs_.empty(); }
  /// Rows of the run wait: further ones have to wait behind them.
  [[nodiscard]] bool holds(std::string_view run_id);
  /// The row is copied.
  void add(const EventRow& row);

  /// No row may be added until the round is over, or has begun.
  [[nodiscard]] bool full() const noexcept { return in_round_ || bytes_ >= kBytesMax; }
  /// A round is under way, or one is to begin.
  [[nodiscard]] bool due(Instant now) const noexcept { return !empty() && (full() || now >= next_round_); }
  /// When due() will be true; max() = when a row is added.
  [[nodiscard]] Instant next(Instant now) const noexcept {
    if (empty()) return Instant::max();
    return full() ? now : next_round_;
  }
  /// The next row of the round, which this begins; nullopt: it is over, and none waits any more. Its views
  /// are valid until the next call.
  [[nodiscard]] std::optional<EventRow> take(Instant now);
  /// A log of so many rows was opened for the row taken last.
  void opened(std::uint64_t rows) noexcept { pause_ += rows * kPausePerRow; }
  /// None waits any more.
  void clear();

 private:
  struct Run {
    std::string id;
    std::vector<std::byte> rows;
  };
  void read(EventRow& row);

  std::vector<Run> runs_;
  std::unordered_map<std::string, std::size_t, KeyedHash> places_;
  std::string looked_for_;
  std::vector<std::byte> scratch_;
  std::size_t bytes_ = 0;
  // The round.
  bool in_round_ = false;
  std::size_t run_ = 0;
  std::size_t offset_ = 0;  ///< of the next row among the run's
  std::vector<decoder::Value> identity_;
  std::chrono::nanoseconds pause_{};
  Instant next_round_{};
};

}  // namespace dupwatch::core
