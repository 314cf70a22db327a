#include <cstdint>
#include <string>

#include "daemon/core/replay_rules.hpp"

/// Verdicts in words and ids.
namespace dupwatch::core {
namespace {

RowEvidence evidence(const RunLog& log, const RunLog::Row& row, const TokenCodec& codec) {
  RowEvidence out;
  out.id = log.text(row.id, codec);
  if (row.commit.xid != 0) out.xid = row.commit.xid;
  if (row.commit.lsn.valid()) out.commit_lsn = row.commit.lsn;
  if (row.commit.time.micros != 0) out.commit_time = row.commit.time;
  return out;
}

/// FNV-1a, mixed at the end: an id that an operator has written down must be the same in every version.
std::uint64_t stable_hash(std::string_view text, std::uint64_t start) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ start;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  hash = (hash ^ (hash >> 33U)) * 0xFF51AFD7ED558CCDULL;
  hash = (hash ^ (hash >> 33U)) * 0xC4CEB9FE1A85EC53ULL;
  return hash ^ (hash >> 33U);
}

}  // namespace

std::uint64_t finding_id(std::string_view table, Rule rule, std::string_view run_id,
                         std::string_view duplicate_id, std::string_view profile_rule) noexcept {
  auto hash = stable_hash(table, 0);
  hash = stable_hash(to_string(rule), hash);
  if (!profile_rule.empty()) hash = stable_hash(profile_rule, hash);
  hash = stable_hash(run_id, hash);
  return stable_hash(is_of_the_run(rule) ? std::string_view{} : duplicate_id, hash);
}

std::uint64_t fault_id(std::string_view table, Rule rule, std::string_view run_id,
                       std::string_view duplicate_id, std::string_view profile_rule) noexcept {
  if (is_of_the_run(rule)) return finding_id(table, rule, run_id, duplicate_id, profile_rule);
  return finding_id(table, Rule::kDuplicate, run_id, duplicate_id);
}

Pending ReplayRules::pending_of(const RunLog& log, Rule rule, Shape shape) noexcept {
  // These are seen before the first event is replayed.
  if (rule == Rule::kIdScheme && shape != Shape::kTwoSeeds) return Pending::kCertain;
  return log.open_entities() == 0 ? Pending::kMayReturn : Pending::kCertain;
}

Finding ReplayRules::describe(const RunLog& log, const Verdict& verdict, std::string_view run_id,
                              Origin origin) const {
  const auto& row = log.row(verdict.duplicate);
  Finding finding;
  finding.rule = verdict.rule;
  const auto taken = engine_of(log);
  finding.engine = taken.engine;
  finding.engine_from = taken.from;
  finding.severity = severity(verdict.rule, verdict.shape, finding.engine);
  finding.shape = verdict.shape;
  finding.state = log.run_end() == RunLog::kNone ? FindingState::kOpen : FindingState::kRunEnded;
  if (finding.severity == Severity::kFatal && finding.state == FindingState::kOpen) {
    finding.pending = pending_of(log, verdict.rule, verdict.shape);
  }
  finding.origin = origin;
  finding.set_table(profile_);
  finding.run_id = run_id;
  finding.identity = log.identity(log.entity(row.entity), codec_);
  if (verdict.rule == Rule::kProfileRule) name_rule(finding, row.type);
  if (row.type == RunLog::kUnlistedType) {
    finding.type = finding.identity.back().value_or("");
    finding.identity.pop_back();
  } else {
    finding.type = profile_.types[row.type].name;
  }
  finding.one_of_many = log.entity(row.entity).large != RunLog::kNone ||
                        (verdict.rule == Rule::kAfterRunEnd && log.rows() > kAtOnceMax);
  finding.canonical = evidence(log, log.row(verdict.canonical), codec_);
  finding.duplicate = evidence(log, row, codec_);
  if (verdict.closing != RunLog::kNone) {
    finding.closing = evidence(log, log.row(verdict.closing), codec_);
    finding.after_close = before(log, verdict.closing, verdict.duplicate);
  }
  finding.id =
      finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id, finding.profile_rule);
  return finding;
}

std::optional<Finding> ReplayRules::describe_gap(const SlotNumbers::Gap& gap, std::string_view run_id,
                                                 bool run_ended, Origin origin,
                                                 std::optional<Engine> own) const {
  if (!config_.rules[static_cast<std::size_t>(Rule::kSlotGap)].enabled) return std::nullopt;
  Finding finding;
  finding.rule = Rule::kSlotGap;
  const auto taken = engine_of(own, true);
  finding.engine = taken.engine;
  finding.engine_from = taken.from;
  finding.severity = severity(Rule::kSlotGap, Shape::kPlain, finding.engine);
  finding.shape = Shape::kPlain;
  finding.state = run_ended ? FindingState::kRunEnded : FindingState::kOpen;
  if (finding.severity == Severity::kFatal && !run_ended) finding.pending = Pending::kCertain;
  finding.origin = origin;
  finding.set_table(profile_);
  finding.run_id = run_id;
  finding.identity = {std::nullopt};
  finding.canonical.id = gap.before;
  finding.duplicate.id = gap.after;
  finding.id = finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
  return finding;
}

void ReplayRules::name_rule(Finding& finding, std::uint8_t type) const {
  const auto& rule = ruled_.rule_of(type);
  finding.profile_rule = rule.name;
  finding.profile_reason =
      rule.reason.empty() ? std::string(reason_text(finding.rule, rule.kind)) : rule.reason;
  const auto& setting = config_.rules[static_cast<std::size_t>(Rule::kProfileRule)];
  finding.severity = setting.severity.value_or(rule.severity);
  // A profile has no end that would settle it.
  finding.pending = finding.severity == Severity::kFatal ? Pending::kCertain : Pending::kNone;
}

}  // namespace dupwatch::core
