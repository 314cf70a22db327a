#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/run_index.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::findings {

using core::Instant;

/// One request. The same id and body at every attempt, so that a receiver knows a repeated one.
struct Delivery {
  /// Of the process, by its random seed, and of the request within it, e.g. "5bd1e9955bd1e995-7".
  std::string id;
  /// {"version":1,"delivery":"5bd1e9955bd1e995-7","slot":"dupwatch","findings":[...]}
  std::string body;
};

/// What became of an attempt.
struct Answer {
  /// 0 = no answer.
  long http_status = 0;
  /// Of the header Retry-After; 0 = none.
  core::Milliseconds retry_after{0};
};

/// Findings on their way to webhook.url: in order, some in one request, each request repeated until it is
/// taken, refused or too old. A pure state machine; not thread-safe.
class Outbox {
 public:
  static constexpr std::size_t kBatchMax = 100;
  /// Findings that wait behind the request under way. Above either bound the oldest is dropped: the newest
  /// says most, and findings.file and findings.table have them all.
  static constexpr std::size_t kWaitingMax = 1000;
  static constexpr std::size_t kWaitingBytesMax = std::size_t{4} << 20U;
  static constexpr core::Milliseconds kPauseMin{1'000};
  static constexpr core::Milliseconds kPauseMax{5 * 60'000};

  Outbox(const core::WebhookConfig& config, std::string_view slot_name, std::uint64_t seed);

  /// `record` is a finding as core::to_json writes it.
  void add(std::string record);
  /// The request to send now; nullptr: nothing is due. Stays the same until finished().
  [[nodiscard]] const Delivery* due(Instant now);
  /// When due() may have something; max() = after the next add().
  [[nodiscard]] Instant deadline() const noexcept;
  void finished(const Answer& answer, Instant now);

  /// Everything that was not taken.
  [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_.size() + in_delivery_; }
  [[nodiscard]] core::WebhookStats stats() const noexcept;

 private:
  void end_delivery(core::WebhookOutcome outcome);

  core::Milliseconds retry_for_;
  std::uint64_t seed_;
  std::string slot_;
  core::Backoff backoff_;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t last_number_ = 0;
  std::optional<Delivery> delivery_;
  /// Findings in delivery_.
  std::uint64_t in_delivery_ = 0;
  Instant first_attempt_{};
  Instant retry_at_{};
  core::WebhookStats stats_;
};

}  // namespace dupwatch::findings
