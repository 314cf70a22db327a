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
#include "daemon/core/rule.hpp"
#include "daemon/core/run_log.hpp"
#include "daemon/core/slot_gap.hpp"

namespace dupwatch::core {

/// Judges the rows of one run as replay reads them, in the order of their ids: arrival decides nothing, so a
/// row that comes second may be the canonical one. A verdict names the row at fault; its severity follows
/// from the case table and the run's engine generation.
class ReplayRules {
 public:
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
  /// finding one walk over the rows of its entity at most, and no allocation.
  void judge_row(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const;
  /// Whether a row of this type can't make or change a finding by its arrival, in a run without an end in
  /// which other rows of its scheme are known: it sorts behind all rows of its entity, which have the types
  /// `seen` and more than once the types `repeated` (one bit each). Never true of what isn't certain.
  [[nodiscard]] bool is_quiet(std::uint8_t type, std::uint64_t seen, std::uint64_t repeated) const noexcept {
    return type < Profile::kTypesMax && (seen & loud_after_[type]) == 0 &&
           (repeated & loud_when_repeated_[type]) == 0;
  }
  /// Appends every verdict of the run.
  void judge_run(const RunLog& log, std::vector<Verdict>& out) const;
  /// The verdict in words and ids; `engine` of nullopt is the run's own.
  [[nodiscard]] Finding describe(const RunLog& log, const Verdict& verdict, std::string_view run_id,
                                 Origin origin, std::optional<Engine> engine = std::nullopt) const;

  /// A hole in a run's slots; nullopt when the rule is off.
  [[nodiscard]] std::optional<Finding> describe_gap(const SlotNumbers::Gap& gap, std::string_view run_id,
                                                    bool run_ended, Origin origin,
                                                    std::optional<Engine> engine = std::nullopt) const;

  /// As configured; with `auto` by the run's ids, and for ULIDs by what the schema shows.
  [[nodiscard]] Engine engine_of(const RunLog& log) const noexcept;
  [[nodiscard]] Severity severity(Rule rule, Shape shape, Engine engine) const noexcept;
  /// What `auto` means for a run with ULIDs; a 4.x engine until this is called.
  void set_ulid_engine(Engine engine) noexcept { ulid_engine_ = engine; }

 private:
  void note_loud(std::size_t index);
  [[nodiscard]] const EventType& type_of(const RunLog::Row& row) const noexcept;
  [[nodiscard]] bool unique(const RunLog::Row& row, const RunLog::Entity& entity) const noexcept;
  [[nodiscard]] std::uint8_t class_of(std::uint8_t type) const noexcept;
  void judge_entity(const RunLog& log, const RunLog::Entity& entity, std::vector<Verdict>& out) const;
  /// Rows of one class within one entity; `only` restricts it to one row.
  void judge_class(const RunLog& log, const RunLog::Entity& entity, std::uint8_t event_class,
                   std::uint32_t only, std::vector<Verdict>& out) const;
  /// One row against the canonical row of its class.
  void judge_member(const RunLog& log, std::uint32_t row, std::uint32_t canonical,
                    std::vector<Verdict>& out) const;
  [[nodiscard]] Shape duplicate_shape(const RunLog& log, std::uint32_t row, std::uint32_t canonical) const;
  [[nodiscard]] Shape late_shape(const RunLog& log, std::uint32_t canonical, std::uint32_t closing) const;
  void judge_conflicts(const RunLog& log, const RunLog::Entity& entity, std::vector<Verdict>& out) const;
  void judge_scheme(const RunLog& log, std::vector<Verdict>& out) const;
  /// Given the run's verdicts from `first` on.
  void judge_lost(const RunLog& log, std::size_t first, std::vector<Verdict>& out) const;
  /// Whether the arrival of `row` may have changed which row is the cause of the failure `failed`, given its
  /// verdicts from `first` on.
  [[nodiscard]] bool moves_cause(const RunLog& log, std::uint32_t row, std::size_t first,
                                 std::uint32_t failed, const std::vector<Verdict>& out) const;
  [[nodiscard]] std::uint32_t first_failure(const RunLog& log) const;
  [[nodiscard]] bool is_fatal(const RunLog& log, const Verdict& verdict) const noexcept;
  void add(const Verdict& verdict, std::vector<Verdict>& out) const;
  [[nodiscard]] bool before(const RunLog& log, std::uint32_t a, std::uint32_t b) const {
    return log.less(log.row(a).id, log.row(b).id, codec_);
  }

  const Profile& profile_;
  const RuleConfig& config_;
  const TokenCodec& codec_;
  Engine ulid_engine_ = Engine::kV4;
  EventType unlisted_;
  /// By type: the first type of its class.
  std::array<std::uint8_t, Profile::kTypesMax> classes_{};
  /// By type, one bit for each other type: with one of these before it in the entity, or with two rows of one
  /// of these, a row may be at fault.
  std::array<std::uint64_t, Profile::kTypesMax> loud_after_{};
  std::array<std::uint64_t, Profile::kTypesMax> loud_when_repeated_{};
  /// By group: whether a type closes it; whether one conflicts with its opening.
  std::array<bool, 256> closable_{};
  std::array<bool, 256> contestable_{};
};

/// Stable over restarts and machines: FNV-1a over table, rule, run and the id of the row at fault, mixed; of
/// a rule that speaks of the run as a whole `duplicate_id` is empty.
[[nodiscard]] std::uint64_t finding_id(std::string_view table, Rule rule, std::string_view run_id,
                                       std::string_view duplicate_id) noexcept;

}  // namespace dupwatch::core
