#include "daemon/cli/quarantine_batch_report.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "daemon/cli/quarantine_dialog.hpp"
#include "program.hpp"

namespace dupwatch::cli::batch_report_test {
namespace {

using quarantine::ActOutcome;
using Kind = ActOutcome::Kind;

quarantine::BatchRow row(const std::string& event) {
  return {.run_id = "wrun_a", .finding_id = "00000000000000ff", .event_id = event, .refused = {}};
}

/// What is printed while `use` works with a report on `rows` rows.
template <class Use>
std::string told(const QuarantineOptions& options, std::uint64_t rows, Use use) {
  testing::internal::CaptureStdout();
  BatchReport report(options, rows);
  use(report);
  report.finish();
  (void)std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

/// One act of each kind.
void all_kinds(BatchReport& report) {
  report.acted(row("wevt_1"), {.kind = Kind::kDone, .entry = "17"});
  report.acted(row("wevt_2"), {.kind = Kind::kAlready, .entry = "9"});
  report.acted(row("wevt_3"), {.kind = Kind::kWouldBeDone});
  report.acted(row("wevt_4"),
               {.kind = Kind::kRefused, .reason = "run_ended", .explanation = "the run\x1b has ended"});
  report.acted(row("wevt_5"), {.kind = Kind::kUnknown});
  auto refused = row("wevt_6");
  refused.refused = quarantine::Refusal::kNotFatal;
  report.refused_by_file(refused);
}

TEST(BatchReport, HasALineForEachActAndCountsThem) {
  const QuarantineOptions options;
  const auto text = told(options, 7, [](BatchReport& report) {
    all_kinds(report);
    EXPECT_EQ(report.seen(), 6U);
    EXPECT_EQ(report.moved(), 2U);
    EXPECT_TRUE(report.leaves_rows());
  });
  EXPECT_EQ(text,
            "run wrun_a: wevt_1 removed; entry 17\n"
            "run wrun_a: wevt_2 was already removed (entry 9)\n"
            "run wrun_a: wevt_3 would be removed\n"
            "run wrun_a: wevt_4 refused (run_ended): the run\\x1b has ended\n"
            "run wrun_a: wevt_5 is no longer in the log\n"
            "2 removed, 1 already removed, 1 no longer in the log, 2 refused (1 not_fatal, 1 run_ended); 1 "
            "of 7 not reached: run it again on the same file\n");
}

TEST(BatchReport, InJsonEachActIsALineAlsoWhatTheFileRefuses) {
  QuarantineOptions options;
  options.json = true;
  const auto text = told(options, 6, all_kinds);
  EXPECT_TRUE(says(
      text,
      {R"({"event":"act","action":"apply","result":"done","run_id":"wrun_a","finding_id":"00000000000000ff","event_id":"wevt_1","id":17,"reason":null,"why":null})"
       "\n",
       R"("result":"already_done")", R"("result":"dry_run")", R"("result":"refused")",
       R"("reason":"run_ended","why":"the run\u001b has ended"})", R"("result":"gone")",
       R"("event_id":"wevt_6","id":null,"reason":"not_fatal","why":"replay does not fail on this row"})",
       R"({"event":"apply_summary","rows":6,"done":1,"already_done":1,"dry_run":1,"gone":1,"refused":2,"by_reason":[{"reason":"not_fatal","rows":1},{"reason":"run_ended","rows":1}],"not_reached":0})"
       "\n"}));
}

TEST(BatchReport, OnlyWhatStaysIsAFinding) {
  QuarantineOptions options;
  (void)told(options, 1, [](BatchReport& report) {
    EXPECT_TRUE(report.leaves_rows()) << "it was not reached";
    report.acted(row("wevt_1"), {.kind = Kind::kUnknown});
    EXPECT_FALSE(report.leaves_rows()) << "a row that is gone does not stay";
  });
}

TEST(BatchReport, BeforeAMigrationALookFollowsWhatWasDone) {
  QuarantineOptions options;
  options.before_migration = true;
  const auto look = std::string("look again before you migrate: dupwatch audit --before-migration\n");
  const auto done = [](BatchReport& report) {
    report.acted(row("wevt_1"), {.kind = Kind::kDone, .entry = "1"});
  };
  EXPECT_TRUE(told(options, 1, done).ends_with(look));
  EXPECT_FALSE(told(options, 1, [](BatchReport& report) {
                 report.acted(row("wevt_1"), {.kind = Kind::kUnknown});
               }).ends_with(look));
  options.dry_run = true;
  EXPECT_FALSE(told(options, 1, [](BatchReport& report) {
                 report.acted(row("wevt_1"), {.kind = Kind::kWouldBeDone});
               }).ends_with(look));
}

TEST(QuarantineDialog, AMissingTableIsTheSetupsAndAMissingRightTheActions) {
  using Action = QuarantineOptions::Action;
  const auto said = [](const std::string& sqlstate, Action action) {
    postgres::Error error{.fault = postgres::Fault::kTransient,
                          .cause = postgres::Cause::kNoRight,
                          .sqlstate = sqlstate,
                          .message = "no",
                          .remedy = "read more"};
    testing::internal::CaptureStderr();
    const auto code = report_quarantine_error(error, action);
    return std::to_string(static_cast<int>(code)) + " " + testing::internal::GetCapturedStderr();
  };
  EXPECT_TRUE(says(said("42P01", Action::kPurge),
                   {"3 error: no; remedy: run what `dupwatch setup --print-sql --quarantine` prints\n"}));
  EXPECT_TRUE(says(said("42501", Action::kPurge),
                   {"3 error: no; remedy: purge with --dsn as a role that may DELETE"}));
  EXPECT_TRUE(says(said("42501", Action::kApply), {"--neutralise needs UPDATE on the log"}));
  EXPECT_TRUE(says(said("57014", Action::kApply), {"4 error: no; remedy: read more\n"}));
}

}  // namespace
}  // namespace dupwatch::cli::batch_report_test
