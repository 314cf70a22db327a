#include "daemon/findings/table_writer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/unit/postgres/answering/answering_libpq.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::findings::table_writer_test {
namespace {

using answering::Server;
using web::finding;

constexpr auto kLoads = "SELECT";
constexpr auto kWrites = "INSERT INTO";

/// A writer over the loop's connection to a server that has the table.
class Table : public ::testing::Test {
 protected:
  Table() {
    config_.connection.dsn = "host=db.example";
    config_.findings.table_schema = "ops";
    config_.findings.table_name = "findings";
    server_.answers(kLoads, answering::rows({})).answers(kWrites, answering::rows({}));
  }
  ~Table() override {
    if (!captured_) (void)testing::internal::GetCapturedStderr();
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// A few turns of the loop, the last one `later`.
  void turn(TableWriter& writer, std::chrono::milliseconds later = {}) {
    for (int i = 0; i < 6; ++i) {
      writer.pump(process::steady_now() + later);
      sql_.turn(process::steady_now() + later);
    }
  }
  std::string log() {
    captured_ = true;
    return testing::internal::GetCapturedStderr();
  }

  core::Config config_;
  Server server_;
  postgres::SqlClient sql_{[] {
                             core::ConnectionConfig connection;
                             connection.dsn = "host=db.example";
                             return connection;
                           }(),
                           1};
  bool captured_ = false;
  process::Log log_{(testing::internal::CaptureStderr(), core::LogConfig{})};
};

TEST_F(Table, ReadsWhatAnEarlierProcessRecordedBeforeAnythingElse) {
  const auto known = finding(7);
  server_.answers(kLoads, answering::rows({{core::to_json(known)}, {"no record"}}));
  TableWriter writer(config_, sql_, log_, 1);
  EXPECT_TRUE(writer.loading());
  EXPECT_FALSE(writer.accepts());
  EXPECT_FALSE(writer.take_past());
  turn(writer);
  EXPECT_FALSE(writer.loading());
  EXPECT_FALSE(writer.reading());
  EXPECT_TRUE(writer.accepts());
  const auto past = writer.take_past();
  ASSERT_TRUE(past);
  ASSERT_EQ(past->size(), 1U);
  EXPECT_EQ(past->front().id, 7U);
  EXPECT_FALSE(writer.take_past()) << "it is given once";
}

TEST_F(Table, WithoutATableItDoesNothing) {
  config_.findings.table_name.clear();
  TableWriter writer(config_, sql_, log_, 1);
  writer.add(finding(1));
  turn(writer);
  EXPECT_FALSE(writer.loading());
  EXPECT_EQ(writer.added(), 0U);
  EXPECT_EQ(server_.sessions(), 0U);
}

TEST_F(Table, WritesTheNewestStateOfEachFindingOnceAndCountsAll) {
  TableWriter writer(config_, sql_, log_, 1);
  turn(writer);
  auto changed = finding(1);
  changed.state = core::FindingState::kRunEnded;
  writer.add(finding(1));
  writer.add(finding(2));
  writer.add(changed);
  EXPECT_EQ(writer.added(), 3U);
  EXPECT_EQ(writer.recorded(), 0U);
  turn(writer);
  EXPECT_EQ(writer.recorded(), 3U);
  const auto written = server_.asked(kWrites);
  ASSERT_EQ(written.size(), 1U);
  const auto& text = written[0].text;
  EXPECT_NE(text.find("run_ended"), std::string::npos) << text;
  const auto first = text.find("run_1");
  EXPECT_NE(first, std::string::npos);
  EXPECT_LT(first, text.find("run_2")) << "a finding keeps its place";
}

TEST_F(Table, WhatIsRepeatedLeavesARowThatSaysTheSame) {
  TableWriter writer(config_, sql_, log_, 1);
  turn(writer);
  writer.add(finding(1));
  writer.add(finding(2), TableWriter::Over::kOther);
  writer.add(finding(3), TableWriter::Over::kOther);
  writer.add(finding(4));
  turn(writer);
  EXPECT_EQ(writer.recorded(), 4U);
  const auto written = server_.asked(kWrites);
  ASSERT_EQ(written.size(), 3U) << "each in its turn";
  constexpr auto kOther = "WHERE (known.severity, known.state) <>";
  EXPECT_EQ(written[0].text.find(kOther), std::string::npos);
  EXPECT_NE(written[1].text.find(kOther), std::string::npos);
  EXPECT_NE(written[1].text.find("run_3"), std::string::npos);
  EXPECT_EQ(written[2].text.find(kOther), std::string::npos);
}

TEST_F(Table, WritesManyInPieces) {
  TableWriter writer(config_, sql_, log_, 1);
  turn(writer);
  for (std::uint64_t id = 1; id <= 401; ++id) writer.add(finding(id));
  for (int i = 0; i < 4; ++i) turn(writer);
  EXPECT_EQ(writer.recorded(), 401U);
  EXPECT_EQ(server_.asked(kWrites).size(), 3U);
}

TEST_F(Table, AnErrorIsToldWithItsCureAndTriedAgainLater) {
  struct Case {
    std::string sqlstate;
    std::string cure;
  };
  for (const auto& each : std::vector<Case>{{"42501", "dupwatch setup --print-sql"},
                                            {"42P01", "dupwatch setup --print-sql"},
                                            {"25006", "use findings.file instead of findings.table"}}) {
    server_.answers(kWrites, answering::failure(each.sqlstate, "no"));
    if (captured_) {
      testing::internal::CaptureStderr();
      captured_ = false;
    }
    TableWriter writer(config_, sql_, log_, 1);
    turn(writer);
    writer.add(finding(1));
    turn(writer);
    ASSERT_TRUE(writer.trouble()) << each.sqlstate;
    EXPECT_EQ(writer.failures(), 1U) << "not before the pause is over";
    EXPECT_EQ(writer.recorded(), 0U);
    EXPECT_NE(writer.deadline(), core::Instant::max());
    server_.answers(kWrites, answering::rows({}));
    turn(writer, std::chrono::seconds(20));
    EXPECT_EQ(writer.recorded(), 1U);
    EXPECT_FALSE(writer.trouble());
    EXPECT_EQ(writer.deadline(), core::Instant::max());
    const auto lines = log();
    EXPECT_NE(lines.find(each.cure), std::string::npos) << lines;
    EXPECT_NE(lines.find("event=findings_table_back"), std::string::npos) << lines;
  }
}

TEST_F(Table, WhatCannotBeReadAtTheStartDoesNotHoldTheStreamAndIsReadLater) {
  server_.answers(kLoads, answering::failure("42P01", "relation does not exist"));
  TableWriter writer(config_, sql_, log_, 1);
  turn(writer);
  EXPECT_FALSE(writer.loading()) << "the first attempt is over";
  EXPECT_TRUE(writer.reading());
  EXPECT_FALSE(writer.take_past());
  writer.add(finding(1));
  server_.answers(kLoads, answering::rows({{core::to_json(finding(7))}}));
  turn(writer, std::chrono::seconds(20));
  EXPECT_FALSE(writer.reading());
  EXPECT_EQ(writer.take_past()->size(), 1U);
  turn(writer, std::chrono::seconds(20));
  EXPECT_EQ(writer.recorded(), 1U);
}

TEST_F(Table, TakesNoMoreThanItsBound) {
  server_.answers(kWrites, answering::failure("42501", "no"));
  TableWriter writer(config_, sql_, log_, 1);
  turn(writer);
  auto large = finding(1);
  large.run_id = std::string(1U << 20U, 'r');
  for (int i = 0; i < 5 && writer.accepts(); ++i) writer.add(large);
  EXPECT_FALSE(writer.accepts());
  EXPECT_LE(writer.added(), 5U);
  server_.answers(kWrites, answering::rows({}));
  for (int i = 0; i < 6; ++i) turn(writer, std::chrono::seconds(20));
  EXPECT_TRUE(writer.accepts());
}

}  // namespace
}  // namespace dupwatch::findings::table_writer_test
