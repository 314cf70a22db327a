#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/packed_text.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/profile_rules.hpp"
#include "daemon/core/rule.hpp"
#include "daemon/core/run_log.hpp"
#include "daemon/core/slot_gap.hpp"

namespace dupwatch::core {

/// Judges the rows of one run as replay reads them, in the order of their ids: arrival decides nothing, so a
/// row that comes second may be the canonical one. A verdict names the row at fault; its severity follows
/// from the case table and the run's engine generation.
class ReplayRules {
 public:
  /// A run with more rows is not judged as a whole when a row arrives: judge_row says that it is to be.
  static constexpr std::size_t kAtOnceMax = 64;

  /// All must outlive the rules.
  ReplayRules(const Profile& profile, const RuleConfig& config, const TokenCodec& codec);

  /// Rows of one RunLog; `closing` is RunLog::kNone while the entity is open.
  struct Verdict {
    Rule rule = Rule::kDuplicate;
    Shape shape = Shape::kPlain;
    /// The row at fault.
    std::uint32_t duplicate = RunLog::kNone;
    /// The row that it contradicts and that replay reads first.
    std::uint32_t canonical = RunLog::kNone;
    std::uint32_t closing = RunLog::kNone;
  };

  /// Appends what the arrival of `row` made or changed, and possibly what it left as it was. Without a
  /// finding a constant amount of work, and no allocation. False: the arrival may also have changed findings
  /// of more rows than are judged at once, and the run is to be judged again as a whole. Of an entity with
  /// many rows a verdict that would change in its canonical row alone is left out.
  [[nodiscard]] bool judge_row(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  /// Whether a row of this type can't make or change a finding by its arrival, in a run without an end in
  /// which other rows of its scheme are known: it sorts behind all rows of its entity, which have the types
  /// `seen` and more than once the types `repeated` (one bit each). Never true of what isn't certain.
  [[nodiscard]] bool is_quiet(std::uint8_t type, std::uint64_t seen, std::uint64_t repeated) const noexcept {
    return type < Profile::kTypesMax && (type_bit(type) & always_loud_) == 0 &&
           (seen & loud_after_[type]) == 0 && (repeated & loud_when_repeated_[type]) == 0;
  }
  /// Appends what the order of commits says of a row that the stream brought.
  void judge_order(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  /// The finding of a row that lacks something now and may not when all transactions of now have ended.
  [[nodiscard]] std::optional<Finding> doubt_of(const RunLog& log, std::uint32_t row,
                                                std::string_view run_id) const;
  /// Appends every verdict of the run.
  void judge_run(const RunLog& log, std::vector<Verdict>& out) const;
  /// How far a run is judged that is judged in pieces.
  struct Progress {
    std::uint32_t next = 0;
    /// The fatal row with the smallest id so far, of those before the first failure.
    std::uint32_t cause = RunLog::kNone;
  };
  /// Appends the verdicts of the next rows: of `rows_max`, or fewer once there are `verdicts_max`. True: that
  /// was the last piece. The log must not grow between the pieces.
  [[nodiscard]] bool judge_piece(const RunLog& log, Progress& progress, std::size_t rows_max,
                                 std::size_t verdicts_max, std::vector<Verdict>& out) const;
  /// The verdict in words and ids.
  [[nodiscard]] Finding describe(const RunLog& log, const Verdict& verdict, std::string_view run_id,
                                 Origin origin) const;

  /// A hole in a run's slots; nullopt when the rule is off. `own`: RunLog::own_engine.
  [[nodiscard]] std::optional<Finding> describe_gap(const SlotNumbers::Gap& gap, std::string_view run_id,
                                                    bool run_ended, Origin origin,
                                                    std::optional<Engine> own = std::nullopt) const;

  /// As configured; with `auto` as engine_of_run() has it.
  [[nodiscard]] TakenEngine engine_of(const RunLog& log) const noexcept {
    return engine_of(log.own_engine(), log.first_slot() != RunLog::kNone);
  }
  [[nodiscard]] TakenEngine engine_of(std::optional<Engine> own, bool slots) const noexcept;
  /// A run's own spec version decides, where it has one.
  [[nodiscard]] bool is_by_run() const noexcept {
    return !config_.engine && auto_engines_.by_run != SpecSource::kNone;
  }
  [[nodiscard]] Severity severity(Rule rule, Shape shape, Engine engine) const noexcept;
  /// What `auto` means.
  void set_auto_engines(const AutoEngines& engines) noexcept { auto_engines_ = engines; }

 private:
  void note_loud(std::size_t index);
  void add_faults(std::vector<Verdict>& out) const;
  /// What the profile says of a finding of the rule that rows of this type are a part of.
  void name_rule(Finding& finding, std::uint8_t type) const;
  [[nodiscard]] const EventType& type_of(const RunLog::Row& row) const noexcept;
  [[nodiscard]] bool unique(const RunLog::Row& row, const RunLog::Entity& entity) const noexcept;
  /// The types of the class of this one, itself among them, as bits.
  [[nodiscard]] std::uint64_t class_of(std::uint8_t type) const noexcept {
    return type < classes_.size() ? classes_[type] : ~std::uint64_t{0};
  }
  /// The row's verdicts as the log is, whatever made them.
  void judge_in_place(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  void judge_entity(const RunLog& log, const RunLog::Entity& entity, std::vector<Verdict>& out) const;
  /// A row that arrived as the canonical one of its class. False as of judge_row.
  [[nodiscard]] bool judge_canonical(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  [[nodiscard]] bool is_changing_others(const RunLog& log, std::uint32_t row, std::uint32_t displaced) const;
  /// One row against the canonical row of its class.
  void judge_member(const RunLog& log, std::uint32_t row, std::uint32_t canonical,
                    std::vector<Verdict>& out) const;
  [[nodiscard]] Shape duplicate_shape(const RunLog& log, std::uint32_t row, std::uint32_t canonical) const;
  [[nodiscard]] Shape late_shape(const RunLog& log, std::uint32_t canonical, std::uint32_t closing) const;
  void judge_conflict(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  void judge_scheme(const RunLog& log, std::vector<Verdict>& out) const;
  /// Whether the arrival of `row` may have changed which row is the cause of the failure `failed`, given its
  /// verdicts from `first` on.
  [[nodiscard]] bool moves_cause(const RunLog& log, std::uint32_t row, std::size_t first,
                                 std::uint32_t failed, const std::vector<Verdict>& out) const;
  [[nodiscard]] std::uint32_t first_failure(const RunLog& log) const;
  [[nodiscard]] bool is_fatal(const RunLog& log, const Verdict& verdict) const noexcept;
  /// Of a fatal finding of a run that goes on.
  [[nodiscard]] static Pending pending_of(const RunLog& log, Rule rule, Shape shape) noexcept;
  void add(const Verdict& verdict, std::vector<Verdict>& out) const;
  [[nodiscard]] bool before(const RunLog& log, std::uint32_t a, std::uint32_t b) const {
    return log.less(log.row(a).id, log.row(b).id, codec_);
  }

  const Profile& profile_;
  const RuleConfig& config_;
  const TokenCodec& codec_;
  ProfileRules ruled_;
  /// Empty between calls.
  mutable std::vector<ProfileRules::Fault> faults_;
  AutoEngines auto_engines_;
  EventType unlisted_;
  /// By type: the types of its class.
  std::array<std::uint64_t, Profile::kTypesMax> classes_{};
  std::uint64_t opening_ = 0;
  std::uint64_t conflicting_ = 0;
  std::uint64_t failing_ = 0;
  std::uint64_t unique_ = 0;
  std::uint64_t always_loud_ = 0;
  /// By type, one bit for each other type: with one of these before it in the entity, or with two rows of one
  /// of these, a row may be at fault.
  std::array<std::uint64_t, Profile::kTypesMax> loud_after_{};
  std::array<std::uint64_t, Profile::kTypesMax> loud_when_repeated_{};
  /// By group: whether a type closes it; whether one conflicts with its opening.
  std::array<bool, 256> closable_{};
  std::array<bool, 256> contestable_{};
};

/// Stable over restarts and machines: FNV-1a over table, rule, run and the id of the row at fault, mixed; of
/// a rule that speaks of the run as a whole `duplicate_id` is empty. `profile_rule` is the name of a
/// profile's own.
[[nodiscard]] std::uint64_t finding_id(std::string_view table, Rule rule, std::string_view run_id,
                                       std::string_view duplicate_id,
                                       std::string_view profile_rule = {}) noexcept;
/// One number for all findings of a row, by whatever rule; of a finding of the run as a whole its id.
[[nodiscard]] std::uint64_t fault_id(std::string_view table, Rule rule, std::string_view run_id,
                                     std::string_view duplicate_id,
                                     std::string_view profile_rule = {}) noexcept;

}  // namespace dupwatch::core
