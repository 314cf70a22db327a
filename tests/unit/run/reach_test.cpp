#include "daemon/run/reach.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/postgres/answering/answering_libpq.hpp"

namespace dupwatch::run::reach_test {
namespace {

using answering::Statement;
using postgres::Cause;
using postgres::Error;

/// Servers of one system, which answer the attempts in turn: their timelines, 0 = it ends the session.
class ReachNewest : public ::testing::Test {
 protected:
  ReachNewest() {
    server_.has_hosts("a,b");
    config_.connection.dsn = "host=a,b";
    config_.slot.name = "dupwatch";
    testing::internal::CaptureStderr();
  }
  ~ReachNewest() override { (void)testing::internal::GetCapturedStderr(); }
  ReachNewest(const ReachNewest&) = delete;
  ReachNewest& operator=(const ReachNewest&) = delete;

  std::variant<Reached, Error> reach(std::vector<int> timelines) {
    std::size_t asked = 0;
    server_.answers("pg_try_advisory_xact_lock_shared", answering::value("t"))
        .answers("pg_postmaster_start_time", answering::value("then"))
        .answers("IDENTIFY_SYSTEM", [&](const Statement&) {
          const auto timeline = timelines.at(asked++);
          if (timeline == 0) return answering::failure("57P01", "the server goes down");
          return answering::rows({{"7301", std::to_string(timeline), "0/1000", "app"}});
        });
    answering::NoWaiter waiter;
    process::Log log{core::LogConfig{}};
    auto found = reach_newest(config_, known_, waiter, log);
    EXPECT_EQ(asked, timelines.size());
    return found;
  }
  static std::uint32_t timeline_of(const std::variant<Reached, Error>& found) {
    return std::holds_alternative<Reached>(found) ? std::get<Reached>(found).system.timeline : 0;
  }

  core::Config config_;
  answering::Server server_;
  History known_{.system_identifier = "7301", .timeline = 2};
};

TEST_F(ReachNewest, TakesTheFirstServerThatGoesOn) {
  EXPECT_EQ(timeline_of(reach({2})), 2U);
  EXPECT_EQ(timeline_of(reach({3})), 3U);
  known_ = {};
  EXPECT_EQ(timeline_of(reach({1})), 1U) << "nothing was streamed before";
  known_ = {.system_identifier = "another", .timeline = 2};
  EXPECT_EQ(timeline_of(reach({1})), 1U) << "of another system timelines say nothing";
}

TEST_F(ReachNewest, PassesAnOldPrimaryOver) {
  EXPECT_EQ(timeline_of(reach({1, 1, 2})), 2U);
}

TEST_F(ReachNewest, WaitsForAServerThatDoesNotAnswer) {
  const auto found = reach({1, 1, 0});
  ASSERT_TRUE(std::holds_alternative<Error>(found));
  EXPECT_EQ(std::get<Error>(found).cause, Cause::kOldPrimary);
  EXPECT_EQ(std::get<Error>(found).fault, postgres::Fault::kTransient);
  EXPECT_NE(std::get<Error>(found).message.find("the server goes down"), std::string::npos);
}

TEST_F(ReachNewest, TakesAnOldHistoryWhereAllAreOfIt) {
  EXPECT_EQ(timeline_of(reach({1, 1, 1})), 1U);
  server_.has_hosts("a");
  EXPECT_EQ(timeline_of(reach({1, 1})), 1U);
}

TEST_F(ReachNewest, StandingByItKnowsTheHistoryOfTheOtherOne) {
  known_ = {.system_identifier = "7301", .timeline = 1};
  server_.answers("pg_try_advisory_xact_lock_shared", answering::value("f"))
      .answers("l.objsubid = 1", answering::rows({}))
      .answers("pg_control_system", answering::rows({{"7301", "2"}}));
  answering::NoWaiter waiter;
  process::Log log{core::LogConfig{}};
  for (const std::uint32_t shown : {2U, 1U, 0U}) {
    server_.answers("pg_control_system", answering::rows({{"7301", std::to_string(shown)}}));
    const auto found = reach_newest(config_, known_, waiter, log);
    ASSERT_TRUE(std::holds_alternative<Error>(found));
    EXPECT_EQ(std::get<Error>(found).cause, Cause::kStandby);
    EXPECT_EQ(known_.timeline, 2U) << shown;
  }
  server_.answers("pg_control_system", answering::rows({{"another", "1"}}));
  (void)reach_newest(config_, known_, waiter, log);
  EXPECT_EQ(known_.system_identifier, "another");
}

}  // namespace
}  // namespace dupwatch::run::reach_test
