#include "daemon/core/finding.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include <ctime>
#include <string>

#include "daemon/core/shell.hpp"

namespace dupwatch::core::finding_test {
namespace {

using decoder::Timestamp;

std::string json_literal(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// What a JSON reader makes of a literal; fails when it is not JSON.
std::string read_json(const std::string& literal) {
  simdjson::dom::parser parser;
  std::string_view text;
  const auto error = parser.parse("[" + literal + "]").get_array().at(0).get_string().get(text);
  EXPECT_EQ(error, simdjson::SUCCESS) << literal;
  return std::string(text);
}

TEST(ToIso8601, WritesKnownInstants) {
  EXPECT_EQ(to_iso8601(Timestamp{0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{1'795'497'698'123'456}), "2026-11-24T05:21:38.123456Z");
  EXPECT_EQ(to_iso8601(Timestamp{951'782'400'000'000}), "2000-02-29T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{951'868'799'999'999}), "2000-02-29T23:59:59.999999Z");
  EXPECT_EQ(to_iso8601(Timestamp{951'868'800'000'000}), "2000-03-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{4'107'542'400'000'000}), "2100-03-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{4'107'456'000'000'000}), "2100-02-28T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{253'402'300'799'999'999}), "9999-12-31T23:59:59.999999Z");
}

TEST(ToIso8601, WritesInstantsBefore1970) {
  EXPECT_EQ(to_iso8601(Timestamp{-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_iso8601(Timestamp{-86'400'000'000}), "1969-12-31T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{-2'203'891'200'000'000}), "1900-03-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(Timestamp{-2'203'977'600'000'000}), "1900-02-28T00:00:00.000000Z");
}

RC_GTEST_PROP(ToIso8601, AgreesWithTheSystemsCalendar, ()) {
  // The years 1 to 9999.
  const auto seconds = *rc::gen::inRange<std::int64_t>(-62'135'596'800, 253'402'300'799);
  const auto micros = *rc::gen::inRange<std::int64_t>(0, 1'000'000);
  const std::time_t time = seconds;
  std::tm fields{};
  RC_ASSERT(gmtime_r(&time, &fields) != nullptr);
  char text[64] = {};
  const auto size = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                                  fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday, fields.tm_hour,
                                  fields.tm_min, fields.tm_sec, static_cast<int>(micros));
  RC_ASSERT(to_iso8601(Timestamp{seconds * 1'000'000 + micros}) ==
            std::string(text, static_cast<std::size_t>(size)));
}

TEST(ToIso8601, SurvivesTheEndsOfItsRange) {
  EXPECT_FALSE(to_iso8601(Timestamp{INT64_MIN}).empty());
  EXPECT_FALSE(to_iso8601(Timestamp{INT64_MAX}).empty());
}

TEST(AppendJsonString, EscapesQuotesBackslashesAndControlCharacters) {
  EXPECT_EQ(json_literal("plain"), R"("plain")");
  EXPECT_EQ(json_literal(R"(a"b\c)"), R"("a\"b\\c")");
  EXPECT_EQ(json_literal("a\nb\tc\rd"), R"("a\nb\tc\rd")");
  EXPECT_EQ(json_literal(std::string_view("\0\x01\x1f\x7f", 4)), R"("\u0000\u0001\u001f\u007f")");
}

TEST(AppendJsonString, LeavesValidUtf8AsItIs) {
  for (const std::string_view text : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF",
                                      "\xED\x9F\xBF", "\xEE\x80\x80", "\xE0\xA0\x80", "\xC2\xA0"}) {
    EXPECT_EQ(json_literal(text), '"' + std::string(text) + '"');
  }
}

TEST(AppendJsonString, ReplacesEachByteThatIsNotUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(read_json(json_literal("a\xFFz")), "a" + r + "z");
  EXPECT_EQ(read_json(json_literal("\x80")), r) << "a continuation byte alone";
  EXPECT_EQ(read_json(json_literal("\xC3")), r) << "cut short at the end";
  EXPECT_EQ(read_json(json_literal("\xE2\x82z")), r + r + "z") << "cut short before a letter";
  EXPECT_EQ(read_json(json_literal("\xC0\xAF")), r + r) << "overlong";
  EXPECT_EQ(read_json(json_literal("\xE0\x9F\xBF")), r + r + r) << "overlong";
  EXPECT_EQ(read_json(json_literal("\xF0\x8F\xBF\xBF")), r + r + r + r) << "overlong";
  EXPECT_EQ(read_json(json_literal("\xED\xA0\x80")), r + r + r) << "a surrogate";
  EXPECT_EQ(read_json(json_literal("\xF4\x90\x80\x80")), r + r + r + r) << "above U+10FFFF";
  EXPECT_EQ(read_json(json_literal("\xC3\xC3\xA9")), r + "\xC3\xA9") << "the next character is kept";
}

RC_GTEST_PROP(AppendJsonString, AnyBytesGiveOneLineOfValidJson, (const std::string& bytes)) {
  const auto literal = json_literal(bytes);
  simdjson::dom::parser parser;
  std::string_view text;
  RC_ASSERT(parser.parse("[" + literal + "]").get_array().at(0).get_string().get(text) == simdjson::SUCCESS);
  for (const char c : literal) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
  bool ascii = true;
  for (const char c : bytes) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) RC_ASSERT(text == bytes);
}

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

TEST(ToJson, WritesTheRecordOfTheFindingsFile) {
  EXPECT_EQ(
      to_json(full_finding()),
      R"({"event":"finding","change":"changed","finding_id":"0000000000000abc","rule":"duplicate_created",)"
      R"("shape":"after_close","severity":"fatal","pending":"may_return","state":"run_ended","engine":"v5-before-class-skip","engine_from":"run",)"
      R"("origin":"read_back",)"
      R"("after_close":true,"table":"workflow.workflow_events","run_id":"wrun_1",)"
      R"("correlation_id":"step_1","type":"step_created",)"
      R"("canonical":{"id":"wevt_1","xid":null,"commit_lsn":null,"commit_time":null},)"
      R"("duplicate":{"id":"wevt_3","xid":777,"commit_lsn":"16/B374D848",)"
      R"("commit_time":"2026-11-24T05:21:38.123456Z"},)"
      R"("closing":{"id":"wevt_2","xid":776,"commit_lsn":"16/B374D000","commit_time":null},)"
      R"("log_order":["wevt_1","wevt_2","wevt_3"],"commit_gap_ms":null,)"
      R"("flagged_at":"2026-11-24T05:21:38.200000Z","acknowledgement":null,)"
      R"("what":"two workers created the same step, wait, hook or attribute",)"
      R"("why":"4.x and 5.0 up to beta.41 have no handler waiting for this event, so replay fails; later engines skip it",)"
      R"("versions":"world-postgres before 4.1.2; later where the unique index is missing",)"
      R"("confidence":"measured","look":"dupwatch explain wrun_1","fix":null})");
  auto open = full_finding();
  open.state = FindingState::kOpen;
  EXPECT_TRUE(to_json(open).ends_with(R"(,"fix":"dupwatch quarantine apply wrun_1 0000000000000abc"})"));
}

TEST(ToJson, WithoutAClosingEventItIsNull) {
  auto finding = full_finding();
  finding.closing.reset();
  const auto text = to_json(finding);
  EXPECT_NE(text.find(R"(,"closing":null,"log_order":["wevt_1","wevt_3"],)"), std::string::npos) << text;
}

TEST(ToJson, ARowInTwoRolesStandsOnceInTheLogsOrder) {
  auto finding = full_finding();
  finding.canonical.id = "wevt_2";
  finding.duplicate.id = "wevt_1";
  EXPECT_NE(to_json(finding).find(R"("log_order":["wevt_1","wevt_2"],)"), std::string::npos);
}

TEST(ExplainCommand, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(explain_command("wrun_01K9ZC3F4E5G6H7J8K9MNPQRST"),
            "dupwatch explain wrun_01K9ZC3F4E5G6H7J8K9MNPQRST");
  EXPECT_EQ(explain_command("a-b_C-9"), "dupwatch explain a-b_C-9");
  EXPECT_EQ(explain_command(""), "dupwatch explain -- ''");
  EXPECT_EQ(explain_command("-rf"), "dupwatch explain -- '-rf'");
  EXPECT_EQ(explain_command("a b"), "dupwatch explain -- 'a b'");
  EXPECT_EQ(explain_command("$(reboot)`;\"\n"), "dupwatch explain -- $'$(reboot)`;\"\\x0a'");
  EXPECT_EQ(explain_command("it's"), "dupwatch explain -- 'it'\\''s'");
  EXPECT_EQ(explain_command("\xC3\xA9"), "dupwatch explain -- '\xC3\xA9'");
}

TEST(FindingText, OptionsStandBeforeTheIds) {
  EXPECT_EQ(explain_command("a b", " --config x.yaml"), "dupwatch explain --config x.yaml -- 'a b'");
  Finding finding;
  finding.id = 0x1f;
  finding.run_id = "a b";
  finding.rule = Rule::kDuplicateCreated;
  finding.shape = Shape::kAfterClose;
  finding.severity = Severity::kFatal;
  finding.canonical.id = "wevt_1";
  finding.duplicate.id = "wevt_2";
  EXPECT_EQ(fix_command(finding, " --config x.yaml"),
            "dupwatch quarantine apply --config x.yaml -- 'a b' 000000000000001f");
  finding.by_hand = true;
  EXPECT_EQ(fix_command(finding, " --config x.yaml"),
            "dupwatch explain --config x.yaml --repair-plan repair.sql -- 'a b'");
  finding.state = FindingState::kRunEnded;
  EXPECT_EQ(fix_command(finding), "");
  finding.state = FindingState::kOpen;
  finding.by_hand = false;
  finding.duplicate.id = "evnt_00000000000000000000000007";
  finding.canonical.id = "evnt_00000000000000000000000003";
  EXPECT_EQ(fix_command(finding), "");
}

TEST(FindingText, AWordOfAShell) {
  EXPECT_EQ(shell_word("/etc/dupwatch/dupwatch.yaml"), "/etc/dupwatch/dupwatch.yaml");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("-x"), "'-x'");
  EXPECT_EQ(shell_word("~/x"), "'~/x'");
  EXPECT_EQ(shell_word("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_word("it's\n\\\xe2\x80\xae"), "$'it\\'s\\x0a\\\\\\xe2\\x80\\xae'");
}

TEST(Labels, OfFindingsAreTheDocumentedWords) {
  EXPECT_EQ(to_string(FindingState::kOpen), "open");
  EXPECT_EQ(to_string(FindingState::kRunEnded), "run_ended");
  EXPECT_EQ(to_string(FindingState::kGone), "gone");
  EXPECT_EQ(to_string(FindingState::kAcknowledged), "acknowledged");
  EXPECT_EQ(to_string(Origin::kRecheck), "recheck");
}

TEST(ToJson, WritesNullAndSeveralIdentityColumns) {
  auto finding = full_finding();
  finding.identity = {std::nullopt};
  EXPECT_NE(to_json(finding).find(R"("correlation_id":null,)"), std::string::npos);
  finding.identity = {"a\"b", std::nullopt};
  EXPECT_NE(to_json(finding).find(R"("correlation_id":["a\"b",null],)"), std::string::npos);
}

TEST(ToJson, GivesTheCommitGapInMillisecondsWithItsSign) {
  auto finding = full_finding();
  finding.canonical.commit_time = Timestamp{1'795'497'698'123'456 - 12'345};
  EXPECT_EQ(finding.commit_gap_micros(), 12'345);
  EXPECT_NE(to_json(finding).find(R"("commit_gap_ms":12.345,)"), std::string::npos);
  finding.canonical.commit_time = Timestamp{1'795'497'698'123'456 + 500};
  EXPECT_NE(to_json(finding).find(R"("commit_gap_ms":-0.500,)"), std::string::npos);
}

RC_GTEST_PROP(ToJson, IsOneLineOfValidJsonWhateverTheRowHolds,
              (const std::string& run, const std::string& id, const std::string& type)) {
  auto finding = full_finding();
  finding.run_id = run;
  finding.duplicate.id = id;
  finding.type = type;
  finding.identity = {id};
  const auto text = to_json(finding);
  simdjson::dom::parser parser;
  RC_ASSERT(parser.parse(text).error() == simdjson::SUCCESS);
  RC_ASSERT(text.find('\n') == std::string::npos);
}

TEST(FindingIdText, IsSixteenHexadecimalDigits) {
  EXPECT_EQ(finding_id_text(0), "0000000000000000");
  EXPECT_EQ(finding_id_text(0x0F3A), "0000000000000f3a");
  EXPECT_EQ(finding_id_text(UINT64_MAX), "ffffffffffffffff");
}

}  // namespace
}  // namespace dupwatch::core::finding_test
