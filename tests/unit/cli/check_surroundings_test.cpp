#include "daemon/cli/check_surroundings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/postgres/answering/answering_libpq.hpp"

/// What `dupwatch check` says of findings.table, heartbeat.dsn and the quarantine; the host's own part is in
/// other_commands_test.cpp.
namespace dupwatch::cli::check_surroundings_test {
namespace {

using answering::Server;
using postgres::Verdict;

constexpr auto kFindingsRights = "row_security_active(c.oid)";
constexpr auto kRecovery = "pg_is_in_recovery()";
constexpr auto kEntries = "to_regclass('dupwatch.quarantine')";
constexpr auto kQuarantineRights = "has_table_privilege($1, 'SELECT')";

/// A configuration that asks for all of them.
class OtherSessions : public ::testing::Test {
 protected:
  OtherSessions() {
    config_.connection.dsn = "host=db.example";
    config_.findings.table_schema = "ops";
    config_.findings.table_name = "findings";
    config_.heartbeat.dsn = "host=primary.example";
    config_.quarantine.mode = core::QuarantineMode::kRemove;
    server_.answers(kFindingsRights, answering::value(""))
        .answers(kRecovery, answering::value("f"))
        .answers(kEntries, answering::value("dupwatch.quarantine"))
        .answers(kQuarantineRights, answering::value(""));
  }
  /// "name verdict: what was found" of each line.
  std::vector<std::string> lines() {
    report_ = {};
    check_other_sessions(config_, waiter_, report_);
    std::vector<std::string> out;
    for (const auto& line : report_.lines)
      out.push_back(line.name + " " + std::string(to_string(line.verdict)) + ": " + line.found);
    return out;
  }

  core::Config config_;
  Server server_;
  answering::NoWaiter waiter_;
  postgres::CheckReport report_;
};

TEST_F(OtherSessions, HaveALineEachWhereAllIsWell) {
  EXPECT_EQ(lines(),
            (std::vector<std::string>{R"(findings_table pass: "ops"."findings" takes findings)",
                                      "heartbeat_dsn pass: heartbeat.dsn leads to a primary",
                                      "quarantine pass: the role may do what quarantine.mode asks for"}));
  EXPECT_EQ(server_.sessions(), 3U);
  EXPECT_EQ(server_.asked(kFindingsRights)[0].params, (answering::Row{R"("ops"."findings")"}));
  EXPECT_EQ(server_.asked(kQuarantineRights)[0].params[1], "true") << "rows are to be removed";
  config_.quarantine.mode = core::QuarantineMode::kRecord;
  (void)lines();
  EXPECT_EQ(server_.asked(kQuarantineRights)[1].params[1], "false");
}

TEST_F(OtherSessions, WhatIsNotConfiguredIsNotAsked) {
  config_.findings.table_name.clear();
  config_.heartbeat.dsn.clear();
  config_.quarantine.mode = core::QuarantineMode::kObserve;
  EXPECT_TRUE(lines().empty());
  EXPECT_EQ(server_.sessions(), 0U);
  config_.heartbeat.dsn = "host=primary.example";
  config_.heartbeat.interval = {};
  EXPECT_TRUE(lines().empty()) << "no heartbeat is written";
}

TEST_F(OtherSessions, WhatIsMissingFailsWithItsFix) {
  struct Case {
    const char* asked;
    answering::Answer answer;
    std::string line;
    std::string fix;
  };
  const std::vector<Case> cases = {
      {kFindingsRights, answering::value("no right to INSERT, no right to UPDATE"),
       R"(findings_table fail: "ops"."findings": no right to INSERT, no right to UPDATE)",
       "dupwatch setup --print-sql"},
      {kFindingsRights, answering::value("it does not exist"),
       R"(findings_table fail: "ops"."findings": it does not exist)", "dupwatch setup --print-sql"},
      {kFindingsRights, answering::failure("42501", "permission denied"),
       "findings_table fail: permission denied", ""},
      {kRecovery, answering::value("t"),
       "heartbeat_dsn fail: heartbeat.dsn leads to a standby, which can't be written",
       "name the primary in heartbeat.dsn"},
      {kEntries, answering::value(std::nullopt), "quarantine fail: table dupwatch.quarantine does not exist",
       "--quarantine"},
      {kQuarantineRights, answering::value("DELETE from x"),
       "quarantine fail: the role has no right to DELETE from x", "--quarantine"},
  };
  const std::vector<const char*> all = {kFindingsRights, kRecovery, kEntries, kQuarantineRights};
  for (const auto& each : cases) {
    for (const auto* asked : all)
      server_.answers(asked, answering::value(asked == std::string(kRecovery)  ? "f"
                                              : asked == std::string(kEntries) ? "dupwatch.quarantine"
                                                                               : ""));
    server_.answers(each.asked, each.answer);
    const auto found = lines();
    ASSERT_EQ(found.size(), 3U) << "the others are asked all the same";
    const auto failed = std::find(found.begin(), found.end(), each.line);
    ASSERT_NE(failed, found.end()) << each.line << " is not in: " << found[0] << "; " << found[1] << "; "
                                   << found[2];
    EXPECT_NE(report_.lines[static_cast<std::size_t>(failed - found.begin())].fix.find(each.fix),
              std::string::npos);
    EXPECT_TRUE(report_.failed());
  }
}

TEST_F(OtherSessions, AServerThatIsGoneFailsEachOfThem) {
  server_.refuses("connection refused");
  const auto found = lines();
  ASSERT_EQ(found.size(), 3U);
  for (const auto& line : found) EXPECT_NE(line.find(" fail: connection refused"), std::string::npos) << line;
}

TEST(HostCheck, AMemoryThatIsLargerThanTheGroupsIsSaid) {
  core::Config config;
  config.http.host.clear();
  config.index.memory_max_bytes = std::uint64_t{1} << 60U;
  postgres::CheckReport report;
  check_host(config, report);
  // Where the group has no limit there is nothing to say.
  for (const auto& line : report.lines) {
    if (line.name != "memory") continue;
    EXPECT_EQ(line.verdict, Verdict::kWarn);
    EXPECT_NE(line.fix.find("lower index.memory_max"), std::string::npos);
  }
  EXPECT_FALSE(report.failed());
}

}  // namespace
}  // namespace dupwatch::cli::check_surroundings_test
