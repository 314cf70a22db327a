#include "daemon/core/replay_rules.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace dupwatch::core {
namespace {

constexpr auto kNone = RunLog::kNone;

}  // namespace

ReplayRules::ReplayRules(const Profile& profile, const RuleConfig& config, const TokenCodec& codec)
    : profile_(profile), config_(config), codec_(codec), ruled_(profile, codec) {
  unlisted_.unique = profile.unlisted_unique;
  for (std::size_t i = 0; i < profile.types.size(); ++i) {
    const auto& type = profile.types[i];
    const auto bit = type_bit(static_cast<std::uint8_t>(i));
    for (std::size_t j = 0; j < profile.types.size(); ++j) {
      const bool one = i == j || (type.event_class != 0 && type.event_class == profile.types[j].event_class);
      if (one) classes_[i] |= type_bit(static_cast<std::uint8_t>(j));
    }
    if (type.opens) opening_ |= bit;
    if (type.conflicts) conflicting_ |= bit;
    if (type.fails_run) failing_ |= bit;
    if (type.unique) unique_ |= bit;
    if (type.closes) closable_[type.group] = true;
    if (type.conflicts) contestable_[type.group] = true;
  }
  for (std::size_t i = 0; i < profile.types.size(); ++i) note_loud(i);
}

void ReplayRules::note_loud(std::size_t index) {
  constexpr auto kAll = ~std::uint64_t{0};
  const auto& type = profile_.types[index];
  if (type.rule != EventType::kNoRule) {
    loud_after_[index] = ruled_.loud_after(static_cast<std::uint8_t>(index));
    if (ruled_.is_always_loud(static_cast<std::uint8_t>(index)))
      always_loud_ |= type_bit(static_cast<std::uint8_t>(index));
    return;
  }
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

TakenEngine ReplayRules::engine_of(std::optional<Engine> own, bool slots) const noexcept {
  if (config_.engine) return {.engine = *config_.engine, .from = EngineFrom::kConfiguration};
  return engine_of_run(auto_engines_, own, slots);
}

Severity ReplayRules::severity(Rule rule, Shape shape, Engine engine) const noexcept {
  const auto& setting = config_.rules[static_cast<std::size_t>(rule)];
  return setting.severity.value_or(severity_of(rule_case(rule, shape), engine));
}

const EventType& ReplayRules::type_of(const RunLog::Row& row) const noexcept {
  return row.type == RunLog::kUnlistedType ? unlisted_ : profile_.types[row.type];
}

bool ReplayRules::unique(const RunLog::Row& row, const RunLog::Entity& entity) const noexcept {
  const auto& type = type_of(row);
  return type.unique && (type.unique_when_null || !entity.null_identity);
}

bool ReplayRules::judge_row(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  const auto& arrived = log.row(row);
  const auto& type = type_of(arrived);
  const auto& entity = log.entity(arrived.entity);
  if (entity.greatest == row && log.run_end() == kNone && row != log.first_slot() &&
      row != log.first_other() && row != log.other_seed() &&
      (row != log.seed() || log.other_seed() == kNone)) {
    const auto own = type_bit(arrived.type);
    if (is_quiet(arrived.type, (entity.seen & ~own) | (entity.repeated & own), entity.repeated)) return true;
  }
  if (profile_.has_rules()) {
    const bool all = ruled_.arrived(log, row, faults_);
    add_faults(out);
    return all;
  }
  const auto first = out.size();
  const bool mixes = row == log.first_slot() && log.first_other() != kNone;
  const auto failed = first_failure(log);
  // Every finding of the run changes its state, or is one for another engine.
  bool whole = mixes || log.run_end() == row || failed == row;
  if (!whole) {
    if (type.closes && entity.closing == row && entity.large == kNone) {
      // It may sort before rows that are known already.
      judge_entity(log, entity, out);
    } else if (entity.closing == row || type.unique || type.conflicts ||
               (type.after_close && entity.closing != kNone)) {
      if (entity.closing == row || log.least_of(entity, class_of(arrived.type), codec_) == row) {
        whole = !judge_canonical(log, row, out);
      } else {
        judge_in_place(log, row, out);
      }
    }
    const bool seeds = row == log.other_seed() || (row == log.seed() && log.other_seed() != kNone);
    if (row == log.first_slot() || row == log.first_other() || seeds) judge_scheme(log, out);
    // Who caused the failure is a matter of the whole run.
    whole = whole || (failed != kNone && moves_cause(log, row, first, failed, out));
  } else if (log.rows() > kAtOnceMax) {
    judge_in_place(log, row, out);
  }
  if (!whole) return true;
  if (log.rows() > kAtOnceMax) return false;
  out.resize(first);
  judge_run(log, out);
  return true;
}

bool ReplayRules::judge_canonical(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  const auto& arrived = log.row(row);
  const auto& entity = log.entity(arrived.entity);
  const auto own_class = class_of(arrived.type);
  if (entity.large != kNone) {
    // Of all others of its class the one before it alone has a new finding.
    judge_in_place(log, row, out);
    const auto displaced = log.least_of(entity, own_class, codec_, row);
    if (displaced != kNone) judge_in_place(log, displaced, out);
    return !is_changing_others(log, row, displaced);
  }
  // A new canonical row is one more to compare with for all of its class.
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if ((class_of(log.row(i).type) & own_class) != 0) judge_in_place(log, i, out);
  }
  if (type_of(arrived).opens && contestable_[entity.group]) {
    for (auto i = entity.first; i != kNone; i = log.row(i).next) judge_conflict(log, i, out);
  }
  return true;
}

bool ReplayRules::is_changing_others(const RunLog& log, std::uint32_t row, std::uint32_t displaced) const {
  const auto& arrived = log.row(row);
  const auto& type = type_of(arrived);
  const auto& entity = log.entity(arrived.entity);
  const auto own_class = class_of(arrived.type);
  const auto others = ~own_class;
  if (entity.closing == row && arrived.type != RunLog::kUnlistedType) {
    const auto greatest = log.greatest_of(entity, others, codec_);
    if (greatest != kNone && before(log, row, greatest)) return true;
  }
  const bool contests = type.opens && contestable_[entity.group] &&
                        log.least_of(entity, opening_, codec_, row) == kNone &&
                        log.least_of(entity, conflicting_, codec_) != kNone;
  if (contests) return true;
  if (displaced == kNone || log.count_of(entity, own_class, 3) < 3) return false;
  if (log.row(displaced).type != arrived.type) return true;
  return entity.closing != kNone && before(log, entity.closing, displaced) &&
         before(log, row, entity.closing);
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
  const auto own_class = class_of(log.row(row).type);
  if (log.least_of(entity, own_class, codec_) != row) return false;
  const auto displaced = log.least_of(entity, own_class & unique_, codec_, row);
  if (displaced != kNone && unique(log.row(displaced), entity)) return true;
  const auto greatest = log.greatest_of(entity, own_class, codec_);
  return greatest != row && entity.closing != kNone && before(log, entity.closing, greatest);
}

void ReplayRules::judge_run(const RunLog& log, std::vector<Verdict>& out) const {
  Progress progress;
  (void)judge_piece(log, progress, log.rows(), SIZE_MAX, out);
}

bool ReplayRules::judge_piece(const RunLog& log, Progress& progress, std::size_t rows_max,
                              std::size_t verdicts_max, std::vector<Verdict>& out) const {
  const auto failed = first_failure(log);
  const auto note_cause = [&](std::size_t first) {
    for (auto i = first; failed != kNone && i < out.size(); ++i) {
      const auto at_fault = out[i].duplicate;
      if (!is_fatal(log, out[i]) || !before(log, at_fault, failed)) continue;
      if (progress.cause == kNone || before(log, at_fault, progress.cause)) progress.cause = at_fault;
    }
  };
  const auto begin = out.size();
  for (auto left = rows_max; progress.next < log.rows(); ++progress.next, --left) {
    if (left == 0 || out.size() - begin >= verdicts_max) return false;
    ++rows_looked_at();
    const auto first = out.size();
    judge_in_place(log, progress.next, out);
    note_cause(first);
  }
  const auto first = out.size();
  judge_scheme(log, out);
  note_cause(first);
  if (progress.cause != kNone) {
    add({.rule = Rule::kRunLost, .duplicate = failed, .canonical = progress.cause, .closing = kNone}, out);
  }
  return true;
}

void ReplayRules::judge_entity(const RunLog& log, const RunLog::Entity& entity,
                               std::vector<Verdict>& out) const {
  for (auto i = entity.first; i != kNone; i = log.row(i).next) judge_in_place(log, i, out);
}

void ReplayRules::judge_in_place(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  if (profile_.has_rules()) {
    ruled_.judge(log, row, faults_);
    add_faults(out);
    return;
  }
  const auto& member = log.row(row);
  judge_member(log, row, log.least_of(log.entity(member.entity), class_of(member.type), codec_), out);
  judge_conflict(log, row, out);
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

void ReplayRules::judge_conflict(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  const auto& member = log.row(row);
  if (!type_of(member).conflicts) return;
  const auto& entity = log.entity(member.entity);
  const auto opening = log.least_of(entity, opening_, codec_);
  if (opening == kNone) return;
  add({.rule = Rule::kHookSelfConflict, .duplicate = row, .canonical = opening, .closing = entity.closing},
      out);
}

void ReplayRules::judge_scheme(const RunLog& log, std::vector<Verdict>& out) const {
  if (!profile_.slot_ids || log.first_other() == kNone) return;
  const bool mixed = log.first_slot() != kNone;
  const auto engine = engine_of(log).engine;
  if (!mixed && engine == Engine::kV4 && log.other_seed() != kNone) {
    add({.rule = Rule::kIdScheme,
         .shape = Shape::kTwoSeeds,
         .duplicate = log.other_seed(),
         .canonical = log.seed(),
         .closing = kNone},
        out);
    return;
  }
  // Without a slot number the run is an old one, which matters to a new engine alone.
  if (!mixed && !refuses_ulids(engine)) return;
  add({.rule = Rule::kIdScheme,
       .shape = mixed ? Shape::kPlain : Shape::kNoSlot,
       .duplicate = log.first_other(),
       .canonical = mixed ? log.first_slot() : log.first_other(),
       .closing = kNone},
      out);
}

std::uint32_t ReplayRules::first_failure(const RunLog& log) const {
  if (log.run_end() == kNone) return kNone;
  const auto& ends = log.entity(log.row(log.run_end()).entity);
  return (ends.seen & failing_) == 0 ? kNone : log.least_of(ends, failing_, codec_);
}

bool ReplayRules::is_fatal(const RunLog& log, const Verdict& verdict) const noexcept {
  return severity(verdict.rule, verdict.shape, engine_of(log).engine) == Severity::kFatal;
}

void ReplayRules::add(const Verdict& verdict, std::vector<Verdict>& out) const {
  if (config_.rules[static_cast<std::size_t>(verdict.rule)].enabled) out.push_back(verdict);
}

}  // namespace dupwatch::core
