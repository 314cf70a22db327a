#include "daemon/postgres/form_faults.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace dupwatch::postgres::form_faults_test {
namespace {

using decoder::Plugin;

core::Config config() {
  core::Config config;
  config.connection.dsn = "host=h user=watcher";
  config.profile.name = "generic";
  config.profile.schema = "public";
  config.profile.table = "log";
  config.profile.run_column = "run";
  config.profile.id_column = "id";
  config.profile.type_column = "kind";
  config.profile.identity_columns = {"key"};
  return config;
}

TableForm sound() {
  TableForm table;
  table.server_version = 150018;
  table.oid = 16385;
  for (const auto* name : {"run", "id", "kind", "key"})
    table.columns.push_back({.name = name, .type = "text"});
  table.publication = PublicationForm{.oid = 1,
                                      .holds_table = true,
                                      .inserts = true,
                                      .via_root = true,
                                      .generated_columns = false,
                                      .filter = {},
                                      .columns = {"run", "id", "kind", "key"}};
  return table;
}

std::vector<FormFault> faults(Plugin plugin, const std::optional<TableForm>& table,
                              std::optional<std::string> filter_loss = {}) {
  const auto settings = config();
  std::vector<FormFault> out;
  for (const auto& problem : find_form_faults(
           {.config = settings, .plugin = plugin, .filter_loss = std::move(filter_loss)}, table)) {
    EXPECT_FALSE(problem.found.empty() || problem.fix.empty()) << to_string(problem.fault);
    EXPECT_EQ(problem.refuses, problem.fault != FormFault::kEqualityNotOfBytes);
    out.push_back(problem.fault);
  }
  return out;
}

struct Case {
  const char* name;
  std::function<void(TableForm&)> change;
  std::vector<FormFault> wal2json;
  std::vector<FormFault> pgoutput;
};

const std::vector<Case>& cases() {
  using enum FormFault;
  static const std::vector<Case> all = {
      {"a sound table", [](TableForm&) {}, {}, {}},
      {"a view", [](TableForm& t) { t.kind = 'v'; }, {kNotATable}, {kNotATable}},
      {"a materialized view", [](TableForm& t) { t.kind = 'm'; }, {kNotATable}, {kNotATable}},
      {"a foreign table", [](TableForm& t) { t.kind = 'f'; }, {kNotATable}, {kNotATable}},
      {"a missing column",
       [](TableForm& t) { t.columns[3].missing = true; },
       {kColumnMissing},
       {kColumnMissing}},
      {"row-level security", [](TableForm& t) { t.row_security = true; }, {kRowSecurity}, {kRowSecurity}},
      {"unlogged", [](TableForm& t) { t.persistence = 'u'; }, {kNotInWal}, {kNotInWal}},
      {"temporary", [](TableForm& t) { t.persistence = 't'; }, {kNotInWal}, {kNotInWal}},
      {"children", [](TableForm& t) { t.has_children = true; }, {kChildren}, {kChildren}},
      {"partitioned, by its root", [](TableForm& t) { t.kind = 'p'; }, {kPartitionsByName}, {}},
      {"partitioned, by its leaves",
       [](TableForm& t) { t.kind = 'p', t.publication->via_root = false; },
       {kPartitionsByName},
       {kPartitionsByName}},
      {"an unlogged partition",
       [](TableForm& t) { t.kind = 'p', t.unlogged_leaf = true; },
       {kNotInWal, kPartitionsByName},
       {kNotInWal}},
      {"a partition of a published root",
       [](TableForm& t) { t.published_as_root = true; },
       {},
       {kPublishedAsRoot}},
      {"no publication", [](TableForm& t) { t.publication.reset(); }, {}, {kPublicationMissing}},
      {"not in it", [](TableForm& t) { t.publication->holds_table = false; }, {}, {kTableNotPublished}},
      {"deletes alone", [](TableForm& t) { t.publication->inserts = false; }, {}, {kInsertsNotPublished}},
      {"a column too few",
       [](TableForm& t) {
         t.publication->columns = {"run", "id", "kind"};
       },
       {},
       {kColumnList}},
      {"all columns", [](TableForm& t) { t.publication->columns.clear(); }, {}, {}},
      {"a stored generated column before 18",
       [](TableForm& t) { t.columns[3].generated = 's', t.publication->columns.clear(); },
       {},
       {kGeneratedColumn}},
      {"the same on 18, listed",
       [](TableForm& t) { t.columns[3].generated = 's', t.server_version = 180001; },
       {},
       {}},
      {"the same on 18, by publish_generated_columns",
       [](TableForm& t) {
         t.columns[3].generated = 's', t.server_version = 180001;
         t.publication->columns.clear(), t.publication->generated_columns = true;
       },
       {},
       {}},
      {"the same on 18, by nothing",
       [](TableForm& t) {
         t.columns[3].generated = 's', t.server_version = 180001, t.publication->columns.clear();
       },
       {},
       {kGeneratedColumn}},
      {"a virtual generated column",
       [](TableForm& t) { t.columns[3].generated = 'v', t.server_version = 180001; },
       {kGeneratedColumn},
       {kGeneratedColumn}},
      {"a bytea id", [](TableForm& t) { t.columns[1].type = "bytea"; }, {}, {}},
      {"a numeric identity",
       [](TableForm& t) { t.columns[3].type = "numeric"; },
       {kEqualityNotOfBytes},
       {kEqualityNotOfBytes}},
      {"a numeric id is compared with itself alone",
       [](TableForm& t) { t.columns[1].type = "numeric"; },
       {},
       {}},
      {"a case-insensitive collation",
       [](TableForm& t) { t.columns[3].loose_collation = true; },
       {kEqualityNotOfBytes},
       {kEqualityNotOfBytes}},
  };
  return all;
}

TEST(FormFaults, EachFormHasItsFaultByPlugin) {
  for (const auto& entry : cases()) {
    auto table = sound();
    entry.change(table);
    EXPECT_EQ(faults(Plugin::kWal2json, table), entry.wal2json) << entry.name << ", wal2json";
    EXPECT_EQ(faults(Plugin::kPgoutput, table), entry.pgoutput) << entry.name << ", pgoutput";
  }
}

TEST(FormFaults, LooseTypesAreWarnedOf) {
  for (const auto* type : {"numeric", "citext", "bpchar", "interval", "float4", "float8", "jsonb"}) {
    auto table = sound();
    table.columns[3].type = type;
    EXPECT_EQ(faults(Plugin::kWal2json, table), std::vector{FormFault::kEqualityNotOfBytes}) << type;
  }
  for (const auto* type : {"text", "varchar", "uuid", "int8", "int4", "timestamptz", "bool", "date"}) {
    auto table = sound();
    table.columns[3].type = type;
    EXPECT_TRUE(faults(Plugin::kWal2json, table).empty()) << type;
  }
}

TEST(FormFaults, AFilterThatLosesRowsConcernsThePublicationAlone) {
  EXPECT_EQ(faults(Plugin::kPgoutput, sound(), "it keeps out opened"), std::vector{FormFault::kRowFilter});
  EXPECT_TRUE(faults(Plugin::kWal2json, sound(), "it keeps out opened").empty());
}

TEST(FormFaults, AWarningRefusesNothing) {
  const auto settings = config();
  auto table = sound();
  table.columns[3].type = "numeric";
  EXPECT_FALSE(refusal(find_form_faults({.config = settings, .plugin = Plugin::kPgoutput}, table)));
  table.publication->inserts = false;
  const auto refused = refusal(find_form_faults({.config = settings, .plugin = Plugin::kPgoutput}, table));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->fault, FormFault::kInsertsNotPublished);
  EXPECT_EQ(refusal(find_form_faults({.config = settings}, std::nullopt))->fault, FormFault::kTableMissing);
}

TEST(FormFaults, AScopeColumnIsOneOfWhichEqualValuesHaveEqualTexts) {
  auto settings = config();
  settings.profile.scope_columns = {"tenant"};
  const auto with = [&](const ColumnForm& column) {
    auto table = sound();
    table.columns.push_back(column);
    return refusal(find_form_faults({.config = settings}, table));
  };
  for (const auto* type : {"text", "varchar", "uuid", "int2", "int4", "int8"}) {
    EXPECT_FALSE(with({.name = "tenant", .type = type, .sql_type = type})) << type;
  }
  EXPECT_FALSE(with({.name = "tenant", .type = "zone", .sql_type = "zone", .category = 'E'}));
  for (const auto* type : {"numeric", "citext", "bpchar", "float8", "timestamptz", "bytea", "bool"}) {
    const auto refused = with({.name = "tenant", .type = type, .sql_type = type});
    ASSERT_TRUE(refused) << type;
    EXPECT_EQ(refused->fault, FormFault::kScopeUnfit);
    EXPECT_TRUE(refused->hides_from_queries());
  }
  EXPECT_TRUE(with({.name = "tenant", .type = "text", .sql_type = "text[]", .category = 'A'}));
  EXPECT_TRUE(with({.name = "tenant", .type = "text", .loose_collation = true, .sql_type = "text"}));
}

TEST(FormFaults, ATypeColumnIsOneThatACastToTextLeavesAsItIs) {
  auto settings = config();
  const auto with = [&](const char* type) {
    auto table = sound();
    std::ranges::find(table.columns, settings.profile.type_column, &ColumnForm::name)->type = type;
    return refusal(find_form_faults({.config = settings}, table));
  };
  for (const auto* type : {"text", "varchar", "name", "int4", "zone"}) EXPECT_FALSE(with(type)) << type;
  for (const auto* type : {"bool", "bpchar", "inet"}) {
    const auto refused = with(type);
    ASSERT_TRUE(refused) << type;
    EXPECT_EQ(refused->fault, FormFault::kTypeUnfit);
    EXPECT_TRUE(refused->hides_from_queries());
  }
  // Nothing is compared with a name.
  settings.profile.types = {core::EventType{.name = ""}};
  EXPECT_FALSE(with("bool"));
}

TEST(FormFaults, NamesAreUnlikeEachOther) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFormFaults; ++i) names.insert(to_string(static_cast<FormFault>(i)));
  EXPECT_EQ(names.size(), kFormFaults);
}

TEST(FormFaults, TheCureOfRowSecurityIsOneThatWorks) {
  const auto settings = config();
  auto table = sound();
  table.row_security = true;
  const auto refused = refusal(find_form_faults({.config = settings}, table));
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->fix.find("ALTER ROLE \"watcher\" BYPASSRLS"), std::string::npos) << refused->fix;
  EXPECT_NE(refused->found.find("public.log"), std::string::npos);
}

TEST(ColumnForm, TextAndVarcharAreWrittenAlike) {
  const auto of = [](const char* type) { return ColumnForm{.name = "id", .type = type}; };
  EXPECT_TRUE(same_form(of("varchar"), of("text")));
  EXPECT_TRUE(same_form(of("numeric"), of("numeric")));
  EXPECT_FALSE(same_form(of("text"), of("bytea")));
  EXPECT_FALSE(same_form(of("bpchar"), of("varchar"))) << "padded";
  EXPECT_FALSE(same_form(of("int4"), of("int8")));
}

}  // namespace
}  // namespace dupwatch::postgres::form_faults_test
