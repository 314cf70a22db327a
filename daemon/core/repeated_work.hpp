#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/instant.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/run_log.hpp"

/// Work that was done more than once, which is no matter of replay: from 4.1.2 on a log without duplicates
/// does not mean that each step's body ran once.
namespace dupwatch::core {

/// What begins a step's body, and what says that it is tried again.
inline constexpr std::string_view kStartType = "step_started";
inline constexpr std::string_view kRetryType = "step_retrying";

/// A step's body was begun again although no retry was recorded.
struct RepeatedStep {
  std::string run_id{};
  std::string correlation_id{};
  /// The event that says so, and its commit; zero where it is not known.
  std::string event_id{};
  CommitInfo commit{};
  /// How often it was begun by then, and how many retries were recorded.
  std::uint32_t starts = 0;
  std::uint32_t retries = 0;
  /// The step had a result by then, as replay reads the log.
  bool after_close = false;
};

/// Sees starts without a retry in the rows of a log. A start is held for a second before it counts: a process
/// may begin the step while another is still recording its failure, and then the retry that explains the
/// start commits behind it. Keeps the last ones; a redelivery is not seen twice while they are kept. Not
/// thread-safe.
class RepeatedWork {
 public:
  static constexpr std::size_t kKeptMax = 200;
  /// Not taken yet; more are counted alone.
  static constexpr std::size_t kNewMax = 1000;
  static constexpr std::chrono::seconds kPatience{1};
  /// Held at once; for more the oldest counts early.
  static constexpr std::size_t kHeldMax = 1000;
  /// How much later than the start's id the id of a retry may have been made that explains it: the failure
  /// was there before the body began. Measured with core 4.8.9 (tests/runtime/repeated.mjs).
  static constexpr std::uint64_t kRaceMillis = 20;

  /// The types are those named step_started and step_retrying; a profile without them has no such work.
  explicit RepeatedWork(const Profile& profile);

  /// Whether a row of this type must be looked at, in an entity whose other rows have the types `seen`, and
  /// more than once the types `repeated`. Never false of one that is a start without a retry, nor of a retry
  /// that may explain one.
  [[nodiscard]] bool wants(std::uint8_t type, std::uint64_t seen, std::uint64_t repeated) const noexcept {
    if (type == retrying_) return !held_.empty();
    if (type != started_ || (seen & start_bit_) == 0) return false;
    // One retry explains two starts.
    return (seen & retry_bit_) == 0 || (repeated & start_bit_) != 0;
  }
  /// A row that the stream brought is in the log.
  void arrived(const RunLog& log, std::uint32_t row, std::string_view run_id, const TokenCodec& codec,
               Instant now);
  /// A run was read back: of its rows those that the stream brought.
  void read_back(const RunLog& log, std::string_view run_id, const TokenCodec& codec, Instant now);
  /// What was held for long enough counts.
  void settle(Instant now);

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// The oldest first.
  [[nodiscard]] const std::deque<RepeatedStep>& kept() const noexcept { return kept_; }
  /// Those since the last call, in order.
  [[nodiscard]] std::vector<RepeatedStep> take() noexcept { return std::exchange(new_, {}); }

 private:
  struct Held {
    RepeatedStep step{};
    /// When the start's id was made; 0 = it does not tell.
    std::uint64_t millis = 0;
    Instant until{};
  };

  [[nodiscard]] std::optional<RepeatedStep> judge(const RunLog& log, std::uint32_t row,
                                                  std::string_view run_id, const TokenCodec& codec) const;
  void hold(Held held);
  void explain(const RunLog& log, std::uint32_t retry, std::string_view run_id, const TokenCodec& codec);
  void add(RepeatedStep step);

  std::uint8_t started_ = RunLog::kUnlistedType;
  std::uint8_t retrying_ = RunLog::kUnlistedType;
  std::uint64_t start_bit_ = 0;
  std::uint64_t retry_bit_ = 0;
  std::uint64_t total_ = 0;
  std::deque<Held> held_;  ///< the oldest first
  std::deque<RepeatedStep> kept_;
  std::vector<RepeatedStep> new_;
};

/// "begun 3 times with 1 retry recorded"
[[nodiscard]] std::string repeated_text(const RepeatedStep& step);

}  // namespace dupwatch::core
