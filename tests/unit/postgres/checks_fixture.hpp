#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "daemon/postgres/preflight.hpp"
#include "tests/unit/postgres/answering/answering_libpq.hpp"
#include "tests/unit/table/served_table.hpp"

/// What `dupwatch check` says of a server: of one on which all is well, and of each thing that may be wrong.
namespace dupwatch::postgres::checks_test {

using answering::Answer;
using answering::failure;
using answering::Row;
using answering::rows;
using answering::Server;
using answering::value;

inline const auto kNone = rows({});

inline Row slot_row(Row change = {}) {
  Row row{"pgoutput",   "logical", "app",  "f",          std::nullopt, "0/10",  "0/10",  "reserved",
          std::nullopt, "4096",    "0/20", std::nullopt, "-1",         "false", "false", "false"};
  for (std::size_t i = 0; i < change.size(); ++i) {
    if (change[i]) row[i] = change[i];
  }
  return row;
}

/// The publication as check_publication() asks for it: all tables, insert, update, delete, via root, listed,
/// filter, columns, uncovered, truncate.
inline Row publication(Row change = {}) {
  Row row{"f",
          "t",
          "f",
          "f",
          "f",
          "t",
          std::nullopt,
          "id\x1ftype\x1f"
          "correlation_id\x1frun_id",
          std::nullopt,
          "t"};
  for (std::size_t i = 0; i < change.size(); ++i) {
    if (change[i]) row[i] = change[i];
  }
  return row;
}

class Checks : public ::testing::Test {
 protected:
  Checks() {
    config_.connection.dsn = "host=db.example";
    table::served::serve_table(server_, config_.profile);
    auto table = table::served::healthy_table(config_.profile);
    table.resize(11);
    for (const auto* text : {"16500", "t", "t", "f"}) table.emplace_back(text);
    table.resize(18);
    server_.parameter("server_version", "15.18")
        .answers("SELECT current_database()", value("app"))
        .answers("pg_postmaster_start_time()", value("2026-11-24 05:00:00+00"))
        .answers("inet_server_addr", rows({{"app", "watcher", "10.0.0.1:5432"}}))
        .answers("'aurora_version'", rows({{std::nullopt, "f"}}))
        .answers("current_setting('hot_standby_feedback')::bool", rows({{"f", "t", "t"}}))
        .answers("current_setting('wal_level')", value("logical"))
        .answers("'rds_replication'", rows({{"watcher", "f", "t", "f"}}))
        .answers("IDENTIFY_SYSTEM", rows({{"7312", "1", "0/1000", "app"}}))
        .answers("SELECT pg_backend_pid()", value("4711"))
        .answers("'ts_insert_blocker'", rows({table}))
        .answers("has_column_privilege(c.oid, $3, 'SELECT')", value("t"))
        .answers("SELECT count(*) = $3::int", value("t"))
        .answers("SELECT t.pid, t.age", kNone)
        .answers("FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1", rows({slot_row()}))
        .answers("current_setting('max_replication_slots')", rows({{"10", "1", std::nullopt}}))
        .answers("CREATE_REPLICATION_SLOT", rows({{"dupwatch_check_4711", "0/10", std::nullopt, "pgoutput"}}))
        .answers("DROP_REPLICATION_SLOT", Answer{})
        .answers("name = 'max_slot_wal_keep_size'", rows({{"10240", "10GB"}}))
        .answers("current_setting('max_wal_senders')", rows({{"10", "2", "60000"}}))
        .answers("'superuser_reserved_connections'", rows({{"97", "5", "-1", "2", "watcher"}}))
        .answers("p.puballtables, p.pubinsert, p.pubupdate", rows({publication()}))
        .answers("i.indisunique AND i.indexprs IS NULL",
                 rows({{"events_unique", "t", std::nullopt, "t", "workflow"}}))
        .answers("i.indisprimary AND k.place", value("id"))
        .answers("SELECT EXISTS (SELECT FROM pg_catalog.pg_publication", value("t"));
  }

  /// "verdict: what was found -> cure" of the line with this name, of several the first that does not pass;
  /// empty: there is none.
  std::string line(const std::string& name) {
    std::string found;
    for (const auto& each : run().lines) {
      if (each.name == name && !(found.starts_with("fail") || found.starts_with("warn")))
        found = std::string(to_string(each.verdict)) + ": " + each.found + " -> " + each.fix;
    }
    return found;
  }
  CheckReport run() { return run_checks(config_, waiter_); }

  core::Config config_;
  Server server_;
  answering::NoWaiter waiter_;
};

/// One thing that is wrong: the answer in place of the healthy one, and what is said of it.
struct Wrong {
  const char* name;
  const char* question;
  Answer answer;
  const char* line;
  const char* verdict;
  std::vector<const char*> words;
  int version = 150018;
  std::function<void(core::Config&)> change{};
};

inline void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WhatIsWrong : public Checks, public ::testing::WithParamInterface<Wrong> {};

inline std::string name_of(const ::testing::TestParamInfo<Wrong>& info) {
  return info.param.name;
}

}  // namespace dupwatch::postgres::checks_test
