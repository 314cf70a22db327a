#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "daemon/process/clock.hpp"
#include "daemon/table/filtered_scan.hpp"
#include "daemon/table/page_scan.hpp"
#include "daemon/table/run_scan.hpp"
#include "served_table.hpp"

namespace dupwatch::table::scans_test {
namespace {

using answering::NoWaiter;
using answering::Row;
using answering::Server;
using answering::Statement;
using postgres::Connection;
using postgres::Error;
using postgres::Expected;
using Strings = std::vector<std::string>;

const core::Profile kProfile = core::workflow_devkit_profile();

/// Three runs of two rows; the server cuts a piece behind `end`.
class RunScans : public ::testing::Test {
 protected:
  void serve_pieces(const Strings& ends) {
    server_.answers("OFFSET", [this, ends](const Statement&) {
      const auto piece = pieces_++;
      return piece < ends.size() ? answering::value(ends[piece]) : answering::rows({});
    });
    server_.answers("SELECT e.run", [](const Statement& statement) {
      const auto& params = statement.params;
      const bool from = statement.text.find(" > ") != std::string::npos;
      const bool to = statement.text.find(" <= ") != std::string::npos;
      std::vector<Row> rows;
      for (const std::string run : {"a", "b", "c"}) {
        if (from && run <= *params.front()) continue;
        if (to && run > *params.back()) continue;
        rows.push_back({run, "1"});
        rows.push_back({run, "2"});
      }
      return answering::rows(std::move(rows));
    });
  }
  std::optional<Error> next(RunScan& scan, Connection& sql) {
    return scan.next(
        sql, waiter_,
        [this](const pg_result& result, int row) {
          seen_ += std::string(*postgres::cell(result, row, 0)) +
                   std::string(*postgres::cell(result, row, 1)) + " ";
        },
        [this](const std::string& run) { seen_ += "/" + run + " "; });
  }

  Server server_;
  NoWaiter waiter_;
  std::size_t pieces_ = 0;
  std::string seen_;
};

TEST_F(RunScans, ReadPieceAfterPieceAndEachRunWhole) {
  serve_pieces({"a", "b"});
  RunScan scan(kProfile, {}, {.select = "SELECT e.run", .condition = "e.type = 'x'", .after = {}});
  auto sql = answering::connect(waiter_);
  EXPECT_FALSE(next(scan, sql));
  EXPECT_EQ(seen_, "a1 a2 /a ");
  EXPECT_FALSE(scan.done());
  EXPECT_EQ(scan.last_run(), "a");
  EXPECT_FALSE(next(scan, sql));
  EXPECT_FALSE(next(scan, sql));
  EXPECT_EQ(seen_, "a1 a2 /a b1 b2 /b c1 c2 /c ");
  EXPECT_TRUE(scan.done());
  EXPECT_EQ(scan.rows(), 6U);
  EXPECT_EQ(scan.runs(), 3U);
  EXPECT_EQ(scan.last_run(), "c");
  for (const auto& statement : server_.asked("SELECT e.run")) {
    EXPECT_NE(statement.text.find("e.type = 'x'"), std::string::npos) << statement.text;
  }
}

TEST_F(RunScans, GoOnBehindTheRunThatWasNamed) {
  serve_pieces({});
  RunScan scan(kProfile, {}, {.select = "SELECT e.run", .condition = {}, .after = "b"});
  auto sql = answering::connect(waiter_);
  EXPECT_FALSE(next(scan, sql));
  EXPECT_EQ(seen_, "c1 c2 /c ");
  EXPECT_TRUE(scan.done());
}

TEST_F(RunScans, AnErrorLeavesTheScanWhereItWas) {
  serve_pieces({"a"});
  RunScan scan(kProfile, {}, {.select = "SELECT e.run", .condition = {}, .after = {}});
  auto sql = answering::connect(waiter_);
  ASSERT_FALSE(next(scan, sql));
  for (const std::size_t of_piece : {0U, 1U}) {
    server_.fails_at(server_.asked().size() + of_piece, answering::failure("57014", "canceling statement"));
    ASSERT_TRUE(next(scan, sql));
    EXPECT_EQ(scan.last_run(), "a");
    EXPECT_FALSE(scan.done());
  }
  ASSERT_FALSE(next(scan, sql));
  EXPECT_EQ(seen_, "a1 a2 /a b1 b2 /b c1 c2 /c ");
}

TEST_F(RunScans, HoldTheirRateAndCanBeInterruptedMeanwhile) {
  serve_pieces({"a", "b"});
  auto sql = answering::connect(waiter_);
  RunScan fast(kProfile, {}, {.select = "SELECT e.run", .condition = {}, .after = {}, .rate_max = 0});
  ASSERT_FALSE(next(fast, sql));
  EXPECT_EQ(waiter_.waits, 0U);
  // Two rows at one row in a thousand seconds are due long after now.
  RunScan slow(kProfile, {}, {.select = "SELECT e.run", .condition = {}, .after = {}, .rate_max = 1});
  pieces_ = 0;
  ASSERT_FALSE(next(slow, sql));
  EXPECT_EQ(waiter_.waits, 1U);
  waiter_.outcome = postgres::Waiter::Outcome::kInterrupted;
  const auto error = next(slow, sql);
  ASSERT_TRUE(error);
  EXPECT_TRUE(postgres::interrupted(*error));
  EXPECT_EQ(slow.last_run(), "b") << "what was read counts";
}

std::string copy_line(const std::string& run, const std::string& id, const std::string& type,
                      const std::string& entity) {
  return run + "\t" + id + "\t" + type + "\t" + (entity.empty() ? "\\N" : entity) + "\n";
}

/// The page at which a piece begins, and "" for one without an end.
std::pair<std::string, std::string> pages_of(const Statement& statement) {
  const auto number = [&](std::string_view name) {
    const auto at = statement.text.find("'", statement.text.find(name) + name.size()) + 2;
    return statement.text.substr(at, statement.text.find(',', at) - at);
  };
  const auto end = number("dupwatch.end',");
  return {number("dupwatch.begin',"), end == "4294967295" ? "" : end};
}

TEST(PageScans, ReadThePagesOnceWhicheverSessionTakesThem) {
  Server server;
  NoWaiter waiter;
  server.answers("dupwatch.begin", answering::copied({"a\n", "b\n"}));
  auto first = answering::connect(waiter);
  auto second = answering::connect(waiter);
  Connection* const sessions[] = {&first, &second};
  std::size_t rows = 0;
  std::size_t pieces = 0;
  PageScan scan(kProfile, core::SpecSource::kNone, 3 * PageScan::kPiecePages);
  EXPECT_FALSE(scan.read(
      sessions, waiter, [&](std::string_view) { ++rows; }, [&] { return ++pieces != 0; }));
  EXPECT_EQ(pieces, 4U) << "the last one has what came behind the pages that were there";
  EXPECT_EQ(rows, 8U);
  std::vector<std::pair<std::string, std::string>> asked;
  for (const auto& statement : server.asked()) asked.push_back(pages_of(statement));
  std::ranges::sort(asked, {}, [](const auto& each) { return std::stoi(each.first); });
  EXPECT_EQ(asked, (std::vector<std::pair<std::string, std::string>>{
                       {"0", "8192"}, {"8192", "16384"}, {"16384", "24576"}, {"24576", ""}}));
}

TEST(PageScans, BeginNoMoreOnceItIsEnough) {
  Server server;
  NoWaiter waiter;
  server.answers("dupwatch.begin", answering::copied({"a\n"}));
  auto sql = answering::connect(waiter);
  Connection* const sessions[] = {&sql};
  PageScan scan(kProfile, core::SpecSource::kNone, 100 * PageScan::kPiecePages);
  EXPECT_FALSE(scan.read(
      sessions, waiter, [](std::string_view) {}, [] { return false; }));
  EXPECT_EQ(server.asked().size(), 1U);
}

TEST(PageScans, EndWithTheFirstError) {
  Server server;
  NoWaiter waiter;
  server.answers("dupwatch.begin", answering::failure("42P01", "relation does not exist"));
  auto sql = answering::connect(waiter);
  Connection* const sessions[] = {&sql};
  PageScan scan(kProfile, core::SpecSource::kNone, 100 * PageScan::kPiecePages);
  const auto error = scan.read(
      sessions, waiter, [](std::string_view) {}, [] { return true; });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "42P01");
  EXPECT_EQ(server.asked().size(), 1U);
}

constexpr auto kExtent = "pg_relation_filenode";
constexpr auto kSortsRuns = "UNION ALL";
constexpr auto kReadsRuns = "SELECT e.all";

/// A table with a sound run and one in which a step is created twice.
class FilteredScans : public ::testing::Test {
 protected:
  FilteredScans() {
    server_.answers(kExtent, answering::rows({{"1", "16400 1 0"}}));
    Strings lines;
    for (const auto* run : {"wrun_bad", "wrun_good"}) {
      auto log = served::late_copy();
      if (run == std::string("wrun_good")) log.erase(log.begin() + 5);
      for (std::size_t i = 0; i < log.size(); ++i)
        lines.push_back(copy_line(run, served::id_of(i + 1), log[i].first, log[i].second));
    }
    server_.answers("dupwatch.begin", answering::copied(lines));
    server_.answers(kReadsRuns, answering::copied({"wrun_bad\t1\n", "wrun_bad\t2\n"}));
    server_.answers(kSortsRuns, answering::copied({"wrun_bad\n"}));
  }
  Expected<bool> find(const core::Profile& profile = kProfile, FilteredScan::Open open = {}) {
    scan_.emplace(profile, FilteredScan::Plan{.select = kReadsRuns, .key_types = {}}, *sql_, std::move(open));
    return scan_->find(waiter_, [this](std::uint64_t rows) { progress_ = rows; });
  }
  std::optional<Error> read() {
    return scan_->read(
        waiter_,
        [this](const postgres::CopyFields& fields) {
          seen_ += std::string(*fields[0]) + std::string(*fields[1]) + " ";
        },
        [this](const std::string& run) { seen_ += "/" + run + " "; });
  }

  Server server_;
  NoWaiter waiter_;
  std::optional<Connection> sql_{answering::connect(waiter_)};
  std::optional<FilteredScan> scan_;
  std::uint64_t progress_ = 0;
  std::string seen_;
};

TEST_F(FilteredScans, ReadTheTableOnceAndTheSuspectsTwice) {
  EXPECT_TRUE(std::get<bool>(find()));
  EXPECT_EQ(progress_, 13U);
  EXPECT_EQ(scan_->rows(), 13U);
  EXPECT_EQ(scan_->runs(), 2U);
  EXPECT_FALSE(read());
  EXPECT_EQ(seen_, "wrun_bad1 wrun_bad2 /wrun_bad ");
  EXPECT_EQ(scan_->last_run(), "wrun_bad");
  const auto sorts = server_.asked(kSortsRuns);
  ASSERT_EQ(sorts.size(), 1U);
  EXPECT_NE(sorts[0].text.find("wrun_bad"), std::string::npos);
  EXPECT_EQ(sorts[0].text.find("wrun_good"), std::string::npos) << "a sound run is not read again";
}

TEST_F(FilteredScans, ATableThatHasNoPagesIsReadInOrderOfRuns) {
  server_.answers(kExtent, answering::rows({{std::nullopt, "16400"}}));
  EXPECT_FALSE(std::get<bool>(find()));
  EXPECT_TRUE(server_.asked("dupwatch.begin").empty());
}

TEST_F(FilteredScans, ATableWhoseRowsMovedMeanwhileIsReadInOrderOfRuns) {
  std::size_t looks = 0;
  server_.answers(kExtent, [&](const Statement&) {
    return answering::rows({{"1", "16400 1 " + std::to_string(looks++)}});
  });
  EXPECT_FALSE(std::get<bool>(find()));
  EXPECT_EQ(looks, 2U);
}

TEST_F(FilteredScans, RulesOfAProfileAreNotKnownToTheFilter) {
  auto profile = kProfile;
  profile.rules.emplace_back();
  EXPECT_FALSE(std::get<bool>(find(profile)));
  EXPECT_TRUE(server_.asked().empty());
}

TEST_F(FilteredScans, ALargeTableIsReadOnTwoSessionsWhereASecondIsToBeHad) {
  server_.answers(kExtent, answering::rows({{std::to_string(4 * PageScan::kPiecePages), "16400 1 0"}}));
  const auto before = server_.sessions();
  EXPECT_TRUE(std::get<bool>(find(kProfile, [&] { return std::optional(answering::connect(waiter_)); })));
  EXPECT_EQ(server_.sessions(), before + 1);
  EXPECT_TRUE(std::get<bool>(find(kProfile, [] { return std::optional<Connection>{}; })));
  EXPECT_EQ(server_.sessions(), before + 1);
}

TEST_F(FilteredScans, AnErrorOfEitherReadingIsHandedOn) {
  server_.fails_at(0, answering::failure("57014", "canceling statement"));
  EXPECT_TRUE(std::holds_alternative<Error>(find()));
  server_.fails_at(server_.asked().size() + 1, answering::failure("57014", "canceling statement"));
  EXPECT_TRUE(std::holds_alternative<Error>(find()));
  server_.fails_at(server_.asked().size() + 2, answering::failure("57014", "canceling statement"));
  EXPECT_TRUE(std::holds_alternative<Error>(find())) << "the second look at the pages";
  for (const std::size_t of_read : {0U, 1U}) {
    ASSERT_TRUE(std::get<bool>(find()));
    server_.fails_at(server_.asked().size() + of_read, answering::failure("57014", "canceling statement"));
    EXPECT_TRUE(read());
  }
}

}  // namespace
}  // namespace dupwatch::table::scans_test
