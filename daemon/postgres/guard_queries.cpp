#include "daemon/postgres/guard_queries.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/slot_number.hpp"

namespace dupwatch::postgres {
namespace {

constexpr std::string_view kName = "dupwatch_guard";
constexpr std::string_view kSuppressed = "dupwatch_guard_suppressed";
constexpr std::string_view kPassed = "dupwatch_guard_passed";
// A lock of each row of a bulk load would fill the server's lock table, and then every session fails. The
// default table has room for 6400.
constexpr int kLocksMax = 256;

using Types = std::vector<std::string>;

Types names_of(const core::Profile& profile, bool (*wanted)(const core::EventType&)) {
  Types names;
  for (const auto& type : profile.types) {
    if (wanted(type)) names.push_back(type.name);
  }
  return names;
}

bool is_guarded(const core::EventType& type) {
  return type.unique && type.opens && type.duplicate_rule == core::Rule::kDuplicateCreated;
}

/// Of a step: what repeats legally before its closing event and is fatal behind it.
bool is_lifecycle(const core::EventType& type) {
  return !type.unique && type.after_close == core::Rule::kLifecycleAfterClose;
}

/// The closing events of entities that have lifecycle events.
Types closing_types(const core::Profile& profile) {
  Types names;
  for (const auto& type : profile.types) {
    if (!type.closes) continue;
    for (const auto& other : profile.types) {
      if (is_lifecycle(other) && other.group == type.group) {
        names.push_back(type.name);
        break;
      }
    }
  }
  return names;
}

std::string list(const Types& types) {
  return quoted_list(types, quote_literal);
}

/// "column" as text of NEW or of e.
std::string text_of(std::string_view alias, const std::string& column) {
  return fmt::format("{}.{}::text", alias, quote_identifier(column));
}

std::string twin_query(const core::Profile& profile) {
  const auto& entity = profile.identity_columns[0];
  const auto same = [](const std::string& column) {
    return fmt::format("e.{0} = NEW.{0}", quote_identifier(column));
  };
  // Two questions, because an index serves "=" and IS NULL, and not IS NOT DISTINCT FROM.
  return fmt::format(
      "  IF NEW.{3} IS NULL THEN\n"
      "    second := EXISTS (SELECT FROM {0} e WHERE {1} AND e.{3} IS NULL AND {2});\n"
      "  ELSE\n"
      "    second := EXISTS (SELECT FROM {0} e WHERE {4} AND {1} AND {2});\n"
      "  END IF;\n",
      qualified(profile.schema, profile.table), same(profile.run_column), same(profile.type_column),
      quote_identifier(entity), same(entity));
}

std::string late_query(const core::Profile& profile) {
  const auto& entity = quote_identifier(profile.identity_columns[0]);
  const auto& run = quote_identifier(profile.run_column);
  return fmt::format(
      "  IF {0} IN ({1}) THEN\n    RETURN NEW; -- only its lock was wanted\n  END IF;\n"
      "  IF {0} IN ({2}) THEN\n"
      "    second := EXISTS (SELECT FROM {3} e WHERE e.{4} = NEW.{4} AND e.{5} = NEW.{5} AND {6} IN ({1})\n"
      "      AND {7} COLLATE \"C\" < {8} COLLATE \"C\");\n"
      "    IF second THEN\n"
      "      PERFORM nextval({9});\n      RETURN NULL;\n    END IF;\n    RETURN NEW;\n  END IF;\n",
      text_of("NEW", profile.type_column), list(closing_types(profile)),
      list(names_of(profile, is_lifecycle)), qualified(profile.schema, profile.table), entity, run,
      text_of("e", profile.type_column), text_of("e", profile.id_column), text_of("NEW", profile.id_column),
      quote_literal(qualified(profile.schema, kSuppressed)));
}

std::string body(const core::Profile& profile, GuardScope scope) {
  return fmt::format(
      "\nDECLARE\n"
      "  locks integer;\n"
      "  key bigint;\n"
      "  patience text;\n"
      "  alone boolean := current_setting('transaction_isolation') IN ('read committed', 'read "
      "uncommitted');\n"
      "  second boolean;\n"
      "BEGIN\n"
      "  IF current_setting('dupwatch.guard', true) = 'off' THEN\n    RETURN NEW;\n  END IF;\n"
      "  -- One writer at a time for an entity; the next statement sees what the one before has committed.\n"
      "  IF alone THEN\n"
      "    locks := coalesce(nullif(current_setting('dupwatch.guard_locks', true), ''), '0')::integer;\n"
      "    alone := locks < {0};\n"
      "  END IF;\n"
      "  IF alone THEN\n"
      "    key := hashtextextended({1} || ' ' || coalesce({2}, ''), 25718);\n"
      "    IF NOT pg_try_advisory_xact_lock(key) THEN\n"
      "      -- Whoever may connect can hold this lock: a second's wait, once in a transaction, is enough.\n"
      "      patience := current_setting('lock_timeout');\n"
      "      BEGIN\n"
      "        PERFORM set_config('lock_timeout', '1s', true);\n"
      "        PERFORM pg_advisory_xact_lock(key);\n"
      "        PERFORM set_config('lock_timeout', patience, true);\n"
      "      EXCEPTION WHEN lock_not_available THEN\n"
      "        alone := false;\n"
      "        locks := {0};\n"
      "      END;\n"
      "    END IF;\n"
      "    PERFORM set_config('dupwatch.guard_locks', (locks + 1)::text, true);\n"
      "  END IF;\n{3}{4}"
      "  IF second THEN\n    PERFORM nextval({5});\n    RETURN NULL;\n  END IF;\n"
      "  IF NOT alone THEN\n    PERFORM nextval({6});\n  END IF;\n"
      "  RETURN NEW;\nEND\n",
      kLocksMax, text_of("NEW", profile.run_column), text_of("NEW", profile.identity_columns[0]),
      scope == GuardScope::kLifecycle ? late_query(profile) : "", twin_query(profile),
      quote_literal(qualified(profile.schema, kSuppressed)),
      quote_literal(qualified(profile.schema, kPassed)));
}

std::string trigger(const core::Profile& profile, GuardScope scope) {
  auto types = names_of(profile, is_guarded);
  if (scope == GuardScope::kLifecycle) {
    for (const auto& more : {names_of(profile, is_lifecycle), closing_types(profile)})
      types.insert(types.end(), more.begin(), more.end());
  }
  // Rows of a slot-numbered run pass: their writer takes a dropped row for a number that is taken.
  const auto ulid =
      profile.slot_ids ? " AND NOT " + is_slot_number(text_of("NEW", profile.id_column)) : std::string();
  return fmt::format(
      "CREATE OR REPLACE TRIGGER {} BEFORE INSERT ON {} FOR EACH ROW\n  WHEN ({} IN ({}){})\n  EXECUTE "
      "FUNCTION {}()",
      kName, qualified(profile.schema, profile.table), text_of("NEW", profile.type_column), list(types), ulid,
      qualified(profile.schema, kName));
}

/// A superuser's function would run the table owner's code as a superuser.
std::string give_to_owner(const core::Profile& profile) {
  const auto table = quote_literal(qualified(profile.schema, profile.table));
  std::string alter;
  for (const auto& [kind, name] : {std::pair{"FUNCTION", qualified(profile.schema, kName) + "()"},
                                   std::pair{"SEQUENCE", qualified(profile.schema, kSuppressed)},
                                   std::pair{"SEQUENCE", qualified(profile.schema, kPassed)}}) {
    alter +=
        fmt::format("    EXECUTE 'ALTER {} ' || {} || ' OWNER TO ' || owner;\n", kind, quote_literal(name));
  }
  auto tag = std::string("dupwatch");
  while (alter.find('$' + tag + '$') != std::string::npos) tag += '_';
  return fmt::format(
      "DO ${0}$\nDECLARE\n  owner text := (SELECT quote_ident(pg_get_userbyid(c.relowner)) FROM "
      "pg_catalog.pg_class c WHERE c.oid = {1}::regclass);\n"
      "BEGIN\n  IF owner <> quote_ident(current_user) THEN\n{2}  END IF;\nEND\n${0}$",
      tag, table, alter);
}

std::optional<std::uint64_t> count_of(const pg_result& result, int row, int column) {
  const auto text = cell(result, row, column);
  return text ? std::optional(static_cast<std::uint64_t>(to_int64(text))) : std::nullopt;
}

/// The guard as GuardState has it; $3, $4 = the function's code of either scope.
std::string guard_query() {
  const auto counter = [](std::string_view alias) {
    return fmt::format(
        "CASE WHEN has_sequence_privilege({0}.oid, 'SELECT') THEN"
        " coalesce(pg_catalog.pg_sequence_last_value({0}.oid), 0) END",
        alias);
  };
  const auto join = [](std::string_view alias, std::string_view name) {
    return fmt::format(
        " LEFT JOIN pg_catalog.pg_class {0} ON {0}.relnamespace = n.oid AND {0}.relname = "
        "'{1}' AND {0}.relkind = 'S'",
        alias, name);
  };
  return fmt::format(
      "SELECT t.tgenabled IN ('O', 'A'), CASE p.prosrc WHEN $3 THEN 'created' WHEN $4 THEN 'lifecycle' END,"
      " {}, {} FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_proc p ON p.oid = "
      "t.tgfoid{}{}"
      " WHERE n.nspname = $1 AND c.relname = $2 AND t.tgname = '{}' AND NOT t.tgisinternal",
      counter("s"), counter("u"), join("s", kSuppressed), join("u", kPassed), kName);
}

Connection::Params guard_query_params(const core::Profile& profile) {
  return {profile.schema, profile.table, body(profile, GuardScope::kCreated),
          body(profile, GuardScope::kLifecycle)};
}

GuardState read_guard(const pg_result& result, int row) {
  GuardState state{.enabled = cell(result, row, 0) == "t"};
  const auto scope = cell(result, row, 1);
  if (scope) state.scope = *scope == "lifecycle" ? GuardScope::kLifecycle : GuardScope::kCreated;
  state.suppressed = count_of(result, row, 2);
  state.passed = count_of(result, row, 3);
  return state;
}

}  // namespace

std::vector<std::string> guard_install_statements(const core::Profile& profile, GuardScope scope) {
  const auto function = qualified(profile.schema, kName) + "()";
  const auto code = body(profile, scope);
  auto tag = std::string("guard");
  while (code.find('$' + tag + '$') != std::string::npos) tag += '_';
  std::vector<std::string> out;
  for (const auto name : {kSuppressed, kPassed}) {
    const auto sequence = qualified(profile.schema, name);
    out.push_back(fmt::format("CREATE SEQUENCE IF NOT EXISTS {}", sequence));
    out.push_back(fmt::format("GRANT SELECT ON SEQUENCE {} TO PUBLIC", sequence));
  }
  out.push_back(fmt::format(
      "CREATE OR REPLACE FUNCTION {} RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER\n  SET search_path = "
      "pg_catalog, pg_temp\nAS ${}${}${}$",
      function, tag, code, tag));
  out.push_back(fmt::format("REVOKE ALL ON FUNCTION {} FROM PUBLIC", function));
  out.push_back(give_to_owner(profile));
  out.push_back(trigger(profile, scope));
  return out;
}

std::vector<std::string> guard_remove_statements(const core::Profile& profile) {
  return {fmt::format("DROP TRIGGER IF EXISTS {} ON {}", kName, qualified(profile.schema, profile.table)),
          fmt::format("DROP FUNCTION IF EXISTS {}()", qualified(profile.schema, kName)),
          fmt::format("DROP SEQUENCE IF EXISTS {}, {}", qualified(profile.schema, kSuppressed),
                      qualified(profile.schema, kPassed))};
}

std::string guard_sql(const core::Profile& profile, GuardScope scope) {
  std::string out =
      "-- The guard, as the owner of the table. It drops the second creation event of a step, wait or hook, "
      "which\n"
      "-- world-postgres up to 4.1.1 takes for its own harmless conflict. Not for tables with the engine's "
      "unique\n"
      "-- index (4.1.2 and later) and never for 5.x: `dupwatch guard install` looks, this SQL does not.\n"
      "BEGIN;\nSET LOCAL lock_timeout = '500ms'; -- CREATE TRIGGER waits for writers, and new writers for "
      "it\n";
  for (const auto& statement : guard_install_statements(profile, scope)) out += statement + ";\n";
  out += "COMMIT;\n\n-- Remove it again, without trace:\n";
  for (const auto& statement : guard_remove_statements(profile)) out += "-- " + statement + ";\n";
  return out;
}

Expected<std::optional<GuardState>> find_guard(Connection& sql, const core::Profile& profile,
                                               Waiter& waiter) {
  // It is for the engine's log alone, and other profiles may have no columns for its text.
  if (!profile.slot_ids) return std::optional<GuardState>{};
  auto answer = ask(sql, guard_query(), guard_query_params(profile), waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (row_count(result) == 0) return std::optional<GuardState>{};
  return std::optional(read_guard(result, 0));
}

Expected<std::optional<GuardFacts>> read_guard_facts(Connection& sql, const core::Profile& profile,
                                                     Waiter& waiter) {
  const auto columns = [](std::string_view index) {
    return fmt::format(
        "(SELECT array_agg(a.attname::text) FROM unnest({0}.indkey::int2[]) WITH ORDINALITY "
        "k(attnum, place) JOIN pg_catalog.pg_attribute a ON a.attrelid = {0}.indrelid"
        " AND a.attnum = k.attnum WHERE k.place <= {0}.indnkeyatts)",
        index);
  };
  const auto leads = [](std::string_view parameter) {
    return fmt::format(
        "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid"
        " = c.oid AND a.attnum = i.indkey[0] WHERE i.indrelid = c.oid AND i.indisvalid AND"
        " i.indpred IS NULL AND a.attname = {})",
        parameter);
  };
  const auto query = fmt::format(
      "SELECT c.relkind = 'r', c.relforcerowsecurity,"
      " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid"
      " AND i.indexprs IS NULL AND {0} @> ARRAY[$3, $5, $6]::text[] AND {0} <@ ARRAY[$3, $5, $6]::text[]),"
      " EXISTS (SELECT FROM pg_catalog.pg_class m WHERE m.relnamespace = n.oid AND m.relname = "
      "'workflow_event_slots') OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND"
      " i.indisprimary AND {0} @> ARRAY[$3, $4]::text[]),"
      " {1} AND {2},"
      " concat_ws(', ', CASE WHEN current_setting('default_transaction_isolation') IN ('repeatable read',"
      " 'serializable') THEN 'the server' END, (SELECT string_agg(coalesce('role ' || r.rolname, 'the "
      "database'), ', ') FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = "
      "s.setrole, unnest(s.setconfig) v WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database "
      "d WHERE d.datname = current_database())) AND v ~* '^default_transaction_isolation=(repeatable "
      "read|serializable)')),"
      " EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid WHERE"
      " p.pronamespace = n.oid AND p.proname = '{3}' AND t.tgrelid <> c.oid)"
      " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " WHERE n.nspname = $1 AND c.relname = $2",
      columns("i"), leads("$3"), leads("$5"), kName);
  auto answer = ask(sql, query,
                    {profile.schema, profile.table, profile.run_column, profile.id_column,
                     profile.identity_columns[0], profile.type_column},
                    waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (row_count(result) == 0) return std::optional<GuardFacts>{};
  const auto yes = [&](int column) { return cell(result, 0, column) == "t"; };
  return std::optional(GuardFacts{.plain_table = yes(0),
                                  .forced_row_security = yes(1),
                                  .unique_index = yes(2),
                                  .slot_schema = yes(3),
                                  .indexed = yes(4),
                                  .isolation = std::string(cell(result, 0, 5).value_or("")),
                                  .on_other_table = yes(6)});
}

}  // namespace dupwatch::postgres
