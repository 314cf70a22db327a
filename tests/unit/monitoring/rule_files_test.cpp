#include "daemon/monitoring/rule_files.hpp"

#include <gtest/gtest.h>

#include <string>

#include "daemon/monitoring/dashboards.hpp"
#include "daemon/monitoring/runbooks.hpp"

namespace dupwatch::monitoring::rule_files_test {
namespace {

TEST(RuleFile, EveryMarkIsFilledIn) {
  for (const auto format : {RuleFormat::kPrometheus, RuleFormat::kOperator}) {
    const auto text = rule_file({}, format, true);
    EXPECT_NE(text.find("runbook_url: \"http://{{ $labels.instance }}/runbooks/DupwatchNotReady\""),
              std::string::npos);
    EXPECT_EQ(text.find("dashboard_url"), std::string::npos) << "there is none by default";
    for (const auto& [name, standard] : threshold_defaults()) {
      EXPECT_EQ(text.find("@" + name + "@"), std::string::npos) << name;
    }
    EXPECT_NE(text.find("@workflow/world-postgres"), std::string::npos) << "no mark";
  }
}

TEST(RuleFile, AThresholdTakesThePlaceOfItsDefaultAlone) {
  Site site;
  site.thresholds = {{"hold", "7m"}};
  ASSERT_TRUE(problems_of(site).empty());
  const auto text = rule_file(site, RuleFormat::kPrometheus, false);
  EXPECT_NE(text.find("[7m]"), std::string::npos);
  EXPECT_NE(text.find("# hold 7m: "), std::string::npos);
  EXPECT_NE(text.find("for: 5m"), std::string::npos);
}

TEST(RuleFile, DurationsAndNumbersAreThoseOfPrometheus) {
  const auto wrong = [](const std::string& name, const std::string& value) {
    Site site;
    site.thresholds = {{name, value}};
    return problems_of(site).size();
  };
  for (const auto* good : {"5m", "1h30m", "1y2w3d4h5m6s", "90s"}) EXPECT_EQ(wrong("hold", good), 0U) << good;
  for (const auto* bad :
       {"", "5", "m", "5x", "30m1h", "1h1h", "0m", "0h0s", "5m ", "1.5h", "-5m", "1234567890m"}) {
    EXPECT_EQ(wrong("hold", bad), 1U) << bad;
  }
  for (const auto* good : {"0", "20", "0.5", "1e9"}) EXPECT_EQ(wrong("burst", good), 0U) << good;
  for (const auto* bad : {"", "5m", "-1", "inf", "nan", "1 or 1", "1e999"})
    EXPECT_EQ(wrong("burst", bad), 1U) << bad;
}

TEST(RuleFile, WhatWouldLeaveItsQuotesIsRefused) {
  for (const auto* bad :
       {"https://x\"", "https://x\\", "https://x\n", "https://x`", "ftp://x", "//x", "javascript:x"}) {
    EXPECT_EQ(problems_of({.links = {.page = bad, .runbook = bad, .dashboard = bad}}).size(), 3U) << bad;
  }
  EXPECT_TRUE(problems_of({.links = {.page = "https://{{ $labels.instance }}/x"}}).empty());
}

TEST(Runbooks, AreThereByTheirNameAlone) {
  EXPECT_TRUE(runbook("DupwatchDown").starts_with("# DupwatchDown\n"));
  for (const auto* name :
       {"", "Dupwatch", "DupwatchDown.md", "../DupwatchDown", "thresholds.json", "overview"}) {
    EXPECT_TRUE(runbook(name).empty()) << name;
  }
}

TEST(Dashboard, LinksToTheInstanceThatIsChosenOrElsewhere) {
  EXPECT_NE(dashboard("overview", {}).find("http://${instance}/runbooks/"), std::string::npos);
  const auto other = dashboard("overview", {.page = "https://d", .runbook = "https://w/{name}.md"});
  EXPECT_EQ(other.find("http://${instance}"), std::string::npos);
  EXPECT_NE(other.find("\"https://d/\""), std::string::npos);
  EXPECT_NE(other.find("\"https://w/DupwatchNotReady.md\""), std::string::npos);
}

}  // namespace
}  // namespace dupwatch::monitoring::rule_files_test
