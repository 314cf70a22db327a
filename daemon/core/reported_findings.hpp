#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/core/keyed_hash.hpp"
#include "daemon/core/told_findings.hpp"

namespace dupwatch::core {

/// What has been reported and what has become of it, so that a finding seen again (redelivery, read-back,
/// scan) is told once and a change is told. Bounded: at `findings_max`, or kBytesMax of texts, one is
/// forgotten: of ToldFindings::kEntriesMax of these it is still known that they were told, so that they are
/// not told again before their verdict changes, and then as new. What does not stand goes first, then what is
/// harmless or unknown, then open conflicts, and open fatal findings last; among equals the oldest. One costs
/// some 350 bytes.
class ReportedFindings {
 public:
  static constexpr std::size_t kFindingsMax = 100'000;
  /// How long a view of the log may be under way.
  static constexpr std::chrono::seconds kViewAge{10};
  static constexpr std::uint64_t kBytesMax = std::uint64_t{32} << 20U;
  /// Of a finding that is one of many so many changes of severity are told, and then one each kChangePause:
  /// who writes closing events with ever smaller ids could have all of them told for each.
  static constexpr std::uint8_t kChangesMax = 16;
  static constexpr std::chrono::minutes kChangePause{10};
  /// `seed` varies hash tables, nothing else.
  explicit ReportedFindings(std::size_t findings_max = kFindingsMax, std::uint64_t seed = 0)
      : findings_max_(findings_max),
        states_(0, KeyedHash{.seed = seed}),
        by_run_(0, KeyedHash{.seed = seed}),
        told_(seed) {}

  /// Ids have 64 bits, and with chosen texts two anomalies can be given the same one: gives the finding the
  /// id that it has here, its own or a free one. To be called before any use of finding.id.
  void resolve(Finding& finding) const;
  /// True when the finding is new or its severity, state or rows are not those of its last report; of one of
  /// many the row at fault alone. Sets finding.change.
  [[nodiscard]] bool admit(Finding& finding, Instant now);
  /// As admit, for a view of the log that may be older than the last report: only what is not known is told.
  [[nodiscard]] bool admit_older(Finding& finding, Instant now);

  /// A finding that an earlier process told, as it was then: known from now on, and as settled as can be.
  /// False when it is known already.
  bool restore(const Finding& finding);
  /// The log may have other rows than those that were told of: every finding is in doubt, also one that is
  /// over, until it is told again or its run was looked at; and so is what is restored from now on.
  void doubt();
  /// At most `count` findings of the run that were in doubt and reported before `before`. They no longer are.
  [[nodiscard]] std::vector<std::uint64_t> take_doubted(const std::string& run_id, std::size_t count,
                                                        Instant before);

  /// nullopt: not known.
  [[nodiscard]] std::optional<Finding> find(std::uint64_t id) const;

  /// Known, and last reported before `before`.
  [[nodiscard]] bool is_settled(std::uint64_t id, Instant before) const;
  /// Runs with open findings, or with some in doubt, all reported before `before`; at most `count` a call, in
  /// turn.
  [[nodiscard]] std::vector<std::string> next_open_runs(std::size_t count, Instant before);
  /// fault_id() of the known findings of these runs, as their own rows give it.
  [[nodiscard]] std::unordered_set<std::uint64_t> fault_ids(std::span<const std::string> runs,
                                                            std::string_view table) const;
  /// The findings of a run that are open, or in doubt and of a run that ended, reported before `before`, that
  /// are not among `present`.
  [[nodiscard]] std::vector<Finding> missing(const std::string& run_id,
                                             std::span<const std::uint64_t> present, Instant before) const;

  /// A row that the engine's unique index would not admit beside the canonical one.
  struct DuplicateRow {
    std::string run_id;
    std::string canonical_id;
    std::string duplicate_id;
    /// It sorts after the closing event.
    bool after_close = false;
  };
  /// Those of runs that go on, `count` at most: in the log as far as is known, or gone since `since`.
  [[nodiscard]] std::vector<DuplicateRow> duplicates(std::size_t count, Instant since) const;

  using OpenCounts = std::array<std::array<std::uint64_t, kSeverities>, kRules>;
  /// Findings in state open. What was forgotten while it was open and fatal or conflict counts on.
  [[nodiscard]] const OpenCounts& open() const noexcept { return open_; }
  /// What persons have said; whoever tells a finding takes it into account.
  [[nodiscard]] Acknowledgements& acknowledgements() noexcept { return acknowledgements_; }
  [[nodiscard]] const Acknowledgements& acknowledgements() const noexcept { return acknowledgements_; }
  using Acknowledged = std::array<std::uint64_t, kSeverities>;
  /// Findings in state acknowledged.
  [[nodiscard]] const Acknowledged& acknowledged() const noexcept { return acknowledged_; }
  using Forgotten = std::array<std::uint64_t, kSeverities>;
  /// Findings that were forgotten while they were open, since the start.
  [[nodiscard]] const Forgotten& forgotten() const noexcept { return forgotten_; }
  [[nodiscard]] std::size_t size() const noexcept { return states_.size(); }
  /// Runs with findings.
  [[nodiscard]] std::size_t runs() const noexcept { return by_run_.size(); }
  /// Of those the fatal ones by rule whose run may return before it meets the row.
  [[nodiscard]] const std::array<std::uint64_t, kRules>& open_may_return() const noexcept {
    return open_may_return_;
  }

 private:
  using Ids = std::list<std::uint64_t>;
  /// What does not stand; what is harmless or unknown; conflicts; what is fatal.
  static constexpr std::size_t kRanks = 4;
  struct State {
    Rule rule = Rule::kDuplicate;
    Severity severity = Severity::kUnknown;
    Engine engine = Engine::kV4;
    EngineFrom engine_from = EngineFrom::kLog;
    FindingState state = FindingState::kOpen;
    Pending pending = Pending::kNone;
    bool after_close = false;
    bool doubted = false;
    std::optional<Shape> shape;
    std::uint8_t rank = 0;     ///< of order_
    std::uint8_t changes = 0;  ///< told as one of many
    std::optional<decoder::Xid> duplicate_xid;
    std::uint32_t texts_size = 0;
    std::unique_ptr<std::byte[]> texts;   ///< see Texts
    const std::string* run_id = nullptr;  ///< key of by_run_
    Ids::iterator in_run{};
    Ids::iterator in_order{};
    std::int64_t acknowledged_at = 0;  ///< by a person; 0 = by none
    Instant reported{};
    [[nodiscard]] std::uint64_t bytes() const noexcept { return texts_size + run_id->size(); }
  };
  /// Of a state, in one block: a text of its own for each would take three times as much.
  struct Texts {
    std::string_view canonical_id;
    std::string_view duplicate_id;
    std::string_view closing_id;
    /// What a later report does not change: type, rule of the profile, identity.
    std::span<const std::byte> lasting;
    std::string_view type;
    std::string_view profile_rule;
    std::span<const std::byte> identity;
  };
  [[nodiscard]] static Texts texts_of(const State& state) noexcept;
  void put_texts(State& state, const Finding& finding);
  enum class Added : std::uint8_t { kNew, kKnown, kToldBefore };
  [[nodiscard]] Added add(const Finding& finding, Instant now);
  /// What an older view of the log still shows of a row that has left it. The row that a person put back was
  /// written by another transaction.
  [[nodiscard]] static bool is_left_over(const State& state, const Finding& finding, Instant now) noexcept;
  /// A look at the log may show that its rows are gone.
  [[nodiscard]] static bool may_be_gone(const State& state) noexcept;
  void say(State& state, const Finding& finding);
  /// A run that reads on again is counted as such, without another report.
  void note_pending(State& state, Pending pending) noexcept;
  void count(const State& state, int difference) noexcept;
  [[nodiscard]] static Finding rebuild(std::uint64_t id, const State& state);
  [[nodiscard]] static bool is_news(const State& state, const Finding& finding, Instant now) noexcept;
  [[nodiscard]] static std::uint8_t rank_of(const State& state) noexcept;
  /// Takes what was said into account of what is forgotten when.
  void place(State& state);
  void forget_one();
  /// What a report says, but for its rows.
  [[nodiscard]] static std::uint8_t verdict_of(Severity severity, FindingState state,
                                               bool after_close) noexcept;

  std::size_t findings_max_;
  bool doubts_restored_ = false;
  std::unordered_map<std::uint64_t, State, KeyedHash> states_;
  std::unordered_map<std::string, Ids, KeyedHash> by_run_;
  /// The oldest of each rank first.
  std::array<Ids, kRanks> order_;
  std::uint64_t bytes_ = 0;
  std::vector<std::byte> scratch_;
  Forgotten forgotten_{};
  ToldFindings told_;
  /// Runs that next_open_runs has yet to look at in this round.
  std::vector<std::string> round_;
  OpenCounts open_{};
  Acknowledged acknowledged_{};
  Acknowledgements acknowledgements_;
  std::array<std::uint64_t, kRules> open_may_return_{};
};

}  // namespace dupwatch::core
