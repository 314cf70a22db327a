#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/instant.hpp"

namespace dupwatch::core {

/// What has been reported and what has become of it, so that a finding seen again (redelivery, read-back,
/// scan) is told once and a change is told. Bounded: at `findings_max` the oldest is forgotten, and would be
/// reported again as new if its run were judged again. One costs some 400 bytes.
class ReportedFindings {
 public:
  static constexpr std::size_t kFindingsMax = 100'000;
  /// How long a view of the log may be under way.
  static constexpr std::chrono::seconds kViewAge{10};
  explicit ReportedFindings(std::size_t findings_max = kFindingsMax) : findings_max_(findings_max) {}

  /// True when the finding is new or its severity, state or rows are not those of its last report; sets
  /// finding.change.
  [[nodiscard]] bool admit(Finding& finding, Instant now);
  /// As admit, for a view of the log that may be older than the last report: only what is not known is told.
  [[nodiscard]] bool admit_older(Finding& finding, Instant now);

  /// A finding that an earlier process told, as it was then: known from now on, and as settled as can be.
  /// False when it is known already.
  bool restore(const Finding& finding) { return add(finding, Instant{}); }

  /// nullopt: not known.
  [[nodiscard]] std::optional<Finding> find(std::uint64_t id) const;

  /// Known, and last reported before `before`.
  [[nodiscard]] bool is_settled(std::uint64_t id, Instant before) const;
  /// Runs with open findings, all reported before `before`; at most `count` a call, in turn.
  [[nodiscard]] std::vector<std::string> next_open_runs(std::size_t count, Instant before);
  /// The open findings of a run, reported before `before`, that are not among `present`.
  [[nodiscard]] std::vector<Finding> missing(const std::string& run_id,
                                             std::span<const std::uint64_t> present, Instant before) const;

  using OpenCounts = std::array<std::array<std::uint64_t, kSeverities>, kRules>;
  /// Findings in state open.
  [[nodiscard]] const OpenCounts& open() const noexcept { return open_; }

 private:
  struct State {
    Rule rule = Rule::kDuplicate;
    Severity severity = Severity::kUnknown;
    Engine engine = Engine::kV4;
    FindingState state = FindingState::kOpen;
    bool after_close = false;
    std::string_view reason;
    const std::string* run_id = nullptr;  ///< key of by_run_
    std::vector<std::optional<std::string>> identity;
    std::string type;
    std::string canonical_id;
    std::string duplicate_id;
    std::optional<decoder::Xid> duplicate_xid;
    std::string closing_id;
    Instant reported{};
  };
  [[nodiscard]] bool add(const Finding& finding, Instant now);
  /// What an older view of the log still shows of a row that has left it. The row that a person put back was
  /// written by another transaction.
  [[nodiscard]] static bool is_left_over(const State& state, const Finding& finding, Instant now) noexcept;
  static void say(State& state, const Finding& finding);
  void count(const State& state, int difference) noexcept;
  [[nodiscard]] static Finding rebuild(std::uint64_t id, const State& state);
  void forget_oldest();

  std::size_t findings_max_;
  std::unordered_map<std::uint64_t, State> states_;
  std::unordered_map<std::string, std::vector<std::uint64_t>> by_run_;
  std::deque<std::uint64_t> order_;
  /// Runs that next_open_runs has yet to look at in this round.
  std::vector<std::string> round_;
  OpenCounts open_{};
};

}  // namespace dupwatch::core
