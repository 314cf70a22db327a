#include "daemon/web/findings_query.hpp"

#include <gtest/gtest.h>

namespace dupwatch::web::findings_query_test {
namespace {

std::variant<FindingsQuery, std::string> parse(std::string_view query) {
  return parse_findings_query(query, 1000, "1a2b");
}

std::string wrong(std::string_view query) {
  const auto parsed = parse(query);
  const auto* text = std::get_if<std::string>(&parsed);
  return text == nullptr ? "" : *text;
}

TEST(FindingsQuery, NothingAskedIsTheFirstHundredOfAll) {
  const auto query = std::get<FindingsQuery>(parse(""));
  EXPECT_EQ(query.limit, 100U);
  EXPECT_EQ(query.cursor, std::nullopt);
  EXPECT_TRUE(query.filter.admits({}));
  EXPECT_EQ(std::get<FindingsQuery>(parse_findings_query("", 7, "1a2b")).limit, 7U);
}

TEST(FindingsQuery, EachParameterIsRead) {
  const auto query = std::get<FindingsQuery>(parse(
      "severity=fatal%2Cconflict&rule=second_terminal&state=open&run_id=wrun_%26%3D%2B+&"
      "correlation_id=step_1&search=run%5F&since=1970-01-01T00:00:01Z&limit=1000&cursor=1a2b-1-20-2-15"));
  EXPECT_EQ(query.filter.severities, (std::array{true, true, false, false}));
  EXPECT_TRUE(query.filter.rules[static_cast<std::size_t>(core::Rule::kSecondTerminal)]);
  EXPECT_FALSE(query.filter.rules[static_cast<std::size_t>(core::Rule::kOrphan)]);
  EXPECT_EQ(query.filter.states, (std::array{true, false, false, false, false}));
  EXPECT_EQ(query.filter.run_id, "wrun_&=++");
  EXPECT_EQ(query.filter.correlation_id, "step_1");
  EXPECT_EQ(query.filter.search, "run_");
  EXPECT_EQ(query.filter.since->micros, 1'000'000);
  EXPECT_EQ(query.limit, 1000U);
  EXPECT_EQ(query.cursor, (StatusStore::Cursor{.floor = 1, .top = 20, .ring = 2, .below = 15}));
}

TEST(FindingsQuery, WhatIsUnknownIsNamed) {
  EXPECT_EQ(wrong("offset=5"),
            "there is no such parameter; known are severity, rule, state, run_id, correlation_id, search, "
            "since, limit, cursor");
  EXPECT_NE(wrong("Limit=5"), "");
  EXPECT_NE(wrong("=5"), "");
  EXPECT_EQ(wrong("severity=bad"),
            "severity: expected one or more of fatal, conflict, harmless, unknown, with commas");
  EXPECT_EQ(wrong("rule=orphan&rule=orphan"), "rule is given twice");
  EXPECT_EQ(wrong("run_id="), "run_id: expected an id");
  EXPECT_EQ(wrong("search="), "search: expected an id");
  EXPECT_EQ(wrong("run_id=%zz"), "run_id: it is badly escaped");
  EXPECT_EQ(wrong("since=yesterday"), "since: expected a time with its zone, such as 2026-11-24T05:21:38Z");
}

TEST(FindingsQuery, ACursorComesBackAsItWasGiven) {
  const StatusStore::Cursor cursor{.floor = 7, .top = 900, .ring = 1, .below = 12};
  const auto query = std::get<FindingsQuery>(parse("cursor=" + cursor_text(cursor, "1a2b")));
  EXPECT_EQ(query.cursor, cursor);
}

TEST(FindingsQuery, ACursorOfAnotherDaemonIsRefused) {
  for (const auto* text : {"1a2c-1-20-2-15", "1a2b-1-20-2", "1a2b-1-20-2-15-3", "1a2b-1-20-2-x", "", "1a2b",
                           "1a2b--1-20-2-15", "1a2b-1-20-2-99999999999999999999"}) {
    EXPECT_EQ(wrong(std::string("cursor=") + text),
              "cursor: it is not of this daemon, which may have been restarted; begin without it")
        << text;
  }
}

}  // namespace
}  // namespace dupwatch::web::findings_query_test
