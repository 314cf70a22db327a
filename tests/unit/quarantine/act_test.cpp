#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "act_fixture.hpp"

namespace dupwatch::quarantine::act_test {
namespace {

using namespace act_fixture;

TEST_F(Act, MovesTheRowAtFaultWithWhatIsKnownOfItInOneTransaction) {
  const auto answer = act(request());
  const auto& outcome = std::get<ActOutcome>(answer);
  EXPECT_EQ(to_string(outcome.kind), "done");
  EXPECT_EQ(outcome.entry, "17");
  EXPECT_EQ(outcome.event_id, id_of(6));
  EXPECT_EQ(server_.transactions(), (Strings{"BEGIN", "COMMIT"}));
  const auto written = server_.asked(kWrites);
  ASSERT_EQ(written.size(), 1U);
  const auto& params = written[0].params;
  EXPECT_EQ(params[0], "wrun_a");
  EXPECT_EQ(params[1], id_of(6));
  EXPECT_EQ(params[2], finding_);
  EXPECT_EQ(params[3], "duplicate_created");
  EXPECT_NE(params[4]->find("\"severity\":\"fatal\""), std::string::npos);
  EXPECT_EQ(params[5], config_.profile.qualified_name());
  EXPECT_EQ(params[6], "operator");
  EXPECT_NE(written[0].text.find("DELETE FROM"), std::string::npos);
}

TEST_F(Act, TheRunIsLockedBeforeItIsReadAndReadBeforeItsColumnsAre) {
  (void)act(request());
  const auto at = [&](std::string_view part) {
    const auto asked = server_.asked();
    return std::ranges::find_if(asked,
                                [&](const auto& each) { return each.text.find(part) != std::string::npos; }) -
           asked.begin();
  };
  EXPECT_LT(at("BEGIN"), at("lock_timeout"));
  EXPECT_LT(at("lock_timeout"), at("pg_advisory_xact_lock"));
  EXPECT_LT(at("pg_advisory_xact_lock"), at(kReadsRun));
  EXPECT_LT(at(kReadsRun), at(kReadsColumns));
  EXPECT_LT(at(kReadsColumns), at(kWrites));
  EXPECT_TRUE(server_.asked(kReadsLimits).empty()) << "limits are for what the daemon does by itself";
}

TEST_F(Act, WhereAnyStatementFailsNothingIsCommitted) {
  auto automatic = request();
  automatic.automatic = true;
  (void)act(automatic);
  const auto statements = server_.asked().size();
  ASSERT_EQ(server_.transactions().back(), "COMMIT");
  for (std::size_t i = 0; i < statements; ++i) {
    const auto before = server_.asked().size();
    server_.fails_at(before + i, answering::failure("55P03", "canceling statement due to lock timeout"));
    const auto answer = act(automatic);
    const auto* error = std::get_if<Error>(&answer);
    ASSERT_NE(error, nullptr) << i;
    EXPECT_EQ(error->sqlstate, "55P03") << i;
    const auto all = server_.asked();
    const bool last = i + 1 == statements;
    EXPECT_EQ(all.back().text == "COMMIT", last) << "the failed statement is the last: " << all.back().text;
  }
}

TEST_F(Act, ADryRunJudgesAndWritesNothing) {
  auto dry = request();
  dry.dry_run = true;
  const auto answer = act(dry);
  EXPECT_EQ(to_string(std::get<ActOutcome>(answer).kind), "dry_run");
  EXPECT_EQ(std::get<ActOutcome>(answer).entry, "");
  EXPECT_TRUE(server_.asked(kWrites).empty());
  EXPECT_EQ(server_.transactions(), (Strings{"BEGIN", "ROLLBACK"}));
}

TEST_F(Act, ARowThatMustStayIsRefusedAndTheReasonSaid) {
  struct Case {
    const char* what;
    QuarantineRefusal why;
    Log log;
    bool slots = false;
    Write write = Write::kMove;
  };
  auto ended = late_copy();
  ended.emplace_back("run_completed", "");
  auto doomed = late_copy();
  doomed.insert(doomed.end(),
                {{"hook_created", "hook_c"}, {"hook_disposed", "hook_c"}, {"hook_received", "hook_c"}});
  auto before_close = late_copy();
  std::swap(before_close[4], before_close[5]);
  const std::vector<Case> cases = {
      {"the run has ended", QuarantineRefusal::kRunEnded, ended},
      {"its ids are slot numbers", QuarantineRefusal::kSlotNumbered, late_copy(), true},
      {"another row is fatal too", QuarantineRefusal::kStaysFatal, doomed},
      {"a noop is for slot numbers", QuarantineRefusal::kNotSlotNumbered, late_copy(), false, Write::kNoop},
  };
  for (const auto& each : cases) {
    serve(each.log, each.slots);
    auto wanted = request();
    wanted.write = each.write;
    expect_refused(act(wanted), each.why, each.what);
    EXPECT_TRUE(server_.asked(kWrites).empty()) << each.what;
  }
}

TEST_F(Act, WhoAsksForAPartOnlyGetsItWhereTheRunStaysFatal) {
  auto doomed = late_copy();
  doomed.insert(doomed.end(),
                {{"hook_created", "hook_c"}, {"hook_disposed", "hook_c"}, {"hook_received", "hook_c"}});
  serve(doomed);
  auto part = request();
  part.partial = true;
  const auto answer = act(part);
  EXPECT_EQ(to_string(std::get<ActOutcome>(answer).kind), "done") << std::get<ActOutcome>(answer).reason;
}

TEST_F(Act, TheLimitsHoldForTheDaemonAlone) {
  struct Case {
    const char* what;
    answering::Answer limits;
    std::optional<QuarantineRefusal> why;
    const char* limit = "";
  };
  const auto& most = config_.quarantine;
  const auto minute = static_cast<int>(most.max_per_minute);
  const auto hour = static_cast<int>(most.max_per_hour);
  const auto run = static_cast<int>(most.max_per_run);
  const std::vector<Case> cases = {
      {"one below each", limits({}, minute - 1, hour - 1, run - 1), std::nullopt},
      {"the circuit is open", limits("max_per_hour"), QuarantineRefusal::kCircuitOpen},
      {"a person put it back", limits({}, 0, 0, 0, true), QuarantineRefusal::kRestored},
      {"the run has had its acts", limits({}, 0, 0, run), QuarantineRefusal::kRunLimit},
      {"the minute has", limits({}, minute), QuarantineRefusal::kCircuitOpen, "max_per_minute"},
      {"the hour has", limits({}, 0, hour), QuarantineRefusal::kCircuitOpen, "max_per_hour"},
  };
  for (const auto& each : cases) {
    server_.answers(kReadsLimits, each.limits);
    auto automatic = request();
    automatic.automatic = true;
    const auto written = server_.asked(kWrites).size();
    const auto answer = act(automatic);
    if (each.why) {
      expect_refused(answer, *each.why, each.what);
      EXPECT_EQ(std::get<ActOutcome>(answer).limit, each.limit) << each.what;
      EXPECT_EQ(server_.asked(kWrites).size(), written) << each.what;
    } else {
      EXPECT_EQ(to_string(std::get<ActOutcome>(answer).kind), "done") << each.what;
      EXPECT_EQ(server_.asked(kWrites).back().params[6], "daemon") << each.what;
    }
    const auto by_hand = act(request());
    EXPECT_EQ(to_string(std::get<ActOutcome>(by_hand).kind), "done") << each.what;
  }
}

TEST_F(Act, WhatTheStatementDidNotWriteIsNotCommitted) {
  server_.answers(kWrites, answering::rows({}));
  expect_refused(act(request()), QuarantineRefusal::kChanged, "it wrote nothing");
  server_.answers(kWrites, answering::rows({{"17", "f"}}));
  expect_refused(act(request()), QuarantineRefusal::kChanged, "what went is not what was kept");
  server_.answers(kWrites, answering::rows({})).answers(kLooksForEntry, answering::rows({{"9", id_of(6)}}));
  const auto answer = act(request());
  EXPECT_EQ(to_string(std::get<ActOutcome>(answer).kind), "already_done") << "another was faster";
  EXPECT_EQ(std::get<ActOutcome>(answer).entry, "9");
  const auto ends = server_.transactions();
  EXPECT_EQ(std::ranges::count(ends, "COMMIT"), 0);
}

TEST_F(Act, AFindingThatTheLogDoesNotShowWasDealtWithOrIsWrong) {
  auto other = request();
  other.finding_id = "00000000deadbeef";
  EXPECT_EQ(to_string(std::get<ActOutcome>(act(other)).kind), "unknown");
  EXPECT_TRUE(server_.asked(kLooksForRow).empty()) << "a person is told that there is none";

  other.automatic = true;
  server_.answers(kLooksForRow, answering::value("t"));
  expect_refused(act(other), QuarantineRefusal::kUnverified, "the row is there");
  server_.answers(kLooksForRow, answering::value("f"));
  expect_refused(act(other), QuarantineRefusal::kChanged, "the row is gone");

  other.xid = 4711;
  server_.answers(kLooksForEntry, answering::rows({{"9", id_of(6)}}));
  EXPECT_EQ(to_string(std::get<ActOutcome>(act(other)).kind), "already_done");
  EXPECT_EQ(server_.asked(kLooksForEntry).back().params.back(), "4711")
      << "the act on its predecessor is none on it";
}

TEST_F(Act, OpensTheCircuitInATransactionOfItsOwn) {
  server_.answers("INSERT INTO dupwatch.quarantine_circuit", answering::rows({}));
  auto sql = answering::connect(waiter_);
  EXPECT_FALSE(open_circuit(config_, "max_per_hour", "more than allowed", sql, waiter_));
  EXPECT_EQ(server_.transactions(), (Strings{"BEGIN", "COMMIT"}));
  EXPECT_EQ(server_.asked("quarantine_circuit")[0].params,
            (answering::Row{config_.profile.qualified_name(), "max_per_hour", "more than allowed"}));

  server_.answers("INSERT INTO dupwatch.quarantine_circuit",
                  answering::failure("42501", "permission denied"));
  auto other = answering::connect(waiter_);
  const auto error = open_circuit(config_, "max_per_hour", "more than allowed", other, waiter_);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "42501");
  EXPECT_NE(server_.transactions().back(), "COMMIT");
}

TEST_F(Act, ForTheMigrationASecondRowGoesHarmlessOrNotAndNeverTheFirst) {
  auto log = late_copy();
  std::swap(log[4], log[5]);  // the copy before the close is harmless
  log.emplace_back("run_completed", "");
  serve(log);
  const auto answer = migrate(id_of(5));
  EXPECT_EQ(to_string(std::get<ActOutcome>(answer).kind), "done") << std::get<ActOutcome>(answer).reason;
  const auto written = server_.asked(kWrites);
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0].params[1], id_of(5));
  EXPECT_NE(written[0].text.find("'step_created'"), std::string::npos) << "of the indexed types alone";

  expect_refused(migrate(id_of(3)), QuarantineRefusal::kCanonical, "the first of its identity");
  expect_refused(migrate(id_of(6)), QuarantineRefusal::kNotIndexed, "step_completed is not indexed");
  EXPECT_EQ(to_string(std::get<ActOutcome>(migrate("wevt_x")).kind), "unknown");
  EXPECT_EQ(to_string(std::get<ActOutcome>(migrate(id_of(5), true)).kind), "dry_run");
  EXPECT_EQ(server_.asked(kWrites).size(), 1U);
  serve(log, true);
  expect_refused(migrate(id_of(5, true)), QuarantineRefusal::kSlotNumbered, "slot numbers");
}

TEST_F(Act, ForTheMigrationTheEntryHasAFindingAlsoWhereTheRuleIsOff) {
  config_.rules.rules[static_cast<std::size_t>(core::Rule::kDuplicateCreated)].enabled = false;
  const auto answer = migrate(id_of(6));
  ASSERT_EQ(to_string(std::get<ActOutcome>(answer).kind), "done");
  const auto written = server_.asked(kWrites);
  const auto& params = written.at(0).params;
  EXPECT_EQ(params[2], finding_);
  EXPECT_EQ(params[3], "duplicate_created");
  EXPECT_NE(params[4]->find("\"canonical\":{\"id\":\"" + id_of(3)), std::string::npos) << *params[4];
  EXPECT_NE(params[4]->find("\"severity\":\"unknown\""), std::string::npos);
}

}  // namespace
}  // namespace dupwatch::quarantine::act_test
