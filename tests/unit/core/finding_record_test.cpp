#include "daemon/core/finding_record.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace dupwatch::core::finding_record_test {
namespace {

using decoder::Timestamp;

Finding full_finding() {
  Finding finding;
  finding.id = 0xABC;
  finding.rule = Rule::kDuplicateCreated;
  finding.severity = Severity::kFatal;
  finding.shape = Shape::kAfterClose;
  finding.engine = Engine::kV5BeforeClassSkip;
  finding.engine_from = EngineFrom::kRun;
  finding.state = FindingState::kRunEnded;
  finding.pending = Pending::kMayReturn;
  finding.change = FindingChange::kChanged;
  finding.origin = Origin::kReadBack;
  finding.after_close = true;
  finding.table = "workflow.workflow_events";
  finding.run_id = "wrun_1";
  finding.identity = {"step_1"};
  finding.type = "step_created";
  finding.canonical = {
      .id = "wevt_1", .xid = std::nullopt, .commit_lsn = std::nullopt, .commit_time = std::nullopt};
  finding.duplicate = {.id = "wevt_3",
                       .xid = 777,
                       .commit_lsn = decoder::Lsn{0x16'B374'D848},
                       .commit_time = Timestamp{1'795'497'698'123'456}};
  finding.closing = {
      .id = "wevt_2", .xid = 776, .commit_lsn = decoder::Lsn{0x16'B374'D000}, .commit_time = std::nullopt};
  finding.flagged_at = Timestamp{1'795'497'698'200'000};
  return finding;
}

TEST(ReadFinding, GivesBackWhatMustBeKnownAgain) {
  auto finding = full_finding();
  finding.identity = {"a\"b\n", std::nullopt};
  const auto read = read_finding(to_json(finding));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, finding.id);
  EXPECT_EQ(read->rule, finding.rule);
  EXPECT_EQ(read->severity, finding.severity);
  EXPECT_EQ(read->shape, finding.shape);
  EXPECT_EQ(read->pending, finding.pending);
  EXPECT_EQ(read->engine, finding.engine);
  EXPECT_EQ(read->engine_from, finding.engine_from);
  EXPECT_EQ(read->state, finding.state);
  EXPECT_EQ(read->change, finding.change);
  EXPECT_EQ(read->origin, finding.origin);
  EXPECT_EQ(read->after_close, finding.after_close);
  EXPECT_EQ(read->table, finding.table);
  EXPECT_EQ(read->run_id, finding.run_id);
  EXPECT_EQ(read->identity, finding.identity);
  EXPECT_EQ(read->type, finding.type);
  EXPECT_EQ(read->canonical.id, finding.canonical.id);
  EXPECT_EQ(read->duplicate.id, finding.duplicate.id);
  EXPECT_EQ(read->canonical.xid, finding.canonical.xid);
  EXPECT_EQ(read->duplicate.xid, finding.duplicate.xid);
  EXPECT_EQ(read->closing_id(), finding.closing_id());
  EXPECT_EQ(to_json(*read), to_json(finding));
}

TEST(ReadFinding, GivesBackEveryShapeAndNone) {
  for (const auto& entry : rule_cases()) {
    auto finding = full_finding();
    finding.rule = entry.rule;
    finding.shape = entry.shape;
    const auto read = read_finding(to_json(finding));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->shape, entry.shape);
    EXPECT_EQ(read->reason(), reason_text(entry.rule, entry.shape));
  }
  auto finding = full_finding();
  finding.shape.reset();
  const auto read = read_finding(to_json(finding));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->shape, std::nullopt);
  EXPECT_EQ(read->reason(), "");
}

/// A record as 0.1.0 wrote it.
std::string first_record(std::string_view rule, std::string_view why) {
  std::string out = R"({"event":"finding","change":"new","finding_id":"0000000000000abc","rule":")";
  out += rule;
  out += R"(","severity":"fatal","state":"open","engine":"v4","origin":"stream","after_close":true,)"
         R"("table":"workflow.workflow_events","run_id":"wrun_1","correlation_id":"step_1",)"
         R"("type":"step_failed","canonical":{"id":"wevt_1","xid":5,"commit_lsn":null,"commit_time":null},)"
         R"("duplicate":{"id":"wevt_3","xid":777,"commit_lsn":null,"commit_time":null},)"
         R"("closing":null,"log_order":["wevt_1","wevt_3"],"commit_gap_ms":null,)"
         R"("flagged_at":"2026-11-24T05:21:38.200000Z","what":"?","why":)";
  append_json_string(out, why);
  return out + R"(,"versions":"?","confidence":"measured","look":"dupwatch explain wrun_1"})";
}

TEST(ReadFinding, OfARecordOf010TheSentenceGivesTheShape) {
  const std::string nobody = "4.x and 5.0 up to beta.41 find nobody to take it; later engines ";
  for (const auto& [rule, why, shape] :
       std::vector<std::tuple<const char*, std::string, std::optional<Shape>>>{
           {"second_terminal", nobody + "skip it", Shape::kSameType},
           {"second_terminal", nobody + "keep the first outcome and log an error", Shape::kOtherType},
           {"duplicate_created", nobody + "skip it", Shape::kAfterClose},
           {"lifecycle_after_close", nobody + "skip it, they had one of its class before",
            Shape::kAfterClose},
           {"lifecycle_after_close",
            "nothing of its class stands before the closing event, so no engine skips it",
            Shape::kFirstAfterClose},
           {"run_lost", "the run has failed; it can be revived only by hand", Shape::kPlain},
           {"second_terminal", "words of no version", std::nullopt}}) {
    const auto read = read_finding(first_record(rule, why));
    ASSERT_TRUE(read) << rule;
    EXPECT_EQ(read->shape, shape) << rule << ": " << why;
    EXPECT_EQ(read->duplicate.xid, 777U);
    EXPECT_EQ(read->pending, Pending::kCertain) << "0.1.0 did not say it";
  }
}

TEST(ReadFinding, RefusesWhatIsNoWholeRecord) {
  const auto record = to_json(full_finding());
  for (std::size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(read_finding(record.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(read_finding("{}"), std::nullopt);
  EXPECT_EQ(read_finding("[1]"), std::nullopt);
  for (const auto* part :
       {R"("event":"finding")", R"("rule":"duplicate_created")", R"("shape":"after_close")",
        R"("severity":"fatal")", R"("state":"run_ended")", R"("finding_id":"0000000000000abc")"}) {
    auto other = record;
    other.replace(other.find(part) + std::string_view(part).size() - 2, 1, "?");
    EXPECT_EQ(read_finding(other), std::nullopt) << part;
  }
}

}  // namespace
}  // namespace dupwatch::core::finding_record_test
