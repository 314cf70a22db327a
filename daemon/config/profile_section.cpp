#include "daemon/config/profile_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "daemon/config/builtin_profiles.hpp"
#include "daemon/config/rules_section.hpp"

namespace dupwatch::config {
namespace {

/// The event types of a generic table, found or added by name.
class TypeList {
 public:
  explicit TypeList(bool unique_by_default) : unique_by_default_(unique_by_default) {}

  core::EventType& named(const std::string& name) {
    const auto found = std::ranges::find(types_, name, &core::EventType::name);
    if (found != types_.end()) return *found;
    return types_.emplace_back(core::EventType{.name = name, .unique = unique_by_default_});
  }

  /// Puts both into one group; groups that meet become one.
  void join(const std::string& a, const std::string& b) {
    const auto from = named(b).group;
    auto& first = named(a);
    if (first.group == 0) first.group = ++groups_;
    const auto into = first.group;
    if (from == 0) {
      named(b).group = into;
      return;
    }
    for (auto& type : types_) {
      if (type.group == from) type.group = into;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return types_.size(); }

  [[nodiscard]] std::vector<core::EventType> take() && { return std::move(types_); }

 private:
  bool unique_by_default_;
  std::vector<core::EventType> types_;
  // Every join adds at most one group and at least one name; names are checked against kTypesMax while
  // joining.
  std::uint8_t groups_ = 0;
};

/// Of a profile that has columns and rules of its own.
void refuse_all_but_name(const TableSection& table, std::string_view profile, Problems& problems) {
  const auto refuse = [&](std::string_view key, const auto& value) {
    if (!value) return;
    problems.add(value->place, fmt::format("table.{}", key), "a value",
                 fmt::format("only table.name with profile {}", profile),
                 "remove it, or set profile: generic");
  };
  refuse("run_column", table.run_column);
  refuse("id_column", table.id_column);
  refuse("identity_columns", table.identity_columns);
  refuse("type_column", table.type_column);
  refuse("types", table.types);
  refuse("closing", table.closing);
  refuse("run_end_types", table.run_end_types);
  refuse("rules", table.rules);
  refuse("run_label", table.run_label);
  refuse("event_label", table.event_label);
}

/// A column in two roles is a mistake in each combination: with the id in the identity no two rows are equal,
/// and the run or the type in it says nothing.
void check_columns_differ(const TableSection& table, const core::Profile& known, Problems& problems) {
  std::vector<Placed<std::string>> columns;
  for (const auto& name : {known.run_column, known.id_column, known.type_column}) {
    if (!name.empty()) columns.push_back({name, {}});
  }
  for (const auto& name : known.identity_columns) columns.push_back({name, {}});
  for (const auto* column : {&table.run_column, &table.id_column, &table.type_column}) {
    if (*column) columns.push_back(**column);
  }
  for (const auto* list : {&table.identity_columns, &table.scope_columns}) {
    if (!*list) continue;
    for (const auto& name : (*list)->value) columns.push_back({name, (*list)->place});
  }
  for (auto it = columns.begin(); it != columns.end(); ++it) {
    const auto first =
        std::ranges::find_if(columns.begin(), it, [&](const auto& c) { return c.value == it->value; });
    if (first == it) continue;
    problems.add(it->place, "table", fmt::format("the column {} in two roles", in_quotes(it->value)),
                 "scope_columns, run_column, id_column, type_column and identity_columns to differ");
  }
}

[[nodiscard]] core::Profile devkit_profile(const TableSection& table, Problems& problems) {
  auto profile = core::workflow_devkit_profile();
  refuse_all_but_name(table, profile.name, problems);
  if (table.name) {
    profile.schema = table.name->value.schema;
    profile.table = table.name->value.name;
    // The engine keeps both tables in one schema.
    profile.runs->schema = profile.schema;
  }
  if (table.scope_columns && !table.scope_columns->value.empty()) {
    check_columns_differ(table, profile, problems);
    profile.scope_columns = table.scope_columns->value;
    // The engine's own tables name runs by their id alone.
    profile.runs.reset();
  }
  return profile;
}

void require(bool present, std::string_view key, const Draft& draft, Problems& problems) {
  if (present) return;
  const auto place = draft.table.place.line > 0 ? draft.table.place : draft.profile_place;
  problems.add(place, fmt::format("table.{}", key), "nothing", "a value, profile generic needs it",
               "config/generic.yaml is an example");
}

[[nodiscard]] bool check_type_count(const TypeList& types, Place place, Problems& problems) {
  if (types.size() <= core::Profile::kTypesMax) return true;
  problems.add(
      place, "table",
      fmt::format("more than {} event types in types, closing and run_end_types", core::Profile::kTypesMax),
      fmt::format("at most {}", core::Profile::kTypesMax));
  return false;
}

[[nodiscard]] std::vector<core::EventType> generic_types(const TableSection& table, Problems& problems) {
  TypeList types{!table.types};
  if (table.types) {
    for (const auto& name : table.types->value) types.named(name).unique = true;
  }
  if (table.closing) {
    for (const auto& [closing, closed] : table.closing->value) {
      types.named(closing).closes = true;
      for (const auto& name : closed) {
        if (name == closing) {
          problems.add(table.closing->place, "table.closing", in_quotes(name) + " closing itself",
                       "other types");
        }
        types.join(closing, name);
        if (!check_type_count(types, table.closing->place, problems)) return {};
      }
    }
  }
  if (table.run_end_types) {
    for (const auto& name : table.run_end_types->value) types.named(name).ends_run = true;
    if (!check_type_count(types, table.run_end_types->place, problems)) return {};
  }
  return std::move(types).take();
}

/// Rules say all that these keys say.
void refuse_beside_rules(const TableSection& table, Problems& problems) {
  const auto refuse = [&](std::string_view key, const auto& value) {
    if (!value) return;
    problems.add(value->place, fmt::format("table.{}", key), "a value beside table.rules", "one of both",
                 "write it as a rule");
  };
  refuse("identity_columns", table.identity_columns);
  refuse("types", table.types);
  refuse("closing", table.closing);
  refuse("run_end_types", table.run_end_types);
}

[[nodiscard]] core::Profile generic_profile(const Draft& draft, Problems& problems) {
  const auto& table = draft.table;
  require(table.name.has_value(), "name", draft, problems);
  require(table.run_column.has_value(), "run_column", draft, problems);
  require(table.id_column.has_value(), "id_column", draft, problems);
  if (table.rules) {
    refuse_beside_rules(table, problems);
  } else {
    require(table.identity_columns.has_value(), "identity_columns", draft, problems);
  }
  if (!table.type_column && (table.types || table.closing || table.run_end_types)) {
    require(false, "type_column", draft, problems);
  }
  check_columns_differ(table, {}, problems);
  core::Profile profile;
  profile.name = "generic";
  profile.types = generic_types(table, problems);
  profile.unlisted_unique = !table.types && !table.rules;
  if (table.order_watch) profile.order_watch = table.order_watch->value;
  if (table.run_label) profile.labels.run = table.run_label->value;
  if (table.event_label) profile.labels.event = table.event_label->value;
  if (table.name) {
    profile.schema = table.name->value.schema;
    profile.table = table.name->value.name;
  }
  if (table.scope_columns) profile.scope_columns = table.scope_columns->value;
  if (table.run_column) profile.run_column = table.run_column->value;
  if (table.id_column) profile.id_column = table.id_column->value;
  if (table.identity_columns) profile.identity_columns = table.identity_columns->value;
  if (table.type_column) profile.type_column = table.type_column->value;
  if (table.rules) add_rules(*table.rules, profile, problems);
  return profile;
}

[[nodiscard]] core::Profile builtin_profile(const Draft& draft, Problems& problems) {
  // Its text is the program's own: what is wrong with it is for a test to say.
  const auto& builtin = *find_builtin(draft.builtin);
  Problems own{builtin.name};
  Draft text;
  read_keys(
      read_document(builtin.text, own), [](std::string_view) { return std::nullopt; }, text, own);
  auto profile = generic_profile(text, own);
  profile.name = builtin.name;
  refuse_all_but_name(draft.table, builtin.name, problems);
  if (draft.table.scope_columns) {
    problems.add(draft.table.scope_columns->place, "table.scope_columns", "a value",
                 fmt::format("only table.name with profile {}", builtin.name),
                 "remove it, or set profile: generic with what `dupwatch profile show` prints");
  }
  if (draft.table.name) {
    profile.schema = draft.table.name->value.schema;
    profile.table = draft.table.name->value.name;
  }
  return profile;
}

}  // namespace

core::Profile build_profile(const Draft& draft, Problems& problems) {
  auto profile = !draft.builtin.empty() ? builtin_profile(draft, problems)
                 : draft.generic        ? generic_profile(draft, problems)
                                        : devkit_profile(draft.table, problems);
  if (draft.table.order_watch) profile.order_watch = draft.table.order_watch->value;
  const auto mode = draft.config.quarantine.mode;
  if (!profile.scope_columns.empty() && !draft.generic && mode != core::QuarantineMode::kObserve) {
    problems.add(draft.quarantine_place, "quarantine.mode",
                 in_quotes(core::to_string(mode)) + " with table.scope_columns", "observe",
                 "rows are only taken out of a table where the run column alone names the run");
  }
  return profile;
}

}  // namespace dupwatch::config
