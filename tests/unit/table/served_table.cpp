#include "served_table.hpp"

namespace dupwatch::table::served {
namespace {

/// A column as table_query() writes it: name, there, not generated, type, exact collation, type in SQL,
/// category.
std::string column(const std::string& name) {
  return name + "\x1ft\x1f-\x1fvarchar\x1ft\x1f" + "character varying\x1fS";
}

}  // namespace

answering::Row healthy_table(const core::Profile& profile) {
  std::string columns;
  for (const auto& name : postgres::watched_columns(profile))
    columns += (columns.empty() ? "" : "\x1e") + column(name);
  // Version, oid, kind, persistence, row security, children, published as root, leaves, unlogged leaf,
  // columns, the run's type, no publication.
  return {"150018",    "16400", "r", "p", "f", "f", "f", std::nullopt, "f", columns, "character varying",
          std::nullopt};
}

void serve_table(answering::Server& server, const core::Profile& profile) {
  server.answers("'ts_insert_blocker'", answering::rows({healthy_table(profile)}))
      .answers("bool_and(has_schema_privilege", answering::value("t"))
      .answers("has_column_privilege(c.oid, 'xmin'", answering::value("t"))
      .answers("SELECT true FROM", answering::value("t"))
      .answers("current_setting('track_commit_timestamp')", answering::value("f"))
      .answers("greatest(c.reltuples", answering::value("7"))
      .answers("SELECT has_column_privilege(c.oid, a.attnum", answering::value("f"))
      .answers("WITH columns AS", answering::rows({{"f", "f", "f", "f"}}));
}

}  // namespace dupwatch::table::served
