#include "daemon/core/profile_rules.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace dupwatch::core {
namespace {

/// nullopt: it is no whole number.
std::optional<std::int64_t> whole_number(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<RulePart> part_of(const Profile& profile, const ProfileRule& rule,
                                const EventRow& row) noexcept {
  RulePart part;
  const std::uint8_t named = rule.takes_others ? rule.types_end - 1 : rule.types_end;
  part.type = rule.types_begin;
  while (part.type < named && profile.types[part.type].name != row.type_text) ++part.type;
  if (part.type == rule.types_end) return std::nullopt;
  for (const auto column : rule.columns) {
    auto value = decoder::Value::of(row.id);
    // No type is named by an empty text.
    if (column == ProfileRule::kTypeColumn)
      value = row.type_text.empty() ? decoder::Value::null() : decoder::Value::of(row.type_text);
    if (column < row.identity.size()) value = row.identity[column];
    if (value.kind != decoder::Value::Kind::kText && !rule.nulls_equal) return std::nullopt;
    part.values[part.size++] = value;
  }
  return part;
}

void complete_reason(const Profile& profile, Finding& finding) {
  if (finding.profile_rule.empty() || !finding.profile_reason.empty()) return;
  const auto rule = std::ranges::find(profile.rules, finding.profile_rule, &ProfileRule::name);
  if (rule != profile.rules.end()) finding.profile_reason = rule->reason;
}

bool takes_part(const Profile& profile, std::string_view type,
                std::span<const decoder::Value> identity) noexcept {
  return std::ranges::any_of(profile.rules, [&](const ProfileRule& rule) {
    return part_of(profile, rule, {.type_text = type, .identity = identity}).has_value();
  });
}

std::uint64_t ProfileRules::types_of(const ProfileRule& rule, bool first) const noexcept {
  std::uint64_t bits = 0;
  for (auto i = rule.types_begin; i != rule.types_end; ++i) {
    const auto& type = profile_.types[i];
    if ((type.closes || type.opens) == first) bits |= type_bit(i);
  }
  return bits;
}

std::uint64_t ProfileRules::loud_after(std::uint8_t type) const noexcept {
  const auto& rule = rule_of(type);
  if (rule.kind == Shape::kTakenTwice || rule.kind == Shape::kSecondEnding) return all_of(rule);
  if (rule.kind == Shape::kContradiction) return types_of(rule, !profile_.types[type].opens);
  const bool about_closing = rule.kind == Shape::kAfterEnding || rule.kind == Shape::kAfterClosing;
  return about_closing && !profile_.types[type].closes ? types_of(rule, true) : 0;
}

bool ProfileRules::is_always_loud(std::uint8_t type) const noexcept {
  const auto& rule = rule_of(type);
  return rule.kind == Shape::kHole || (rule.kind == Shape::kNotOpened && !profile_.types[type].opens);
}

bool ProfileRules::arrived(const RunLog& log, std::uint32_t row, std::vector<Fault>& out) const {
  const auto& member = log.row(row);
  const auto& type = profile_.types[member.type];
  const auto& rule = rule_of(member.type);
  const auto& entity = log.entity(member.entity);
  if (is_lasting(rule.kind) || is_of_the_stream(rule.kind)) return true;
  // A row before all others of its part changes what is said of them.
  bool changes_others = false;
  if (rule.kind == Shape::kTakenTwice || rule.kind == Shape::kSecondEnding) {
    changes_others = entity.rows > 1 && log.least_of(entity, all_of(rule), codec_) == row;
  } else if (type.closes || type.opens) {
    const bool leads = log.least_of(entity, types_of(rule, true), codec_) == row;
    changes_others = leads && (entity.seen & types_of(rule, false)) != 0;
    if (changes_others && type.closes) {
      changes_others = before(log, row, log.greatest_of(entity, types_of(rule, false), codec_));
    }
  }
  if (!changes_others) {
    judge(log, row, out);
    return true;
  }
  if (entity.rows > kAtOnceMax) return false;
  judge_entity(log, entity, out);
  return true;
}

void ProfileRules::judge_entity(const RunLog& log, const RunLog::Entity& entity,
                                std::vector<Fault>& out) const {
  for (auto i = entity.first; i != RunLog::kNone; i = log.row(i).next) judge(log, i, out);
}

void ProfileRules::judge(const RunLog& log, std::uint32_t row, std::vector<Fault>& out) const {
  const auto& member = log.row(row);
  const auto& type = profile_.types[member.type];
  const auto& rule = rule_of(member.type);
  const auto& entity = log.entity(member.entity);
  const auto kind = rule.kind;
  if (kind == Shape::kTakenTwice || kind == Shape::kSecondEnding) {
    const auto least = log.least_of(entity, all_of(rule), codec_);
    if (least != row) out.push_back({.kind = kind, .row = row, .canonical = least});
  } else if (kind == Shape::kAfterEnding || kind == Shape::kAfterClosing) {
    if (type.closes || entity.closing == RunLog::kNone || !before(log, entity.closing, row)) return;
    out.push_back({.kind = kind, .row = row, .canonical = entity.closing, .closing = entity.closing});
  } else if (kind == Shape::kContradiction) {
    if (type.opens || (entity.seen & types_of(rule, true)) == 0) return;
    out.push_back(
        {.kind = kind, .row = row, .canonical = log.least_of(entity, types_of(rule, true), codec_)});
  } else if (kind == Shape::kNotOpened) {
    if (type.opens) return;
    const auto opener = (entity.seen & types_of(rule, true)) == 0
                            ? RunLog::kNone
                            : log.least_of(entity, types_of(rule, true), codec_);
    if (opener == RunLog::kNone || before(log, row, opener))
      out.push_back({.kind = kind, .row = row, .canonical = row});
  } else if (kind == Shape::kHole) {
    if (is_hole(log, row, rule)) out.push_back({.kind = kind, .row = row, .canonical = row});
  }
}

bool ProfileRules::is_doubtful(const RunLog& log, std::uint32_t row) const {
  if (!is_lasting(rule_of(log.row(row).type).kind)) return false;
  std::vector<Fault> faults;
  judge(log, row, faults);
  return !faults.empty();
}

bool ProfileRules::is_hole(const RunLog& log, std::uint32_t row, const ProfileRule& rule) const {
  const auto& member = log.row(row);
  const auto& entity = log.entity(member.entity);
  // Of two rows with one number the first speaks for both.
  if (entity.rows > 1 && log.least_of(entity, all_of(rule), codec_) != row) return false;
  const auto number = whole_number(log.text(entity.key, codec_));
  if (!number || *number <= rule.from) return false;
  std::array<char, std::numeric_limits<std::int64_t>::digits10 + 2> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), *number - 1);
  const std::string_view wanted(digits.data(), static_cast<std::size_t>(written.ptr - digits.data()));
  return !log.has_entity(wanted, entity.group, codec_);
}

void ProfileRules::judge_order(const RunLog& log, std::uint32_t row, std::vector<Fault>& out) const {
  const auto& member = log.row(row);
  if (!member.streamed) return;
  const auto& entity = log.entity(member.entity);
  auto greater = entity.greatest;
  // Rows of one transaction commit together, in whatever order they were written.
  if (log.row(greater).commit.xid == member.commit.xid) greater = entity.greatest_before;
  if (greater == RunLog::kNone || !before(log, row, greater)) return;
  // A row that was read from the table may have committed after this one.
  if (!log.row(greater).streamed) return;
  // Nor does the stream bring one for the first time only: it goes back after a lost connection.
  const auto& earlier = log.row(greater).commit.lsn;
  if (earlier.valid() && member.commit.lsn.valid() && member.commit.lsn < earlier) return;
  out.push_back({.kind = Shape::kOutOfOrder, .row = row, .canonical = greater});
}

}  // namespace dupwatch::core
