#include "daemon/config/rules_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace dupwatch::config {
namespace {

using core::Shape;
constexpr std::size_t kTypesMax = core::Profile::kTypesMax;
constexpr std::size_t kColumnsMax = core::Profile::kIdentityMax;
constexpr std::size_t kNameBytesMax = 63;
constexpr std::size_t kReasonBytesMax = 300;

constexpr std::array<std::string_view, 2> kNulls = {"distinct", "equal"};

/// The key that says what a rule is.
struct RuleKind {
  std::string_view key;
  Shape kind;
};
constexpr auto kKinds = std::to_array<RuleKind>({{"unique", Shape::kTakenTwice},
                                                 {"one_ending", Shape::kSecondEnding},
                                                 {"nothing_after", Shape::kAfterEnding},
                                                 {"after_closing", Shape::kAfterClosing},
                                                 {"conflict", Shape::kContradiction},
                                                 {"opener", Shape::kNotOpened},
                                                 {"dense", Shape::kHole},
                                                 {"increasing", Shape::kOutOfOrder}});
constexpr std::string_view kKindNames =
    "one of unique, one_ending, nothing_after, after_closing, conflict, opener, dense and increasing";

[[nodiscard]] Parsed<std::string> parse_rule_name(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (!text.empty() && text.size() <= kNameBytesMax && std::ranges::all_of(text, fits)) {
    return std::string{text};
  }
  return Refusal{"a name of 1 to 63 small letters, digits and _", ""};
}

[[nodiscard]] Parsed<std::string> parse_reason(std::string_view text) {
  if (!text.empty() && text.size() <= kReasonBytesMax) return std::string{text};
  return Refusal{"a clause of 1 to 300 bytes", ""};
}

/// What its kind's key holds.
void read_kind(const Reader& reader, RuleSection& rule) {
  if (rule.kind == Shape::kOutOfOrder) {
    bool on = false;
    reader.into(on, parse_bool);
    if (!on) reader.refuse(reader.node(), "true");
  } else if (rule.kind == Shape::kHole) {
    std::string column;
    reader.into(column, parse_identifier);
    rule.columns = {std::move(column)};
  } else if (rule.kind == Shape::kTakenTwice) {
    rule.columns = reader.list(parse_identifier, {1, kColumnsMax}).value_or(rule.columns);
  } else {
    const bool pair = rule.kind == Shape::kContradiction;
    auto names = reader.list(parse_type_name, {pair ? 2U : 1U, pair ? 2U : kTypesMax});
    if (!names) return;
    if (pair) {
      rule.types = {names->back()};
      names->pop_back();
    }
    (rule.kind == Shape::kSecondEnding ? rule.types : rule.first) = *std::move(names);
  }
}

/// Whether a rule of the kind may have the key.
[[nodiscard]] bool may_have(Shape kind, std::string_view key) noexcept {
  if (key == "severity" || key == "reason") return true;
  if (key == "from") return kind == Shape::kHole;
  if (key == "types") return kind != Shape::kSecondEnding && kind != Shape::kContradiction;
  if (key == "nulls")
    return kind != Shape::kHole && kind != Shape::kAfterEnding && kind != Shape::kOutOfOrder;
  if (key == "columns") {
    return kind != Shape::kHole && kind != Shape::kTakenTwice && kind != Shape::kAfterEnding &&
           kind != Shape::kOutOfOrder;
  }
  return false;
}

void read_key(const Reader& reader, std::string_view key, RuleSection& rule) {
  if (key == "columns") {
    if (auto names = reader.list(parse_identifier, {1, kColumnsMax})) rule.columns = *std::move(names);
  } else if (key == "types") {
    if (auto names = reader.list(parse_type_name, {1, kTypesMax})) rule.types = *std::move(names);
  } else if (key == "nulls") {
    std::size_t index = 0;
    reader.choice(index, kNulls);
    rule.nulls_equal = index == 1;
  } else if (key == "from") {
    reader.into(rule.from, [](std::string_view text) {
      return parse_number(text, {0, std::numeric_limits<std::int64_t>::max()});
    });
  } else if (key == "severity") {
    reader.choice(rule.severity, kSeverityNames);
  } else {
    reader.into(rule.reason, parse_reason);
  }
}

[[nodiscard]] std::optional<RuleSection> read_rule(const Reader& reader, const ConfigNode& entry) {
  const auto& own = reader.inner(entry, entry.key);
  if (entry.kind != ConfigNode::Kind::kMap) {
    own.refuse(entry, "a map with " + std::string(kKindNames));
    return std::nullopt;
  }
  RuleSection rule;
  rule.name = entry.key;
  rule.place = entry.key_place;
  const auto kind_of = [](const ConfigNode& node) {
    return std::ranges::find(kKinds, std::string_view(node.key), &RuleKind::key);
  };
  const auto is_kind = [&](const ConfigNode& node) { return kind_of(node) != kKinds.end(); };
  if (std::ranges::count_if(entry.items, is_kind) != 1) {
    own.refuse(entry, "exactly " + std::string(kKindNames));
    return std::nullopt;
  }
  rule.kind = kind_of(*std::ranges::find_if(entry.items, is_kind))->kind;
  for (const auto& node : entry.items) {
    const auto inner = own.inner(node, node.key);
    if (is_kind(node)) {
      read_kind(inner, rule);
    } else if (may_have(rule.kind, node.key)) {
      read_key(inner, node.key, rule);
    } else {
      inner.refuse(node, "no such key in a rule of this kind", "the guide's page on profiles lists them");
    }
  }
  return rule;
}

/// The places of a rule's columns; what the profile has no place for yet is added to it.
void place_columns(const RuleSection& section, core::Profile& profile, core::ProfileRule& rule,
                   Problems& problems) {
  for (const auto& name : section.columns) {
    if (name == profile.id_column) {
      rule.columns.push_back(core::ProfileRule::kIdColumn);
    } else if (name == profile.type_column) {
      rule.columns.push_back(core::ProfileRule::kTypeColumn);
    } else if (name == profile.run_column) {
      problems.add(section.place, "table.rules." + section.name, "run_column among the columns",
                   "columns that differ within a run");
    } else if (std::ranges::find(profile.scope_columns, name) != profile.scope_columns.end()) {
      problems.add(section.place, "table.rules." + section.name, "one of scope_columns among the columns",
                   "columns that differ within a run");
    } else {
      auto& columns = profile.identity_columns;
      const auto known = std::ranges::find(columns, name);
      rule.columns.push_back(static_cast<std::uint8_t>(known - columns.begin()));
      if (known == columns.end()) columns.push_back(name);
    }
  }
}

void place_types(const RuleSection& section, core::Profile& profile, core::ProfileRule& rule) {
  const auto number = static_cast<std::uint8_t>(profile.rules.size());
  const auto add = [&](std::string name, bool first) {
    const bool closes = section.kind == Shape::kAfterEnding || section.kind == Shape::kAfterClosing;
    // Each rule is a group, so that its entities are its own.
    profile.types.push_back({.name = std::move(name),
                             .closes = first && closes,
                             .group = static_cast<std::uint8_t>(number + 1),
                             .opens = first && !closes,
                             .kept = true,
                             .rule = number});
  };
  rule.types_begin = static_cast<std::uint8_t>(profile.types.size());
  for (const auto& name : section.first) add(name, true);
  for (const auto& name : section.types) add(name, false);
  rule.takes_others = section.types.empty();
  if (rule.takes_others) add({}, false);
  rule.types_end = static_cast<std::uint8_t>(profile.types.size());
}

void check_types(const RuleSection& section, const core::Profile& profile, Problems& problems) {
  const auto key = "table.rules." + section.name;
  if (profile.type_column.empty() && (!section.first.empty() || !section.types.empty())) {
    problems.add(section.place, key, "types", "table.type_column for a rule with types");
  }
  for (const auto& name : section.types) {
    if (std::ranges::find(section.first, name) == section.first.end()) continue;
    problems.add(section.place, key, in_quotes(name) + " twice", "each type once in a rule");
  }
  if (section.kind == Shape::kNotOpened && section.types.empty()) {
    problems.add(section.place, key, "no types", "types: the ones that need the opener");
  }
}

}  // namespace

Parsed<std::string> parse_label(std::string_view text) {
  constexpr std::size_t kLabelBytesMax = 30;
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || c == ' ' || c == '_'; };
  if (!text.empty() && text.size() <= kLabelBytesMax && std::ranges::all_of(text, fits))
    return std::string{text};
  return Refusal{"a noun in the singular, of small letters", ""};
}

std::optional<std::vector<RuleSection>> read_rules(const Reader& reader) {
  const auto& node = reader.node();
  if (node.kind != ConfigNode::Kind::kMap || node.items.empty() ||
      node.items.size() > core::Profile::kRulesMax) {
    reader.refuse(node, fmt::format("a map of 1 to {} rules", core::Profile::kRulesMax),
                  "e.g. {no_hole: {dense: position, severity: fatal}}");
    return std::nullopt;
  }
  std::vector<RuleSection> rules;
  bool complete = true;
  for (const auto& entry : node.items) {
    const auto name = parse_rule_name(entry.key);
    if (const auto* refusal = std::get_if<Refusal>(&name)) {
      reader.inner(entry, entry.key).refuse(entry, refusal->expected);
      complete = false;
      continue;
    }
    auto rule = read_rule(reader, entry);
    complete = complete && rule.has_value();
    if (rule) rules.push_back(*std::move(rule));
  }
  return complete ? std::optional{std::move(rules)} : std::nullopt;
}

void add_rules(const Placed<std::vector<RuleSection>>& rules, core::Profile& profile, Problems& problems) {
  for (const auto& section : rules.value) {
    check_types(section, profile, problems);
    core::ProfileRule rule{.name = section.name,
                           .kind = section.kind,
                           .columns = {},
                           .nulls_equal = section.nulls_equal,
                           .first = section.first,
                           .types = section.types,
                           .from = section.from,
                           .severity = section.severity,
                           .reason = section.reason};
    place_columns(section, profile, rule, problems);
    if (profile.types.size() + section.first.size() + section.types.size() + 1 > kTypesMax) {
      problems.add(section.place, "table.rules",
                   fmt::format("more than {} types in all rules", kTypesMax - 1),
                   fmt::format("at most {}", kTypesMax - 1));
      return;
    }
    place_types(section, profile, rule);
    profile.rules.push_back(std::move(rule));
  }
  if (profile.identity_columns.size() > kColumnsMax) {
    problems.add(rules.place, "table.rules",
                 fmt::format("{} different columns", profile.identity_columns.size()),
                 fmt::format("at most {} beside run_column, id_column and type_column", kColumnsMax));
  }
}

}  // namespace dupwatch::config
