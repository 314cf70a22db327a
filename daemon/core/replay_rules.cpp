#include "daemon/core/replay_rules.hpp"

#include <string>
#include <utility>

namespace dupwatch::core {
namespace {

constexpr auto kNone = RunLog::kNone;

/// Set of classes, one bit each (Profile::kTypesMax = 64). Rows of unlisted types share their entity with no
/// other.
class ClassSet {
 public:
  [[nodiscard]] bool insert(std::uint8_t event_class) noexcept {
    const auto bit = std::uint64_t{1} << (event_class % Profile::kTypesMax);
    const bool added = (bits_ & bit) == 0;
    bits_ |= bit;
    return added;
  }

 private:
  std::uint64_t bits_ = 0;
};

RowEvidence evidence(const RunLog& log, const RunLog::Row& row, const TokenCodec& codec) {
  RowEvidence out;
  out.id = log.text(row.id, codec);
  if (row.commit.xid != 0) out.xid = row.commit.xid;
  if (row.commit.lsn.valid()) out.commit_lsn = row.commit.lsn;
  if (row.commit.time.micros != 0) out.commit_time = row.commit.time;
  return out;
}

/// One finding per run, whichever row shows it.
bool is_of_the_run(Rule rule) noexcept {
  return rule == Rule::kIdScheme || rule == Rule::kSlotGap || rule == Rule::kRunLost;
}

}  // namespace

std::uint64_t finding_id(std::string_view table, Rule rule, std::string_view run_id,
                         std::string_view duplicate_id) noexcept {
  auto hash = hash_text(table, 0);
  hash = hash_text(to_string(rule), hash);
  hash = hash_text(run_id, hash);
  return hash_text(is_of_the_run(rule) ? std::string_view{} : duplicate_id, hash);
}

ReplayRules::ReplayRules(const Profile& profile, const RuleConfig& config, const TokenCodec& codec)
    : profile_(profile), config_(config), codec_(codec) {
  unlisted_.unique = profile.unlisted_unique;
  for (std::size_t i = 0; i < profile.types.size(); ++i) {
    const auto& type = profile.types[i];
    std::size_t first = i;
    for (std::size_t j = 0; type.event_class != 0 && j < first; ++j) {
      if (profile.types[j].event_class == type.event_class) first = j;
    }
    classes_[i] = static_cast<std::uint8_t>(first);
    if (type.closes) closable_[type.group] = true;
    if (type.conflicts) contestable_[type.group] = true;
  }
  for (std::size_t i = 0; i < profile.types.size(); ++i) note_loud(i);
}

void ReplayRules::note_loud(std::size_t index) {
  constexpr auto kAll = ~std::uint64_t{0};
  const auto& type = profile_.types[index];
  for (std::size_t i = 0; i < profile_.types.size(); ++i) {
    const auto& other = profile_.types[i];
    const auto bit = type_bit(static_cast<std::uint8_t>(i));
    const bool one_class = classes_[i] == classes_[index];
    if (other.closes || other.conflicts || (one_class && type.unique)) loud_after_[index] |= bit;
    if (!type.closes) continue;
    // It is judged with its whole entity, which may have duplicates already.
    if (other.unique) loud_when_repeated_[index] |= bit;
    if (other.unique && other.event_class != 0) loud_after_[index] |= bit;
  }
  if (type.conflicts) loud_after_[index] = kAll;
}

Engine ReplayRules::engine_of(const RunLog& log) const noexcept {
  if (config_.engine) return *config_.engine;
  return log.first_slot() != kNone ? Engine::kV5 : ulid_engine_;
}

Severity ReplayRules::severity(Rule rule, Shape shape, Engine engine) const noexcept {
  const auto& setting = config_.rules[static_cast<std::size_t>(rule)];
  return setting.severity.value_or(rule_case(rule, shape).severity[static_cast<std::size_t>(engine)]);
}

const EventType& ReplayRules::type_of(const RunLog::Row& row) const noexcept {
  return row.type == RunLog::kUnlistedType ? unlisted_ : profile_.types[row.type];
}

bool ReplayRules::unique(const RunLog::Row& row, const RunLog::Entity& entity) const noexcept {
  const auto& type = type_of(row);
  return type.unique && (type.unique_when_null || !entity.null_identity);
}

std::uint8_t ReplayRules::class_of(std::uint8_t type) const noexcept {
  return type == RunLog::kUnlistedType ? type : classes_[type];
}

void ReplayRules::judge_row(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  const auto& arrived = log.row(row);
  const auto& type = type_of(arrived);
  const auto& entity = log.entity(arrived.entity);
  if (entity.greatest == row && log.run_end() == kNone && row != log.first_slot() &&
      row != log.first_other()) {
    const auto own = type_bit(arrived.type);
    if (is_quiet(arrived.type, (entity.seen & ~own) | (entity.repeated & own), entity.repeated)) return;
  }
  const auto first = out.size();
  const bool mixes = row == log.first_slot() && log.first_other() != kNone;
  if (type.ends_run || mixes) {
    // Every finding of the run changes its state, or is one for another engine; once in a run's life.
    judge_run(log, out);
    return;
  }
  if (type.closes && entity.closing == row) {
    // It may sort before rows that are known already.
    judge_entity(log, entity, out);
  } else if (type.unique || type.conflicts || (type.after_close && entity.closing != kNone)) {
    bool canonical = true;
    for (auto i = entity.first; i != kNone && canonical; i = log.row(i).next) {
      canonical = i == row || class_of(log.row(i).type) != class_of(arrived.type) || before(log, row, i);
    }
    // A new canonical row is one more to compare with for all of its class; any other concerns itself alone.
    judge_class(log, entity, class_of(arrived.type), canonical ? kNone : row, out);
    if (canonical && type.opens && contestable_[entity.group]) judge_conflicts(log, entity, out);
  }
  if (row == log.first_slot() || row == log.first_other()) judge_scheme(log, out);
  // Who caused the failure is a matter of the whole run.
  const auto failed = first_failure(log);
  if (failed == kNone || !moves_cause(log, row, first, failed, out)) return;
  out.resize(first);
  judge_run(log, out);
}

bool ReplayRules::moves_cause(const RunLog& log, std::uint32_t row, std::size_t first, std::uint32_t failed,
                              const std::vector<Verdict>& out) const {
  for (auto i = first; i < out.size(); ++i) {
    if (is_fatal(log, out[i]) && before(log, out[i].duplicate, failed)) return true;
  }
  if (!before(log, row, failed)) return false;
  // A row that was fatal may be fatal no more, for what is canonical now stands before it; with its new rule
  // switched off there is not even a verdict.
  const auto& entity = log.entity(log.row(row).entity);
  bool displaces = false;
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (i == row || class_of(log.row(i).type) != class_of(log.row(row).type)) continue;
    if (before(log, i, row)) return false;
    displaces = displaces || unique(log.row(i), entity) ||
                (entity.closing != kNone && before(log, entity.closing, i));
  }
  return displaces;
}

void ReplayRules::judge_run(const RunLog& log, std::vector<Verdict>& out) const {
  const auto first = out.size();
  for (std::uint32_t index = 0; index < log.entities(); ++index) judge_entity(log, log.entity(index), out);
  judge_scheme(log, out);
  judge_lost(log, first, out);
}

void ReplayRules::judge_entity(const RunLog& log, const RunLog::Entity& entity,
                               std::vector<Verdict>& out) const {
  ClassSet judged;
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    const auto event_class = class_of(log.row(i).type);
    if (judged.insert(event_class)) judge_class(log, entity, event_class, kNone, out);
  }
}

void ReplayRules::judge_class(const RunLog& log, const RunLog::Entity& entity, std::uint8_t event_class,
                              std::uint32_t only, std::vector<Verdict>& out) const {
  auto canonical = kNone;
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (class_of(log.row(i).type) != event_class) continue;
    if (canonical == kNone || before(log, i, canonical)) canonical = i;
  }
  if (canonical != kNone && type_of(log.row(canonical)).conflicts) judge_conflicts(log, entity, out);
  if (only != kNone) return judge_member(log, only, canonical, out);
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (class_of(log.row(i).type) == event_class) judge_member(log, i, canonical, out);
  }
}

void ReplayRules::judge_member(const RunLog& log, std::uint32_t row, std::uint32_t canonical,
                               std::vector<Verdict>& out) const {
  const auto& member = log.row(row);
  const auto& type = type_of(member);
  const auto& entity = log.entity(member.entity);
  const auto closing = entity.closing;
  if (row != canonical && unique(member, entity)) {
    add({.rule = type.duplicate_rule,
         .shape = duplicate_shape(log, row, canonical),
         .duplicate = row,
         .canonical = canonical,
         .closing = closing},
        out);
  } else if (type.after_close && closing != kNone && before(log, closing, row)) {
    const bool delivery = *type.after_close == Rule::kDeliveryAfterDisposal;
    add({.rule = *type.after_close,
         .shape = delivery ? Shape::kPlain : late_shape(log, canonical, closing),
         .duplicate = row,
         .canonical = closing,
         .closing = closing},
        out);
  }
  if (type.opens && log.run_end() != kNone && before(log, log.run_end(), row)) {
    add({.rule = Rule::kAfterRunEnd, .duplicate = row, .canonical = log.run_end(), .closing = kNone}, out);
  }
}

Shape ReplayRules::late_shape(const RunLog& log, std::uint32_t canonical, std::uint32_t closing) const {
  return before(log, canonical, closing) ? Shape::kAfterClose : Shape::kFirstAfterClose;
}

Shape ReplayRules::duplicate_shape(const RunLog& log, std::uint32_t row, std::uint32_t canonical) const {
  const auto& entity = log.entity(log.row(row).entity);
  const auto rule = type_of(log.row(row)).duplicate_rule;
  if (rule == Rule::kSecondTerminal || rule == Rule::kDuplicateRunEvent) {
    if (type_of(log.row(row)).reseeds) return Shape::kReseeds;
    return log.row(row).type == log.row(canonical).type ? Shape::kSameType : Shape::kOtherType;
  }
  if (!closable_[entity.group] || entity.group == 0) return Shape::kNoClosing;
  if (entity.closing == kNone || !before(log, entity.closing, row)) return Shape::kBeforeClose;
  return late_shape(log, canonical, entity.closing);
}

void ReplayRules::judge_conflicts(const RunLog& log, const RunLog::Entity& entity,
                                  std::vector<Verdict>& out) const {
  auto opening = kNone;
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (type_of(log.row(i)).opens && (opening == kNone || before(log, i, opening))) opening = i;
  }
  if (opening == kNone) return;
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (!type_of(log.row(i)).conflicts) continue;
    add({.rule = Rule::kHookSelfConflict, .duplicate = i, .canonical = opening, .closing = entity.closing},
        out);
  }
}

void ReplayRules::judge_scheme(const RunLog& log, std::vector<Verdict>& out) const {
  if (!profile_.slot_ids || log.first_other() == kNone) return;
  const bool mixed = log.first_slot() != kNone;
  // Without a slot number the run is an old one, which matters to a new engine alone.
  if (!mixed && engine_of(log) != Engine::kV5) return;
  add({.rule = Rule::kIdScheme,
       .shape = mixed ? Shape::kPlain : Shape::kNoSlot,
       .duplicate = log.first_other(),
       .canonical = mixed ? log.first_slot() : log.first_other(),
       .closing = kNone},
      out);
}

std::uint32_t ReplayRules::first_failure(const RunLog& log) const {
  auto failed = kNone;
  if (log.run_end() == kNone) return failed;
  const auto& ends = log.entity(log.row(log.run_end()).entity);
  for (auto i = ends.first; i != kNone; i = log.row(i).next) {
    if (type_of(log.row(i)).fails_run && (failed == kNone || before(log, i, failed))) failed = i;
  }
  return failed;
}

bool ReplayRules::is_fatal(const RunLog& log, const Verdict& verdict) const noexcept {
  return severity(verdict.rule, verdict.shape, engine_of(log)) == Severity::kFatal;
}

void ReplayRules::judge_lost(const RunLog& log, std::size_t first, std::vector<Verdict>& out) const {
  const auto failed = first_failure(log);
  auto cause = kNone;
  for (auto i = first; failed != kNone && i < out.size(); ++i) {
    if (!is_fatal(log, out[i]) || !before(log, out[i].duplicate, failed)) continue;
    if (cause == kNone || before(log, out[i].duplicate, cause)) cause = out[i].duplicate;
  }
  if (cause == kNone) return;
  add({.rule = Rule::kRunLost, .duplicate = failed, .canonical = cause, .closing = kNone}, out);
}

void ReplayRules::add(const Verdict& verdict, std::vector<Verdict>& out) const {
  if (config_.rules[static_cast<std::size_t>(verdict.rule)].enabled) out.push_back(verdict);
}

Finding ReplayRules::describe(const RunLog& log, const Verdict& verdict, std::string_view run_id,
                              Origin origin, std::optional<Engine> engine) const {
  const auto& row = log.row(verdict.duplicate);
  Finding finding;
  finding.rule = verdict.rule;
  finding.engine = engine.value_or(engine_of(log));
  finding.severity = severity(verdict.rule, verdict.shape, finding.engine);
  finding.reason = rule_case(verdict.rule, verdict.shape).reason;
  finding.state = log.run_end() == kNone ? FindingState::kOpen : FindingState::kRunEnded;
  finding.origin = origin;
  finding.table = profile_.qualified_name();
  finding.run_id = run_id;
  finding.identity = log.identity(log.entity(row.entity), codec_);
  if (row.type == RunLog::kUnlistedType) {
    finding.type = finding.identity.back().value_or("");
    finding.identity.pop_back();
  } else {
    finding.type = profile_.types[row.type].name;
  }
  finding.canonical = evidence(log, log.row(verdict.canonical), codec_);
  finding.duplicate = evidence(log, row, codec_);
  if (verdict.closing != kNone) {
    finding.closing = evidence(log, log.row(verdict.closing), codec_);
    finding.after_close = before(log, verdict.closing, verdict.duplicate);
  }
  finding.id = finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
  return finding;
}

std::optional<Finding> ReplayRules::describe_gap(const SlotNumbers::Gap& gap, std::string_view run_id,
                                                 bool run_ended, Origin origin,
                                                 std::optional<Engine> engine) const {
  if (!config_.rules[static_cast<std::size_t>(Rule::kSlotGap)].enabled) return std::nullopt;
  Finding finding;
  finding.rule = Rule::kSlotGap;
  finding.engine = engine.value_or(config_.engine.value_or(Engine::kV5));
  finding.severity = severity(Rule::kSlotGap, Shape::kPlain, finding.engine);
  finding.reason = rule_case(Rule::kSlotGap, Shape::kPlain).reason;
  finding.state = run_ended ? FindingState::kRunEnded : FindingState::kOpen;
  finding.origin = origin;
  finding.table = profile_.qualified_name();
  finding.run_id = run_id;
  finding.identity = {std::nullopt};
  finding.canonical.id = gap.before;
  finding.duplicate.id = gap.behind;
  finding.id = finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
  return finding;
}

}  // namespace dupwatch::core
