#include "daemon/core/duplicate_rule.hpp"

#include <string>
#include <utility>

namespace dupwatch::core {
namespace {

constexpr auto kNone = RunLog::kNone;

/// Set of listed types, one bit each (Profile::kTypesMax = 64). The unlisted type shares its entity with no
/// other.
class TypeSet {
 public:
  [[nodiscard]] bool insert(std::uint8_t type) noexcept {
    const auto bit = std::uint64_t{1} << (type % Profile::kTypesMax);
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

}  // namespace

std::uint64_t finding_id(std::string_view table, Rule rule, std::string_view run_id,
                         std::string_view duplicate_id) noexcept {
  auto hash = hash_text(table, 0);
  hash = hash_text(to_string(rule), hash);
  hash = hash_text(run_id, hash);
  return hash_text(duplicate_id, hash);
}

DuplicateRule::DuplicateRule(const Profile& profile, const TokenCodec& codec)
    : profile_(profile), codec_(codec) {}

DuplicateRule::TypeFacts DuplicateRule::facts(std::uint8_t type,
                                              const RunLog::Entity& entity) const noexcept {
  if (type == RunLog::kUnlistedType) return {.unique = profile_.unlisted_unique};
  const auto& listed = profile_.types[type];
  return {.unique = listed.unique && (listed.unique_when_null || !entity.null_identity),
          .closes = listed.closes,
          .group = listed.group};
}

void DuplicateRule::judge_row(const RunLog& log, std::uint32_t row, std::vector<Verdict>& out) const {
  const auto& arrived = log.row(row);
  const auto& entity = log.entity(arrived.entity);
  const auto own = facts(arrived.type, entity);
  bool repeated = false;
  bool canonical = true;
  TypeSet seen;
  TypeSet closed;  // other types of the group that have more than one row
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (i == row) continue;
    const auto& other = log.row(i);
    if (other.type == arrived.type) {
      repeated = true;
      if (log.less(other.id, arrived.id, codec_)) canonical = false;
    } else if (own.closes && !seen.insert(other.type) && closed.insert(other.type)) {
      // The new closing event may have come before the duplicates that are known already.
      if (facts(other.type, entity).group == own.group) judge_type(log, entity, other.type, kNone, out);
    }
  }
  // A new canonical row makes every earlier row of the identity a duplicate; otherwise only the new row is
  // one.
  if (repeated) judge_type(log, entity, arrived.type, canonical ? kNone : row, out);
}

void DuplicateRule::judge_run(const RunLog& log, std::vector<Verdict>& out) const {
  for (std::uint32_t index = 0; index < log.entities(); ++index) {
    const auto& entity = log.entity(index);
    TypeSet seen;
    TypeSet judged;
    for (auto i = entity.first; i != kNone; i = log.row(i).next) {
      const auto type = log.row(i).type;
      if (!seen.insert(type) && judged.insert(type)) judge_type(log, entity, type, kNone, out);
    }
  }
}

void DuplicateRule::judge_type(const RunLog& log, const RunLog::Entity& entity, std::uint8_t type,
                               std::uint32_t only, std::vector<Verdict>& out) const {
  const auto judged = facts(type, entity);
  if (!judged.unique) return;
  auto canonical = kNone;
  auto closing = kNone;
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    const auto& row = log.row(i);
    if (row.type == type && (canonical == kNone || log.less(row.id, log.row(canonical).id, codec_)))
      canonical = i;
    const auto other = facts(row.type, entity);
    if (other.closes && other.group == judged.group &&
        (closing == kNone || log.less(row.id, log.row(closing).id, codec_))) {
      closing = i;
    }
  }
  for (auto i = entity.first; i != kNone; i = log.row(i).next) {
    if (log.row(i).type != type || i == canonical || (only != kNone && i != only)) continue;
    out.push_back(Verdict{.duplicate = i, .canonical = canonical, .closing = closing});
  }
}

Finding DuplicateRule::describe(const RunLog& log, const Verdict& verdict, std::string_view run_id,
                                Origin origin) const {
  const auto& row = log.row(verdict.duplicate);
  Finding finding;
  finding.rule = Rule::kDuplicate;
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
    const auto& closing = log.row(verdict.closing);
    finding.closing_id = log.text(closing.id, codec_);
    finding.after_close = log.less(closing.id, row.id, codec_);
  }
  finding.id = finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
  return finding;
}

}  // namespace dupwatch::core
