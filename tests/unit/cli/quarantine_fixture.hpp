#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/replay_rules.hpp"
#include "program.hpp"
#include "tests/unit/table/served_table.hpp"

namespace dupwatch::cli::quarantine_fixture {

using answering::Server;
using answering::Statement;
using table::served::id_of;
using table::served::late_copy;
using Words = std::vector<std::string>;

inline constexpr auto kReadsRun = "ORDER BY e.\"id\"::text COLLATE";
inline constexpr auto kWrites = "INSERT INTO dupwatch.quarantine (";
inline constexpr auto kLooksForEntry = "SELECT q.id::text, q.event_id";
inline constexpr auto kLists = "count(*) OVER ()";
inline constexpr auto kWhereabouts = "AND q.restored_at IS NULL),";
inline constexpr auto kPurges = "DELETE FROM dupwatch.quarantine";

/// A server with one run, whose event 6 can be taken out.
class Quarantine : public ::testing::Test {
 protected:
  Quarantine() {
    const core::Config config;
    const auto& profile = config.profile;
    table_ = profile.qualified_name();
    finding_ =
        core::finding_id_text(core::finding_id(table_, core::Rule::kDuplicateCreated, "wrun_a", id_of(6)));
    table::served::serve_table(server_, profile);
    server_.answers("pg_advisory_xact_lock", answering::value(""))
        .answers(kReadsRun, answering::rows(table::served::run_rows("wrun_a", late_copy())))
        .answers("a.attrelid = $1::regclass", answering::rows({{"id", "character varying"}}))
        .answers(kWrites, answering::rows({{"17", "t"}}))
        .answers(kLooksForEntry, answering::rows({}))
        .answers("pg_logical_emit_message", answering::value("0/1"));
  }
  [[nodiscard]] Words apply(Words more = {}) const {
    Words words{"quarantine", "apply", "wrun_a", finding_, "--yes"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string table_;
  std::string finding_;
  Server server_;
  Program program_;
};

}  // namespace dupwatch::cli::quarantine_fixture
