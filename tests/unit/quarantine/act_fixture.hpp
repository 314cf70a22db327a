#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/replay_rules.hpp"
#include "daemon/quarantine/act.hpp"
#include "tests/unit/table/served_table.hpp"

namespace dupwatch::quarantine::act_fixture {

using answering::NoWaiter;
using answering::Server;
using core::QuarantineRefusal;
using postgres::Error;
using table::served::id_of;
using table::served::late_copy;
using table::served::Log;
using Kind = ActOutcome::Kind;
using Strings = std::vector<std::string>;

// What each statement is known by.
inline constexpr auto kReadsRun = "ORDER BY e.\"id\"::text COLLATE";
inline constexpr auto kReadsColumns = "a.attrelid = $1::regclass";
inline constexpr auto kReadsLimits = "r.restored_at IS NOT NULL";
inline constexpr auto kWrites = "INSERT INTO dupwatch.quarantine (";
inline constexpr auto kLooksForEntry = "SELECT q.id::text, q.event_id";
inline constexpr auto kLooksForRow = "SELECT EXISTS (SELECT FROM";

/// A server with one run in its log, and a session with it.
class Act : public ::testing::Test {
 protected:
  Act() {
    config_.profile = core::workflow_devkit_profile();
    config_.rules.engine = core::Engine::kV4;
    serve(late_copy());
    server_.answers("pg_advisory_xact_lock", answering::value(""))
        .answers(kReadsColumns,
                 answering::rows({{"id", "character varying"}, {"run_id", "character varying"}}))
        .answers(kReadsLimits, limits())
        .answers(kWrites, answering::rows({{"17", "t"}}))
        .answers(kLooksForEntry, answering::rows({}));
  }
  void serve(const Log& log, bool slots = false) {
    server_.answers(kReadsRun, answering::rows(table::served::run_rows("wrun_a", log, slots)));
    const auto& profile = config_.profile;
    finding_ = core::finding_id_text(
        core::finding_id(profile.qualified_name(), core::Rule::kDuplicateCreated, "wrun_a", id_of(6, slots)));
  }
  static answering::Answer limits(std::optional<std::string> circuit = {}, int minute = 0, int hour = 0,
                                  int run = 0, bool restored = false) {
    return answering::rows({{std::move(circuit), std::to_string(minute), std::to_string(hour),
                             std::to_string(run), restored ? "true" : "false"}});
  }
  [[nodiscard]] ActRequest request() const {
    return {.run_id = "wrun_a", .finding_id = finding_, .event_id = id_of(6)};
  }
  postgres::Expected<ActOutcome> act(const ActRequest& request) {
    auto sql = answering::connect(waiter_);
    return quarantine_row(config_, {}, request, sql, waiter_);
  }
  postgres::Expected<ActOutcome> migrate(const std::string& event_id, bool dry_run = false) {
    auto sql = answering::connect(waiter_);
    return quarantine_for_migration(config_, {}, "wrun_a", event_id, dry_run, sql, waiter_);
  }
  void expect_refused(const postgres::Expected<ActOutcome>& answer, QuarantineRefusal why,
                      const std::string& what) const {
    const auto* outcome = std::get_if<ActOutcome>(&answer);
    ASSERT_NE(outcome, nullptr) << what;
    EXPECT_EQ(outcome->kind, Kind::kRefused) << what;
    ASSERT_TRUE(outcome->refusal) << what;
    EXPECT_EQ(core::to_string(*outcome->refusal), core::to_string(why)) << what;
    EXPECT_EQ(outcome->reason, core::to_string(why)) << what;
    EXPECT_FALSE(outcome->explanation.empty()) << what;
    EXPECT_EQ(server_.transactions().back(), "ROLLBACK") << what;
  }

  core::Config config_;
  Server server_;
  NoWaiter waiter_;
  std::string finding_;
};

}  // namespace dupwatch::quarantine::act_fixture
