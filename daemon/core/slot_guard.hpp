#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/config.hpp"
#include "decoder/lsn.hpp"

/// The decisions about a slot that is lost, too expensive, or stuck at a row. Pure: times come in.
namespace dupwatch::core {

using GuardTime = std::chrono::steady_clock::time_point;

/// The fuse in bytes for a server with this max_slot_wal_keep_size (negative = none); nullopt = no fuse. A
/// share of no limit is a share of nothing: the default in bytes counts then.
[[nodiscard]] std::optional<std::uint64_t> fuse_bytes(const WalLimit& limit,
                                                      std::int64_t keep_size_bytes) noexcept;

/// What to do about a lost slot. With `create` false dupwatch makes no slots, so it drops none either.
[[nodiscard]] LostPolicy lost_policy(const SlotConfig& slot) noexcept;

/// How long the slot has at the present rate, from what it retained over the last minutes.
class RetentionTrend {
 public:
  static constexpr std::chrono::minutes kWindow{5};
  static constexpr std::chrono::seconds kSpacing{2};

  /// At most one sample per kSpacing is kept, so there are at most kWindow / kSpacing of them.
  void sample(std::int64_t retained_bytes, GuardTime now);
  void reset() noexcept { samples_.clear(); }
  /// Bytes per second; 0 until two samples are there, and when retention shrinks.
  [[nodiscard]] double rate() const noexcept;
  /// Until retention reaches `limit`; 0 when it has, nullopt when it does not grow.
  [[nodiscard]] std::optional<double> seconds_to(std::uint64_t limit) const noexcept;

 private:
  struct Sample {
    GuardTime at;
    std::int64_t bytes = 0;
  };
  std::deque<Sample> samples_;
};

/// When to go back from polling to a slot: at once after a first loss, later each time it is lost soon after.
class SlotReturn {
 public:
  static constexpr std::chrono::hours kPauseMax{1};

  explicit SlotReturn(Milliseconds poll_interval) noexcept : step_(2 * poll_interval) {}
  /// The pause before the next slot. `at_once`: the first loss needs none (a lost slot; a fuse always
  /// pauses).
  [[nodiscard]] Milliseconds lost(GuardTime now, bool at_once) noexcept;
  void set_poll_interval(Milliseconds poll_interval) noexcept { step_ = 2 * poll_interval; }
  /// The slot streams.
  void streaming(GuardTime now) noexcept { streaming_since_ = now; }
  [[nodiscard]] std::uint32_t losses() const noexcept { return losses_; }

 private:
  /// A slot that held this long is a new story.
  static constexpr std::chrono::minutes kHealthy{10};
  Milliseconds step_;
  std::uint32_t losses_ = 0;
  std::optional<GuardTime> streaming_since_;
};

/// Recognises a row that can never be delivered: the same server error in the stream, at one confirmed
/// position, time after time.
class PoisonWatch {
 public:
  /// So many failures make a poison row; more where the error is one that may heal (by then the backoff has
  /// waited for seconds).
  static constexpr std::uint32_t kRepeats = 3;
  static constexpr std::uint32_t kRepeatsTransient = 8;

  /// A stream ended with an error of the server: the how many-eth time in a row with these words at this
  /// position.
  [[nodiscard]] std::uint32_t failed(std::string_view sqlstate, std::string_view message,
                                     decoder::Lsn confirmed);
  /// Stepped over, or another error came in between.
  void reset() noexcept { count_ = 0; }

 private:
  std::string sqlstate_;
  std::string message_;
  decoder::Lsn confirmed_;
  std::uint32_t count_ = 0;
};

}  // namespace dupwatch::core
