#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "act_fixture.hpp"

namespace dupwatch::quarantine::restore_test {
namespace {

using namespace act_fixture;

constexpr auto kReadsEntry = "jsonb_object_keys";
constexpr auto kPutsBack = "back AS (";

/// Puts entry 17 back.
class Restore : public Act {
 protected:
  Restore() { server_.answers(kPutsBack, answering::value("t")); }
  void serve_entry(const std::string& action, bool restored = false, std::optional<std::string> table = {}) {
    std::vector<answering::Row> rows;
    for (const auto* column : {"id", "run_id"}) {
      rows.push_back({column, table.value_or(config_.profile.qualified_name()), "wrun_a", id_of(6),
                      restored ? "true" : "false", action});
    }
    server_.answers(kReadsEntry, answering::rows(std::move(rows)));
  }
  postgres::Expected<ActOutcome> restore() {
    auto sql = answering::connect(waiter_);
    return restore_row(config_, "17", sql, waiter_);
  }
};

TEST_F(Restore, PutsTheRowBackWithTheGuardOff) {
  serve_entry("removed");
  const auto answer = restore();
  const auto& outcome = std::get<ActOutcome>(answer);
  EXPECT_EQ(to_string(outcome.kind), "done");
  EXPECT_EQ(outcome.event_id, id_of(6));
  EXPECT_EQ(server_.transactions(), (Strings{"BEGIN", "COMMIT"}));
  EXPECT_EQ(server_.asked("dupwatch.guard").size(), 1U);
  EXPECT_EQ(server_.asked("LOCK TABLE").size(), 1U);
  ASSERT_EQ(server_.asked(kPutsBack).size(), 1U);
  EXPECT_NE(server_.asked(kPutsBack)[0].text.find("OVERRIDING SYSTEM VALUE"), std::string::npos);
}

TEST_F(Restore, ANoopGetsItsTypeBack) {
  serve_entry("neutralised");
  EXPECT_EQ(to_string(std::get<ActOutcome>(restore()).kind), "done");
  EXPECT_NE(server_.asked(kPutsBack)[0].text.find("'noop'"), std::string::npos);
  server_.answers(kPutsBack, answering::rows({}));
  const auto answer = restore();
  EXPECT_EQ(std::get<ActOutcome>(answer).reason, "changed");
  EXPECT_EQ(server_.transactions().back(), "ROLLBACK");
}

TEST_F(Restore, IsRefusedWhereTheRowWouldNotBeWhatItWas) {
  struct Case {
    const char* reason;
    std::function<void()> given;
  };
  const std::vector<Case> cases = {
      {"recorded", [&] { serve_entry("recorded"); }},
      {"other_table", [&] { serve_entry("removed", false, "public.other"); }},
      {"column_missing",
       [&] {
         server_.answers(kReadsColumns, answering::rows({{"id", "character varying"}}));
       }},
      {"not_identical", [&] { server_.answers(kPutsBack, answering::value("f")); }},
  };
  for (const auto& each : cases) {
    serve_entry("removed");
    server_.answers(kReadsColumns,
                    answering::rows({{"id", "character varying"}, {"run_id", "character varying"}}));
    each.given();
    const auto answer = restore();
    const auto* outcome = std::get_if<ActOutcome>(&answer);
    ASSERT_NE(outcome, nullptr) << each.reason;
    EXPECT_EQ(to_string(outcome->kind), "refused") << each.reason;
    EXPECT_EQ(outcome->reason, each.reason);
    EXPECT_EQ(server_.transactions().back(), "ROLLBACK") << each.reason;
  }
}

TEST_F(Restore, ACollisionIsSaidAndAnyOtherErrorHandedOn) {
  serve_entry("removed");
  server_.answers(kPutsBack, answering::failure("23505", "duplicate key"));
  const auto collision = restore();
  EXPECT_EQ(std::get<ActOutcome>(collision).reason, "collision");
  server_.answers(kPutsBack, answering::failure("42501", "permission denied"));
  EXPECT_EQ(std::get<Error>(restore()).sqlstate, "42501");
  const auto ends = server_.transactions();
  EXPECT_EQ(std::ranges::count(ends, "COMMIT"), 0);
}

TEST_F(Restore, WhatIsBackOrWasNeverKeptIsLeftAlone) {
  serve_entry("removed", true);
  EXPECT_EQ(to_string(std::get<ActOutcome>(restore()).kind), "already_done");
  server_.answers(kReadsEntry, answering::rows({}));
  EXPECT_EQ(to_string(std::get<ActOutcome>(restore()).kind), "unknown");
  serve_entry("removed");
  server_.answers(kPutsBack, answering::rows({}));
  EXPECT_EQ(to_string(std::get<ActOutcome>(restore()).kind), "already_done")
      << "another put it back meanwhile";
  EXPECT_EQ(server_.asked(kPutsBack).size(), 1U);
}

TEST_F(Restore, WhereAnyStatementFailsNothingIsCommitted) {
  serve_entry("removed");
  (void)restore();
  const auto statements = server_.asked().size();
  for (std::size_t i = 0; i < statements; ++i) {
    server_.fails_at(server_.asked().size() + i, answering::failure("57P01", "terminating connection"));
    const auto answer = restore();
    EXPECT_TRUE(std::holds_alternative<Error>(answer)) << i;
    EXPECT_EQ(server_.asked().back().text == "COMMIT", i + 1 == statements) << server_.asked().back().text;
  }
}

}  // namespace
}  // namespace dupwatch::quarantine::restore_test
